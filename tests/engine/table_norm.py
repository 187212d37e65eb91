"""Rows of normalisation, dropout, embedding, attention and what transformers need beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.init import Normal
from ldl.engine.layers import LAYERS

from .table import Case, Given, below, bits, plain

Formula = Callable[[list[Array], dict[str, Array]], Array]
NORMAL = Normal(0.5)


def whole(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Whole numbers 0 … 4, as floating-point numbers."""
    return rng.integers(5, size=shape).astype(float)


def off_centre(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Far from 0 for its spread: a variance from squares would lose most digits."""
    return 30.0 + rng.normal(size=shape)


def normalised(x: Array, axes: tuple[int, ...] | int, epsilon: float) -> Array:
    """(x − mean) / √(variance + ε)."""
    mean = x.mean(axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def batch_norm(epsilon: float) -> Formula:
    """Over all axes but the last."""
    return lambda x, w: (
        normalised(x[0], tuple(range(x[0].ndim - 1)), epsilon) * w["weight"] + w["bias"]
    )


def layer_norm(epsilon: float) -> Formula:
    """Over the last axis."""
    return lambda x, w: normalised(x[0], -1, epsilon) * w["weight"] + w["bias"]


def norm_cases() -> list[Case]:
    """Rows of batch_norm and layer_norm."""
    cases = []
    for shape, draw in (
        ((5,), plain),
        ((1,), plain),
        ((3, 2), plain),
        ((3, 1), plain),
        ((5, 3, 4), plain),
        ((3, 4), off_centre),
    ):
        for epsilon in (1e-5, 0.1):
            given = (Given(shape, draw),)
            layer = LAYERS["batch_norm"](epsilon=epsilon)
            cases.append(Case("batch_norm", layer, given, batch_norm(epsilon)))
            layer = LAYERS["layer_norm"](epsilon)
            cases.append(Case("layer_norm", layer, given, layer_norm(epsilon)))
    return cases


def dropout(rate: float) -> Formula:
    """The draws that a node of the table sees, one float32 a value."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        draws = np.random.default_rng(0).random(x[0].shape, np.float32)
        return np.where(draws < np.float32(rate), 0.0, x[0] / (1.0 - rate))

    return formula


def dropout_cases() -> list[Case]:
    """Rows of dropout."""
    return [
        Case("dropout", LAYERS["dropout"](rate), (Given(shape),), dropout(rate))
        for rate in (0.5, 0.1, 0.0)
        for shape in ((5,), (2, 3), (1,), ())
    ]


def rows_of(x: list[Array], w: dict[str, Array]) -> Array:
    """A row of the weights for each number."""
    return np.stack([w["weight"][int(k)] for k in x[0].ravel()]).reshape(*x[0].shape, -1)


def embedding_cases() -> list[Case]:
    """Rows of embedding: indices, and whole numbers as data sets hold them."""
    cases = []
    for units in (3, 1):
        for shape in ((4,), (1,), (2, 3), ()):
            layer = LAYERS["embedding"](units, 5, NORMAL)
            numbers = (Given(shape, below(5), integer=True), Given(shape, whole))
            cases += [Case("embedding", layer, (given,), rows_of) for given in numbers]
    return cases


# --- attention --------------------------------------------------------------------------------


def attention(heads: int, causal: bool, rate: float = 0.0) -> Formula:
    """A sample, a head and a query at a time."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        samples, length, _ = x[0].shape
        hidden = x[1] > 0.5 if len(x) == 2 else np.zeros((samples, length), bool)
        draws = np.random.default_rng(0).random((samples, length, heads, length), np.float32)
        kept = (draws >= np.float32(rate)) / (1.0 - rate)
        qkv = x[0] @ w["in_proj_weight"] + w.get("in_proj_bias", 0.0)
        mixed = np.zeros(x[0].shape)
        for n, head, at in np.ndindex(samples, heads, length):
            q, k, v = np.split(qkv[n].reshape(length, 3 * heads, -1), 3, axis=1)
            seen = [j for j in range(length) if not (hidden[n, j] or (causal and j > at))]
            score = np.array([q[at, head] @ k[j, head] for j in seen]) / np.sqrt(q.shape[-1])
            p = np.exp(score) / np.exp(score).sum() * kept[n, seen, head, at]
            out = slice(head * v.shape[-1], (head + 1) * v.shape[-1])
            mixed[n, at, out] = p @ v[seen, head]
        return mixed @ w["out_proj_weight"] + w.get("out_proj_bias", 0.0)

    return formula


def attention_cases() -> list[Case]:
    """Rows of multi_head_attention: heads, masks, dropout, one position, one channel."""
    rows: list[tuple[tuple[int, int], int, float, bool, bool]] = [
        ((3, 4), 2, 0.0, True, False),
        ((3, 4), 4, 0.0, False, False),
        ((1, 2), 1, 0.0, True, False),
        ((2, 1), 1, 0.0, True, False),
        ((5, 3), 1, 0.0, True, True),
        ((3, 6), 3, 0.4, True, False),
        ((3, 2), 2, 0.4, False, True),
    ]
    cases = []
    for shape, heads, rate, bias, causal in rows:
        layer = LAYERS["multi_head_attention"](heads, rate, bias, causal, NORMAL)
        formula, x = attention(heads, causal, rate), Given(shape)
        paddings = (Given(shape[:1], bits), Given(shape[:1], below(2), integer=True))
        inputs = ((x,), *((x, padding) for padding in paddings))
        cases += [Case("multi_head_attention", layer, given, formula) for given in inputs]
    return cases


# --- sequences --------------------------------------------------------------------------------


def patches(size: int) -> Formula:
    """A square at a time."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        _, height, width, _ = x[0].shape
        squares = [
            x[0][:, top : top + size, left : left + size].reshape(len(x[0]), -1)
            for top in range(0, height, size)
            for left in range(0, width, size)
        ]
        return np.stack(squares, axis=1)

    return formula


def with_token(x: list[Array], w: dict[str, Array]) -> Array:
    """The token, then the sequence."""
    return np.stack([np.vstack([w["token"], sample]) for sample in x[0]])


def waves(x: list[Array], w: dict[str, Array]) -> Array:
    """A position and a channel at a time."""
    y = x[0].copy()
    for position, channel in np.ndindex(*y.shape[1:]):
        wave = np.cos if channel % 2 else np.sin
        power = (channel - channel % 2) / y.shape[2]
        y[:, position, channel] += wave(position / 10000.0**power)
    return y


def sequence_cases() -> list[Case]:
    """Rows of patches, class_token and positional_embedding."""
    cases = []
    for shape, size in (((4, 4, 1), 2), ((2, 6, 3), 2), ((3, 3, 2), 3), ((2, 1, 1), 1)):
        cases.append(Case("patches", LAYERS["patches"](size), (Given(shape),), patches(size)))
    for shape in ((3, 4), (1, 1), (2, 1), (1, 5)):
        given = (Given(shape),)
        cases.append(Case("class_token", LAYERS["class_token"](NORMAL), given, with_token))
        entry = "positional_embedding"
        learned, fixed = LAYERS[entry]("learned", NORMAL), LAYERS[entry]("sinusoidal")
        cases.append(Case(entry, learned, given, lambda x, w: x[0] + w["weight"]))
        cases.append(Case(entry, fixed, given, waves))
    return cases


def reducing_cases() -> list[Case]:
    """Rows of select, mean and multiply."""
    cases = []
    for shape, index, axis in (
        ((4,), 0, 0),
        ((3, 2), -1, 0),
        ((3, 2), 1, -1),
        ((2, 3, 2), 2, 1),
        ((1, 1), 0, 0),
    ):
        rows = lambda x, w, i=index, a=axis: np.stack([np.take(s, i, a) for s in x[0]])  # noqa: E731
        cases.append(Case("select", LAYERS["select"](index, axis), (Given(shape),), rows))
    for shape, axis in (
        ((3, 2), 0),
        ((3, 2), -1),
        ((5,), 0),
        ((1, 4), 0),
        ((2, 3, 4), (0, 1)),
        ((2, 3, 4), (-1, 1)),
        ((2, 3, 4), 1),
        ((2, 2), (0, 1)),
    ):
        means = lambda x, w, a=axis: np.stack([np.mean(s, a) for s in x[0]])  # noqa: E731
        cases.append(Case("mean", LAYERS["mean"](axis), (Given(shape),), means))
    for shape in ((4,), (1,), (2, 3), ()):
        for count in (2, 3, 4):
            given = (Given(shape),) * count
            layer = LAYERS["multiply"]()
            cases.append(Case("multiply", layer, given, lambda x, w: np.prod(x, 0)))
    return cases


def film(x: list[Array], w: dict[str, Array]) -> Array:
    """γ(c)·x + β(c), sample by sample."""
    return np.stack([
        (c @ w["scale_weight"] + w["scale_bias"]) * values + c @ w["shift_weight"] + w["shift_bias"]
        for values, c in zip(*x, strict=True)
    ])  # fmt: skip


def film_cases() -> list[Case]:
    """Rows of film: vectors, sequences, images, single channels and conditions."""
    shapes: list[tuple[Shape, int]] = [((4,), 3), ((1,), 1), ((3, 2), 2), ((2, 3, 2), 1)]
    layer = LAYERS["film"]
    return [
        Case("film", layer(Normal(0.5)), (Given(shape), Given((size,))), film)
        for shape, size in shapes
    ]


def norm_and_attention_cases() -> list[Case]:
    """Rows of all these families."""
    return [
        *norm_cases(),
        *dropout_cases(),
        *embedding_cases(),
        *attention_cases(),
        *sequence_cases(),
        *reducing_cases(),
        *film_cases(),
    ]
