"""Operators on sequences: recurrent layers and attention."""

from __future__ import annotations

import numpy as np

from ldl.arrays import Array

from .operation import Op, Operator, Unsupported, compute_dtype

# For each gate of the engine its index in ONNX's order, zrh or iofc.
GATES = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 2, 3, 1)}


def recurrent(entry: str) -> Operator:
    """RNN, GRU and LSTM; the reverse direction runs on the reversed sequence. No cell output."""

    def run(op: Op) -> tuple[Array | None, ...]:
        batch_first = op.get("layout", 0) == 1
        x = op.first if batch_first else op.first.swapaxes(0, 1)
        check_recurrent(op, entry, x)
        directions = {b"forward": [False], b"reverse": [True], b"bidirectional": [False, True]}
        states = []
        for i, reverse in enumerate(directions[op.get("direction", b"forward")]):
            y = one_direction(op, entry, i, x[:, ::-1] if reverse else x)
            states.append((y[:, ::-1] if reverse else y, y[:, -1]))
        all_states = np.stack([s for s, _ in states], axis=2)  # (N, L, directions, H)
        last = np.stack([s for _, s in states], axis=1)
        if not batch_first:
            all_states, last = all_states.transpose(1, 2, 0, 3), last.swapaxes(0, 1)
        return all_states, last, None

    return run


def check_recurrent(op: Op, entry: str, x: Array) -> None:
    """Raise Unsupported for settings that the layer does not have."""
    lengths, peepholes = op.input(4), op.input(7)
    if lengths is not None and (lengths != x.shape[1]).any():
        raise Unsupported("sequences of several lengths")
    if any(state is not None and state.any() for state in (op.input(5), op.input(6))):
        raise Unsupported("an initial state other than 0")
    if peepholes is not None and peepholes.any():
        raise Unsupported("peepholes")
    if "activations" in op.settings or "clip" in op.settings or op.get("input_forget", 0):
        raise Unsupported("other functions of the gates")
    if entry == "gru" and not op.get("linear_before_reset", 0) and not ignores_reset_order(op, x):
        raise Unsupported("a reset before the product")


def ignores_reset_order(op: Op, x: Array) -> bool:
    """Whether a GRU has the same output with the reset before and after the product: h is 0."""
    bias, size = op.input(3), op.get("hidden_size", 0)
    return x.shape[1] == 1 and (bias is None or not bias[:, -size:].any())


def one_direction(op: Op, entry: str, i: int, x: Array) -> Array:
    """All states (N, L, H)."""
    size, biases = op.settings["hidden_size"], op.input(3)
    arrays = {"weight_ih": op.x[1], "weight_hh": op.x[2]}
    if biases is not None:
        arrays["bias_ih"], arrays["bias_hh"] = np.split(biases, 2, axis=1)
    w = {}
    for name, array in arrays.items():
        assert array is not None
        gates = array[i].reshape(-1, size, *array.shape[2:])[list(GATES[entry])]
        w[name] = gates.reshape(array.shape[1:]).T
    return op.layer(entry, x, w=w, units=size, bias=biases is not None, return_sequences=True)


def attention(op: Op) -> tuple[Array | None, ...]:
    """Attention: q, k and v are channels of one sequence, which the weights select."""
    q, k, v, mask = op.first, *(np.asarray(a) for a in op.x[1:3]), op.input(3)
    check_attention(op, q)
    is_flat = q.ndim == 3
    if is_flat:
        q_heads, kv_heads = op.settings["q_num_heads"], op.settings["kv_num_heads"]
        q = q.reshape(*q.shape[:2], q_heads, -1).swapaxes(1, 2)
        k, v = (a.reshape(*a.shape[:2], kv_heads, -1).swapaxes(1, 2) for a in (k, v))
    samples, heads, length, depth = q.shape
    length_with_keys = max(length, k.shape[2])
    x, w = pack(q, k, v, length_with_keys, op.get("scale", depth**-0.5))
    padding = np.zeros((samples, length_with_keys), q.dtype)
    padding[:, k.shape[2] :] = 1.0
    if mask is not None:
        padding[:, : k.shape[2]] = padding_of_mask(mask)
    y = op.layer(
        "multi_head_attention", x, padding, w=w, heads=heads, bias=False,
        causal=bool(op.get("is_causal", 0)),
    )  # fmt: skip
    y = y.reshape(samples, length_with_keys, heads, -1)[:, :length, :, : v.shape[-1]]
    return (y.reshape(samples, length, -1) if is_flat else y.swapaxes(1, 2)), None, None, None


def check_attention(op: Op, q: Array) -> None:
    """Raise Unsupported for settings that the layer does not have."""
    compute_dtype([q])
    if op.input(4) is not None or op.input(6) is not None:
        raise Unsupported("keys cached by earlier calls")
    if op.get("softcap", 0.0):
        raise Unsupported("bounded scores")
    if op.get("left_window_size", -1) >= 0 or op.get("right_window_size", -1) >= 0:
        raise Unsupported("a mask for each query")


def padding_of_mask(mask: Array) -> Array:
    """1 for keys that the mask hides from all queries. Raises Unsupported if queries differ."""
    if mask.dtype != bool or mask.ndim != 2 or (mask != mask[:1]).any():
        raise Unsupported("a mask for each query")
    return np.where(mask[0], 0.0, 1.0)


def pack(q: Array, k: Array, v: Array, length: int, scale: float) -> tuple[Array, dict[str, Array]]:
    """x (N, L, C) with the channels [q k v 0], and weights that select those of each head.

    The heads of the layer have C / heads channels, more than q and k: further channels are 0, and
    the weights of q correct the scale of the scores.
    """
    samples, heads = q.shape[:2]
    flat_inputs = [a.swapaxes(1, 2).reshape(samples, a.shape[2], -1) for a in (q, k, v)]
    used = sum(flat_input.shape[2] for flat_input in flat_inputs)
    head_channels = max(-(-used // heads), q.shape[3], v.shape[3])
    channels = heads * head_channels
    x = np.zeros((samples, length, channels), q.dtype)
    selection = np.zeros((channels, 3 * channels), q.dtype)
    start = 0
    for block, (array, flat_input) in enumerate(zip((q, k, v), flat_inputs, strict=True)):
        x[:, : flat_input.shape[1], start : start + flat_input.shape[2]] = flat_input
        depth, group_size = array.shape[3], heads // array.shape[1]
        for head in range(heads):
            rows = start + head // group_size * depth + np.arange(depth)
            selection[rows, block * channels + head * head_channels + np.arange(depth)] = 1.0
        start += flat_input.shape[2]
    selection[:, :channels] *= scale * head_channels**0.5
    return x, {"in_proj_weight": selection, "out_proj_weight": np.eye(channels, dtype=q.dtype)}


SEQUENCES: dict[str, Operator] = {
    "RNN": recurrent("rnn"),
    "GRU": recurrent("gru"),
    "LSTM": recurrent("lstm"),
    "Attention": attention,
}
