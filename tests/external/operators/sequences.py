"""Operators on sequences: recurrent layers and attention."""

from __future__ import annotations

import numpy as np

from ldl.arrays import Array

from .operation import LeftOut, Op, Operator, computed_in

GATES = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 2, 3, 1)}  # ours in ONNX's order: zrh, iofc


def recurrent(entry: str) -> Operator:
    """RNN, GRU and LSTM; backwards the sequence is turned round. Cells are not given."""

    def run(op: Op) -> tuple[Array | None, ...]:
        batch_first = op.get("layout", 0) == 1
        x = op.first if batch_first else op.first.swapaxes(0, 1)
        refuse(op, entry, x)
        turned = {b"forward": [False], b"reverse": [True], b"bidirectional": [False, True]}
        states = []
        for i, back in enumerate(turned[op.get("direction", b"forward")]):
            y = one_direction(op, entry, i, x[:, ::-1] if back else x)
            states.append((y[:, ::-1] if back else y, y[:, -1]))
        every = np.stack([s for s, _ in states], axis=2)  # (N, L, directions, H)
        last = np.stack([s for _, s in states], axis=1)
        if not batch_first:
            every, last = every.transpose(1, 2, 0, 3), last.swapaxes(0, 1)
        return every, last, None

    return run


def refuse(op: Op, entry: str, x: Array) -> None:
    """What the layer cannot do."""
    lengths, peepholes = op.input(4), op.input(7)
    if lengths is not None and (lengths != x.shape[1]).any():
        raise LeftOut("sequences of several lengths")
    if any(state is not None and state.any() for state in (op.input(5), op.input(6))):
        raise LeftOut("a first state other than 0")
    if peepholes is not None and peepholes.any():
        raise LeftOut("peepholes")
    if "activations" in op.settings or "clip" in op.settings or op.get("input_forget", 0):
        raise LeftOut("other functions within the gates")
    if entry == "gru" and not op.get("linear_before_reset", 0) and not alike(op, x):
        raise LeftOut("a reset before the product")


def alike(op: Op, x: Array) -> bool:
    """Whether a GRU is the same with the reset before the product or after: the state is 0."""
    bias, size = op.input(3), op.get("hidden_size", 0)
    return x.shape[1] == 1 and (bias is None or not bias[:, -size:].any())


def one_direction(op: Op, entry: str, i: int, x: Array) -> Array:
    """All states (N, L, H)."""
    size, both = op.settings["hidden_size"], op.input(3)
    named = {"weight_ih": op.x[1], "weight_hh": op.x[2]}
    if both is not None:
        named["bias_ih"], named["bias_hh"] = np.split(both, 2, axis=1)
    w = {}
    for name, array in named.items():
        assert array is not None
        gates = array[i].reshape(-1, size, *array.shape[2:])[list(GATES[entry])]
        w[name] = gates.reshape(array.shape[1:]).T
    return op.layer(entry, x, w=w, units=size, bias=both is not None, return_sequences=True)


def attention(op: Op) -> tuple[Array | None, ...]:
    """Attention: q, k and v are the channels of one sequence, which the weights only pick."""
    q, k, v, mask = op.first, *(np.asarray(a) for a in op.x[1:3]), op.input(3)
    refuse_attention(op, q)
    flat = q.ndim == 3
    if flat:
        q_heads, kv_heads = op.settings["q_num_heads"], op.settings["kv_num_heads"]
        q = q.reshape(*q.shape[:2], q_heads, -1).swapaxes(1, 2)
        k, v = (a.reshape(*a.shape[:2], kv_heads, -1).swapaxes(1, 2) for a in (k, v))
    samples, heads, length, depth = q.shape
    whole = max(length, k.shape[2])
    x, w = packed(q, k, v, whole, op.get("scale", depth**-0.5))
    hidden = np.zeros((samples, whole), q.dtype)
    hidden[:, k.shape[2] :] = 1.0
    if mask is not None:
        hidden[:, : k.shape[2]] = hidden_keys(mask)
    y = op.layer(
        "multi_head_attention", x, hidden, w=w, heads=heads, bias=False,
        causal=bool(op.get("is_causal", 0)),
    )  # fmt: skip
    y = y.reshape(samples, whole, heads, -1)[:, :length, :, : v.shape[-1]]
    return (y.reshape(samples, length, -1) if flat else y.swapaxes(1, 2)), None, None, None


def refuse_attention(op: Op, q: Array) -> None:
    """What the layer cannot do."""
    computed_in([q])
    if op.input(4) is not None or op.input(6) is not None:
        raise LeftOut("keys kept from earlier calls")
    if op.get("softcap", 0.0):
        raise LeftOut("scores that are bounded")
    if op.get("left_window_size", -1) >= 0 or op.get("right_window_size", -1) >= 0:
        raise LeftOut("a mask for each query")


def hidden_keys(mask: Array) -> Array:
    """1 for keys that no query sees; all queries see the same."""
    if mask.dtype != bool or mask.ndim != 2 or (mask != mask[:1]).any():
        raise LeftOut("a mask for each query")
    return np.where(mask[0], 0.0, 1.0)


def packed(
    q: Array, k: Array, v: Array, length: int, scale: float
) -> tuple[Array, dict[str, Array]]:
    """x (N, L, C) with the channels [q k v 0], and weights that pick each head's from them.

    The layer's heads have C / heads channels, more than q and k have: those more are 0, and the
    layer's factor for them is made up for in the weights of q.
    """
    samples, heads = q.shape[:2]
    parts = [a.swapaxes(1, 2).reshape(samples, a.shape[2], -1) for a in (q, k, v)]
    used = sum(part.shape[2] for part in parts)
    deep = max(-(-used // heads), q.shape[3], v.shape[3])
    channels = heads * deep
    x = np.zeros((samples, length, channels), q.dtype)
    pick = np.zeros((channels, 3 * channels), q.dtype)
    start = 0
    for block, (array, part) in enumerate(zip((q, k, v), parts, strict=True)):
        x[:, : part.shape[1], start : start + part.shape[2]] = part
        depth, group = array.shape[3], heads // array.shape[1]
        for head in range(heads):
            rows = start + head // group * depth + np.arange(depth)
            pick[rows, block * channels + head * deep + np.arange(depth)] = 1.0
        start += part.shape[2]
    pick[:, :channels] *= scale * deep**0.5
    return x, {"in_proj_weight": pick, "out_proj_weight": np.eye(channels, dtype=q.dtype)}


SEQUENCES: dict[str, Operator] = {
    "RNN": recurrent("rnn"),
    "GRU": recurrent("gru"),
    "LSTM": recurrent("lstm"),
    "Attention": attention,
}
