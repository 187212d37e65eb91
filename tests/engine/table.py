"""The one table of layers and losses: odd shapes, and what each should compute, written plainly.

`test_table.py` runs every row through every check; an entry of a registry without rows fails.
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


def plain(rng: np.random.Generator, shape: Shape) -> Array:
    """Standard normal."""
    return rng.normal(size=shape)


def kinked(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal, but at least 0.1 from the kink at 0."""
    values = rng.normal(size=shape)
    return values + np.where(values < 0, -0.1, 0.1)


def shares(rng: np.random.Generator, shape: Shape) -> Array:
    """Well within (0, 1)."""
    return rng.uniform(0.05, 0.95, shape)


def bits(rng: np.random.Generator, shape: Shape) -> Array:
    """0.0 or 1.0."""
    return rng.integers(2, size=shape).astype(float)


def far(rng: np.random.Generator, shape: Shape) -> Array:
    """Around 300: an exponential of it would overflow float32."""
    return 300.0 + rng.normal(size=shape)


def one_hot(rng: np.random.Generator, shape: Shape) -> Array:
    """A single 1 a row."""
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[0])]


def below(classes: int) -> Draw:
    """Class indices 0 … classes − 1."""
    return lambda rng, shape: rng.integers(classes, size=shape)


def always(label: int) -> Draw:
    """A batch that holds one class alone."""
    return lambda rng, shape: np.full(shape, label)


@dataclass(frozen=True)
class Given:
    """One input of a row: a sample's shape and how values are drawn."""

    shape: Shape
    draw: Draw = plain
    integer: bool = False

    @property
    def spec(self) -> TensorSpec:
        """What the graph is told."""
        return TensorSpec(self.shape, self.integer)

    def values(self, rng: np.random.Generator, samples: int) -> Array:
        """(samples, *shape): float64, or int64 for class indices."""
        drawn = self.draw(rng, (samples, *self.shape))
        return drawn.astype(np.int64 if self.integer else np.float64)


@dataclass(frozen=True)
class Case:
    """A row: the layer or loss, its inputs, and y from (inputs, weights) in plain float64."""

    entry: str
    layer: Layer
    inputs: tuple[Given, ...]
    formula: Callable[[list[Array], dict[str, Array]], Array]

    def __str__(self) -> str:
        shapes = "-".join("x".join(map(str, g.shape)) or "one" for g in self.inputs)
        draws = "-".join(g.draw.__qualname__.split(".")[0] for g in self.inputs)
        options = [v for v in vars(self.layer).values() if isinstance(v, int | str | tuple)]
        return "_".join([self.entry, shapes, draws, *map(str, options)]).replace(" ", "")


# --- layers -----------------------------------------------------------------------------------


def linear(x: list[Array], w: dict[str, Array]) -> Array:
    """Σ_i x_i w_io + b_o, with no product of matrices."""
    y = (x[0][..., :, None] * w["weight"]).sum(axis=-2)
    return y + w.get("bias", 0.0)


def map_values(f: Callable[[Array], Array]) -> Callable[[list[Array], dict[str, Array]], Array]:
    """A formula on each value alone."""
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
            cases.append(Case("linear", layer, (Given(shape),), linear))
    for entry, f in ELEMENTWISE.items():
        cases += [
            Case(entry, LAYERS[entry](), (Given(shape, kinked),), map_values(f))
            for shape in ((6,), (1,), (2, 3, 2), ())
        ]
    for slope in (0.01, 0.3, 0.0):
        leaky = map_values(lambda x, s=slope: np.where(x > 0, x, s * x))
        for shape in ((5,), (1,), (2, 3)):
            layer = LAYERS["leaky_relu"](slope)
            cases.append(Case("leaky_relu", layer, (Given(shape, kinked),), leaky))
    for given in (Given((5,)), Given((1,)), Given((2, 3)), Given((2, 2, 3)), Given((4,), far)):
        softmax = map_values(lambda x: special.softmax(x, axis=-1))
        cases.append(Case("softmax", LAYERS["softmax"](), (given,), softmax))
    for shape in ((4,), (1,), (2, 3), ()):
        for count in (2, 3, 5):
            layer = LAYERS["add"]()
            cases.append(Case("add", layer, (Given(shape),) * count, lambda x, w: np.sum(x, 0)))
    return cases + joining_cases() + renaming_cases()


def joining_cases() -> list[Case]:
    """Rows for concat: an axis is counted without the samples' one."""
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
            tuple(map(Given, shapes)),
            lambda x, w, a=axis: np.stack([np.concatenate(s, a) for s in zip(*x, strict=True)]),
        )
        for axis, shapes in rows
    ]


def renaming_cases() -> list[Case]:
    """Rows for flatten and reshape."""
    cases = []
    for shape in ((4,), (2, 3), (2, 1, 3), ()):
        rows = map_values(lambda x: np.stack([row.ravel() for row in x]))
        cases.append(Case("flatten", LAYERS["flatten"](), (Given(shape),), rows))
    for old, setting, new in (
        ((6,), (2, 3), (2, 3)),
        ((6,), (-1, 2), (3, 2)),
        ((2, 3), (-1,), (6,)),
        ((2, 2, 3), (3, -1, 1), (3, 4, 1)),
        ((1,), (1, -1, 1), (1, 1, 1)),
    ):
        rows = map_values(lambda x, s=new: np.stack([row.reshape(s) for row in x]))
        cases.append(Case("reshape", LAYERS["reshape"](setting), (Given(old),), rows))
    return cases


# --- losses -----------------------------------------------------------------------------------


def rows_of(x: list[Array]) -> tuple[Array, Array]:
    """Prediction and dense target, (N, F) both; a lone column takes indices as numbers."""
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
    """Mean or sum of the distances a sample, rooted at the end for rmse."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        each = DISTANCES[entry](*rows_of(x))
        total = each.mean(1) if reduction == "mean" else each.sum(1)
        return np.sqrt(total) if entry == "rmse" else total

    return formula


def cross_entropy(x: list[Array], w: dict[str, Array]) -> Array:
    """−Σ_k t_k log softmax(z)_k."""
    z, t = rows_of(x)
    return -(t * special.log_softmax(z, axis=1)).sum(1)


def loss_cases() -> list[Case]:
    """Rows for every loss: dense targets, class indices, a lone column, one class in the batch."""
    cases = []
    for entry in DISTANCES:
        drawn, dense = (shares, shares) if entry == "bce" else (plain, plain)
        for reduction in ("mean", "sum"):
            layer = LOSSES[entry](reduction)
            pairs = [(Given(s, drawn), Given(s, dense)) for s in ((5,), (1,), (2, 3), ())]
            pairs += [(Given(s, drawn), Given(s, bits)) for s in ((4,), (1,))]
            pairs += [
                (Given((4,), drawn), Given((), below(4), integer=True)),
                (Given((3,), drawn), Given((), always(2), integer=True)),
                (Given((1,), drawn), Given((), below(2), integer=True)),
                (Given((1,), drawn), Given((), always(1), integer=True)),
            ]
            cases += [Case(entry, layer, pair, distance(entry, reduction)) for pair in pairs]
    for logits, target in (
        (Given((2,)), Given((), below(2), integer=True)),
        (Given((7,)), Given((), below(7), integer=True)),
        (Given((3,)), Given((), always(0), integer=True)),
        (Given((3,)), Given((), always(2), integer=True)),
        (Given((4,), far), Given((), below(4), integer=True)),
        (Given((3,)), Given((3,), one_hot)),
        (Given((4,)), Given((4,), shares)),
        (Given((2,), far), Given((2,), shares)),
    ):
        layer = LOSSES["cross_entropy"]()
        cases.append(Case("cross_entropy", layer, (logits, target), cross_entropy))
    return cases


from .table_activations_losses import more_cases  # noqa: E402 - its rows are Cases
from .table_conv import conv_cases  # noqa: E402 - its rows are Cases
from .table_norm import norm_and_attention_cases  # noqa: E402 - its rows are Cases
from .table_recurrent import recurrent_cases  # noqa: E402 - its rows are Cases

TABLE = [
    *layer_cases(),
    *loss_cases(),
    *conv_cases(),
    *more_cases(),
    *recurrent_cases(),
    *norm_and_attention_cases(),
]
