"""The table of layers and losses: inputs of unusual shapes, and the formula of each in float64.

`test_table.py`, `test_float32.py` and `test_declarations.py` check every row. A test fails for a
registered entry without rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from ldl.arrays import Array, Shape
from ldl.engine.init import Normal
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES

Draw = Callable[[np.random.Generator, Shape], Array]


def standard_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Standard normal."""
    return rng.normal(size=shape)


def away_from_zero(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal, but at least 0.1 from the kink at 0."""
    values = rng.normal(size=shape)
    return values + np.where(values < 0, -0.1, 0.1)


def probabilities(rng: np.random.Generator, shape: Shape) -> Array:
    """Probabilities from 0.05 to 0.95."""
    return rng.uniform(0.05, 0.95, shape)


def zeros_and_ones(rng: np.random.Generator, shape: Shape) -> Array:
    """0.0 or 1.0."""
    return rng.integers(2, size=shape).astype(float)


def large_values(rng: np.random.Generator, shape: Shape) -> Array:
    """Around 300, where an exponential overflows float32."""
    return 300.0 + rng.normal(size=shape)


def one_hot(rng: np.random.Generator, shape: Shape) -> Array:
    """Rows with a single 1."""
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[0])]


def class_indices(classes: int) -> Draw:
    """Class indices 0 … classes − 1."""
    return lambda rng, shape: rng.integers(classes, size=shape)


def one_class(label: int) -> Draw:
    """A batch of one class."""
    return lambda rng, shape: np.full(shape, label)


@dataclass(frozen=True)
class Input:
    """One input of a case: the shape of a sample, and how its values are drawn."""

    shape: Shape
    draw: Draw = standard_normal
    integer: bool = False

    @property
    def spec(self) -> TensorSpec:
        """The input's specification in a graph."""
        return TensorSpec(self.shape, self.integer)

    def values(self, rng: np.random.Generator, samples: int) -> Array:
        """(samples, *shape): float64, or int64 for class indices."""
        array = self.draw(rng, (samples, *self.shape))
        return array.astype(np.int64 if self.integer else np.float64)


@dataclass(frozen=True)
class Case:
    """A row: a layer or loss, its inputs, and and y by its formula from inputs and weights."""

    entry: str
    layer: Layer
    inputs: tuple[Input, ...]
    formula: Callable[[list[Array], dict[str, Array]], Array]

    def __str__(self) -> str:
        shapes = "-".join("x".join(map(str, g.shape)) or "one" for g in self.inputs)
        draws = "-".join(g.draw.__qualname__.split(".")[0] for g in self.inputs)
        options = [v for v in vars(self.layer).values() if isinstance(v, int | str | tuple)]
        return "_".join([self.entry, shapes, draws, *map(str, options)]).replace(" ", "")


# --- layers -----------------------------------------------------------------------------------


def linear(x: list[Array], w: dict[str, Array]) -> Array:
    """Σ_i x_i w_io + b_o, without a matrix product."""
    y = (x[0][..., :, None] * w["weight"]).sum(axis=-2)
    return y + w.get("bias", 0.0)


def map_values(f: Callable[[Array], Array]) -> Callable[[list[Array], dict[str, Array]], Array]:
    """The formula that applies f to each value."""
    return lambda x, w: f(x[0])


ELEMENTWISE: dict[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "tanh": lambda x: 1.0 - 2.0 / (np.exp(2.0 * x) + 1.0),
    "sigmoid": special.expit,
    "relu": lambda x: np.where(x > 0, x, 0.0),
}


def layer_cases() -> list[Case]:
    """Rows for every layer."""
    normal = Normal(0.5)
    cases = []
    for shape, units in (((5,), 3), ((1,), 4), ((4,), 1), ((1,), 1), ((3, 4), 2), ((2, 3, 2), 5)):
        for bias in (True, False):
            layer = LAYERS["linear"](units, bias, normal, normal)
            cases.append(Case("linear", layer, (Input(shape),), linear))
    for entry, f in ELEMENTWISE.items():
        cases += [
            Case(entry, LAYERS[entry](), (Input(shape, away_from_zero),), map_values(f))
            for shape in ((6,), (1,), (2, 3, 2), ())
        ]
    for slope in (0.01, 0.3, 0.0):
        leaky = map_values(lambda x, s=slope: np.where(x > 0, x, s * x))
        for shape in ((5,), (1,), (2, 3)):
            layer = LAYERS["leaky_relu"](slope)
            cases.append(Case("leaky_relu", layer, (Input(shape, away_from_zero),), leaky))
    for case_input in (
        Input((5,)),
        Input((1,)),
        Input((2, 3)),
        Input((2, 2, 3)),
        Input((4,), large_values),
    ):
        softmax = map_values(lambda x: special.softmax(x, axis=-1))
        cases.append(Case("softmax", LAYERS["softmax"](), (case_input,), softmax))
    for shape in ((4,), (1,), (2, 3), ()):
        for count in (2, 3, 5):
            layer = LAYERS["add"]()
            cases.append(Case("add", layer, (Input(shape),) * count, lambda x, w: np.sum(x, 0)))
    return cases + concat_cases() + shape_cases()


def concat_cases() -> list[Case]:
    """Rows for concat; axes are counted without that of the samples."""
    rows: list[tuple[int, tuple[Shape, ...]]] = [
        (-1, ((3,), (2,))),
        (0, ((1,), (1,))),
        (-1, ((2, 3), (2, 1))),
        (0, ((2, 3), (1, 3), (4, 3))),
        (1, ((2, 3, 2), (2, 1, 2), (2, 2, 2))),
        (-3, ((2, 3, 2), (1, 3, 2))),
        (2, ((1, 1, 2), (1, 1, 3))),
    ]
    return [
        Case(
            "concat",
            LAYERS["concat"](axis),
            tuple(map(Input, shapes)),
            lambda x, w, a=axis: np.stack([np.concatenate(s, a) for s in zip(*x, strict=True)]),
        )
        for axis, shapes in rows
    ]


def shape_cases() -> list[Case]:
    """Rows for flatten and reshape."""
    cases = []
    for shape in ((4,), (2, 3), (2, 1, 3), ()):
        rows = map_values(lambda x: np.stack([row.ravel() for row in x]))
        cases.append(Case("flatten", LAYERS["flatten"](), (Input(shape),), rows))
    for old_shape, shape, new_shape in (
        ((6,), (2, 3), (2, 3)),
        ((6,), (-1, 2), (3, 2)),
        ((2, 3), (-1,), (6,)),
        ((2, 2, 3), (3, -1, 1), (3, 4, 1)),
        ((1,), (1, -1, 1), (1, 1, 1)),
    ):
        rows = map_values(lambda x, s=new_shape: np.stack([row.reshape(s) for row in x]))
        cases.append(Case("reshape", LAYERS["reshape"](shape), (Input(old_shape),), rows))
    return cases


# --- losses -----------------------------------------------------------------------------------


def flat_rows(x: list[Array]) -> tuple[Array, Array]:
    """Prediction and target, both (N, F); class indices become one-hot rows, or one column."""
    p = x[0].reshape(len(x[0]), -1)
    if x[1].dtype.kind == "f":
        return p, x[1].reshape(p.shape)
    return p, (x[1][:, None] if p.shape[1] == 1 else np.eye(p.shape[1])[x[1]]).astype(float)


DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "mse": lambda p, t: (p - t) ** 2,
    "mae": lambda p, t: np.where(p > t, p - t, t - p),
    "rmse": lambda p, t: (p - t) ** 2,
    "bce": lambda p, t: np.log(1 / p) * t + np.log(1 / (1 - p)) * (1 - t),
}


def distance(entry: str, reduction: str) -> Callable[[list[Array], dict[str, Array]], Array]:
    """Mean or sum of the distances of a sample, and its root for rmse."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        distances = DISTANCES[entry](*flat_rows(x))
        reduced = distances.mean(1) if reduction == "mean" else distances.sum(1)
        return np.sqrt(reduced) if entry == "rmse" else reduced

    return formula


def cross_entropy(x: list[Array], w: dict[str, Array]) -> Array:
    """−Σ_k t_k log softmax(z)_k."""
    z, t = flat_rows(x)
    return -(t * special.log_softmax(z, axis=1)).sum(1)


def loss_cases() -> list[Case]:
    """Rows for losses: targets as values and class indices, one column, one class."""
    cases = []
    for entry in DISTANCES:
        draw = probabilities if entry == "bce" else standard_normal
        for reduction in ("mean", "sum"):
            layer = LOSSES[entry](reduction)
            pairs = [(Input(s, draw), Input(s, draw)) for s in ((5,), (1,), (2, 3), ())]
            pairs += [(Input(s, draw), Input(s, zeros_and_ones)) for s in ((4,), (1,))]
            pairs += [
                (Input((4,), draw), Input((), class_indices(4), integer=True)),
                (Input((3,), draw), Input((), one_class(2), integer=True)),
                (Input((1,), draw), Input((), class_indices(2), integer=True)),
                (Input((1,), draw), Input((), one_class(1), integer=True)),
            ]
            if reduction == "sum":
                pairs = pairs[2::5]  # two axes; class indices
            cases += [Case(entry, layer, inputs, distance(entry, reduction)) for inputs in pairs]
    for logits, target in (
        (Input((2,)), Input((), class_indices(2), integer=True)),
        (Input((7,)), Input((), class_indices(7), integer=True)),
        (Input((3,)), Input((), one_class(0), integer=True)),
        (Input((3,)), Input((), one_class(2), integer=True)),
        (Input((4,), large_values), Input((), class_indices(4), integer=True)),
        (Input((3,)), Input((3,), one_hot)),
        (Input((4,)), Input((4,), probabilities)),
        (Input((2,), large_values), Input((2,), probabilities)),
    ):
        layer = LOSSES["cross_entropy"]()
        cases.append(Case("cross_entropy", layer, (logits, target), cross_entropy))
    return cases


from .table_activations_losses import activation_and_loss_cases  # noqa: E402 - it imports Case
from .table_conv import conv_cases  # noqa: E402 - it imports Case
from .table_norm import norm_and_attention_cases  # noqa: E402 - it imports Case
from .table_recurrent import recurrent_cases  # noqa: E402 - it imports Case

TABLE = [
    *layer_cases(),
    *loss_cases(),
    *conv_cases(),
    *activation_and_loss_cases(),
    *recurrent_cases(),
    *norm_and_attention_cases(),
]
