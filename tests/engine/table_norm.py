"""Rows for normalisation, dropout, embedding, attention, sequences, reductions and film."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.init import Normal
from ldl.engine.layers import LAYERS

from .table import Case, Input, class_indices, standard_normal, zeros_and_ones

Formula = Callable[[list[Array], dict[str, Array]], Array]
NORMAL = Normal(0.5)


def whole_numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Whole numbers 0 … 4, as floating-point numbers."""
    return rng.integers(5, size=shape).astype(float)


def offset_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Mean 30 and variance 1: E[x²] − μ² would lose digits."""
    return 30.0 + rng.normal(size=shape)


def normalize(x: Array, axes: tuple[int, ...] | int, epsilon: float) -> Array:
    """(x − mean) / √(variance + ε)."""
    mean = x.mean(axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def batch_norm(epsilon: float) -> Formula:
    """Over all axes but the last."""
    return lambda x, w: (
        normalize(x[0], tuple(range(x[0].ndim - 1)), epsilon) * w["weight"] + w["bias"]
    )


def layer_norm(epsilon: float) -> Formula:
    """Over the last axis."""
    return lambda x, w: normalize(x[0], -1, epsilon) * w["weight"] + w["bias"]


def norm_cases() -> list[Case]:
    """Rows of batch_norm and layer_norm."""
    cases = []
    for shape, draw in (
        ((5,), standard_normal),
        ((1,), standard_normal),
        ((3, 2), standard_normal),
        ((3, 1), standard_normal),
        ((5, 3, 4), standard_normal),
        ((3, 4), offset_normal),
    ):
        for epsilon in (1e-5, 0.1):
            inputs = (Input(shape, draw),)
            layer = LAYERS["batch_norm"](epsilon=epsilon)
            cases.append(Case("batch_norm", layer, inputs, batch_norm(epsilon)))
            layer = LAYERS["layer_norm"](epsilon)
            cases.append(Case("layer_norm", layer, inputs, layer_norm(epsilon)))
    return cases


def dropout(rate: float) -> Formula:
    """With the draws of generator 0, one float32 for each value."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        draws = np.random.default_rng(0).random(x[0].shape, np.float32)
        return np.where(draws < np.float32(rate), 0.0, x[0] / (1.0 - rate))

    return formula


def dropout_cases() -> list[Case]:
    """Rows of dropout."""
    return [
        Case("dropout", LAYERS["dropout"](rate), (Input(shape),), dropout(rate))
        for rate in (0.5, 0.1, 0.0)
        for shape in ((5,), (2, 3), (1,), ())
    ]


def lookup(x: list[Array], w: dict[str, Array]) -> Array:
    """The row of the weights for each index."""
    return np.stack([w["weight"][int(k)] for k in x[0].ravel()]).reshape(*x[0].shape, -1)


def embedding_cases() -> list[Case]:
    """Rows of embedding: indices as integers and as floating-point numbers."""
    cases = []
    for units in (3, 1):
        for shape in ((4,), (1,), (2, 3), ()):
            layer = LAYERS["embedding"](units, 5, NORMAL)
            index_inputs = (
                Input(shape, class_indices(5), integer=True),
                Input(shape, whole_numbers),
            )
            cases += [Case("embedding", layer, (x,), lookup) for x in index_inputs]
    return cases


# --- attention --------------------------------------------------------------------------------


def attention(heads: int, causal: bool, rate: float = 0.0) -> Formula:
    """Attention for each sample, head and query; x[1] is 1 at padding."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        samples, length, _ = x[0].shape
        masked = x[1] > 0.5 if len(x) == 2 else np.zeros((samples, length), bool)
        draws = np.random.default_rng(0).random((samples, length, heads, length), np.float32)
        dropout_scale = (draws >= np.float32(rate)) / (1.0 - rate)
        qkv = x[0] @ w["in_proj_weight"] + w.get("in_proj_bias", 0.0)
        heads_output = np.zeros(x[0].shape)
        for n, head, query in np.ndindex(samples, heads, length):
            q, k, v = np.split(qkv[n].reshape(length, 3 * heads, -1), 3, axis=1)
            visible = [j for j in range(length) if not (masked[n, j] or (causal and j > query))]
            score = np.array([q[query, head] @ k[j, head] for j in visible]) / np.sqrt(q.shape[-1])
            p = np.exp(score) / np.exp(score).sum() * dropout_scale[n, visible, head, query]
            out = slice(head * v.shape[-1], (head + 1) * v.shape[-1])
            heads_output[n, query, out] = p @ v[visible, head]
        return heads_output @ w["out_proj_weight"] + w.get("out_proj_bias", 0.0)

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
        formula, x = attention(heads, causal, rate), Input(shape)
        paddings = (
            Input(shape[:1], zeros_and_ones),
            Input(shape[:1], class_indices(2), integer=True),
        )
        input_rows = ((x,), *((x, padding) for padding in paddings))
        cases += [Case("multi_head_attention", layer, inputs, formula) for inputs in input_rows]
    return cases


# --- sequences --------------------------------------------------------------------------------


def patches(size: int) -> Formula:
    """Squares of `size` by `size` pixels, row by row."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        _, height, width, _ = x[0].shape
        squares = [
            x[0][:, top : top + size, left : left + size].reshape(len(x[0]), -1)
            for top in range(0, height, size)
            for left in range(0, width, size)
        ]
        return np.stack(squares, axis=1)

    return formula


def prepend_token(x: list[Array], w: dict[str, Array]) -> Array:
    """The token and the sequence."""
    return np.stack([np.vstack([w["token"], sample]) for sample in x[0]])


def add_sinusoids(x: list[Array], w: dict[str, Array]) -> Array:
    """Sinusoidal positions, for each position and channel."""
    y = x[0].copy()
    for position, channel in np.ndindex(*y.shape[1:]):
        function = np.cos if channel % 2 else np.sin
        power = (channel - channel % 2) / y.shape[2]
        y[:, position, channel] += function(position / 10000.0**power)
    return y


def sequence_cases() -> list[Case]:
    """Rows of patches, class_token and positional_embedding."""
    cases = []
    for shape, size in (((4, 4, 1), 2), ((2, 6, 3), 2), ((3, 3, 2), 3), ((2, 1, 1), 1)):
        cases.append(Case("patches", LAYERS["patches"](size), (Input(shape),), patches(size)))
    for shape in ((3, 4), (1, 1), (2, 1), (1, 5)):
        inputs = (Input(shape),)
        cases.append(Case("class_token", LAYERS["class_token"](NORMAL), inputs, prepend_token))
        entry = "positional_embedding"
        learned_layer, sinusoidal_layer = (
            LAYERS[entry]("learned", NORMAL),
            LAYERS[entry]("sinusoidal"),
        )
        cases.append(Case(entry, learned_layer, inputs, lambda x, w: x[0] + w["weight"]))
        cases.append(Case(entry, sinusoidal_layer, inputs, add_sinusoids))
    return cases


def reduction_cases() -> list[Case]:
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
        cases.append(Case("select", LAYERS["select"](index, axis), (Input(shape),), rows))
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
        cases.append(Case("mean", LAYERS["mean"](axis), (Input(shape),), means))
    for shape in ((4,), (1,), (2, 3), ()):
        for count in (2, 3, 4):
            inputs = (Input(shape),) * count
            layer = LAYERS["multiply"]()
            cases.append(Case("multiply", layer, inputs, lambda x, w: np.prod(x, 0)))
    return cases


def film(x: list[Array], w: dict[str, Array]) -> Array:
    """γ(c)·x + β(c), sample by sample."""
    return np.stack([
        (c @ w["scale_weight"] + w["scale_bias"]) * values + c @ w["shift_weight"] + w["shift_bias"]
        for values, c in zip(*x, strict=True)
    ])  # fmt: skip


def film_cases() -> list[Case]:
    """Rows of film: vectors, sequences, images; one channel, one condition."""
    shapes: list[tuple[Shape, int]] = [((4,), 3), ((1,), 1), ((3, 2), 2), ((2, 3, 2), 1)]
    layer = LAYERS["film"]
    return [
        Case("film", layer(Normal(0.5)), (Input(shape), Input((size,))), film)
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
        *reduction_cases(),
        *film_cases(),
    ]
