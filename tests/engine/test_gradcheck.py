"""The gradient check finds what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.gradcheck import gradcheck
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Call, Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.layers.activation import Tanh
from ldl.engine.layers.linear import Linear
from ldl.engine.losses import LOSSES

INPUTS = {"x": TensorSpec((5,)), "t": TensorSpec((3,))}


def batch(samples: int = 3) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(samples, *spec.shape)) for name, spec in INPUTS.items()}


def graph(first: Layer | None = None, second: Layer | None = None) -> Graph:
    places = [
        Node("a", first or Linear(3), ("x",)),
        Node("b", second or Tanh(), ("a",)),
    ]
    return Graph(INPUTS, places, [LossNode("loss", LOSSES["mse"](), ("b", "t"))])


@dataclass(frozen=True, eq=False)
class SlightlyWrong(Tanh):
    """A slope that is off by a thousandth."""

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from super().backward(ctx, scratch)
        yield partial(np.multiply, ctx.dx[0], 1.001, ctx.dx[0])


@dataclass(frozen=True, eq=False)
class ForgottenBias(Linear):
    """A bias whose gradient is never written."""

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from super().backward(ctx, scratch)
        yield partial(ctx.dw["bias"].fill, 0.0)


@dataclass(frozen=True, eq=False)
class Dropping(Layer):
    """Random, with a state that moves at every forward: both are rewound by the check."""

    state: dict[str, Array] = field(default_factory=lambda: {"count": np.zeros(1)})

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        return LayerPlan(y=x[0].shape, state=self.state)

    def prepare(self, ctx: Context) -> Array:
        return np.empty_like(ctx.y)

    def forward(self, ctx: Context, scratch: Array) -> Iterator[Call]:
        def drop() -> None:
            ctx.state["count"] += 1.0
            scratch[...] = ctx.rng.integers(2, size=ctx.y.shape) * ctx.state["count"]
            np.multiply(ctx.x[0], scratch, ctx.y)

        yield drop

    def backward(self, ctx: Context, scratch: Array) -> Iterator[Call]:
        yield partial(np.multiply, ctx.dy, scratch, ctx.dx[0])


def test_right_gradients_pass() -> None:
    rows = gradcheck(graph(), batch(), input_gradients=True)
    assert [(row.name, row.checked, row.size) for row in rows] == [
        ("a.weight", 15, 15),
        ("a.bias", 3, 3),
        ("input x", 15, 15),
    ]
    assert max(row.error for row in rows) < 1e-7


def test_a_slope_off_by_a_thousandth_is_found() -> None:
    rows = gradcheck(graph(second=SlightlyWrong()), batch(), input_gradients=True)
    assert all(0.9e-3 < row.error < 1.1e-3 for row in rows)


def test_a_forgotten_gradient_is_found_and_named() -> None:
    errors = {row.name: row.error for row in gradcheck(graph(ForgottenBias(3)), batch())}
    assert errors["a.bias"] == pytest.approx(1.0)
    assert errors["a.weight"] < 1e-7


def test_random_layers_draw_the_same_at_every_pass() -> None:
    places = [*graph().nodes, Node("c", Dropping(), ("b",))]
    checked = Graph(INPUTS, places, [LossNode("loss", LOSSES["mse"](), ("c", "t"))])
    assert max(row.error for row in gradcheck(checked, batch(), seed=3)) < 1e-6


def test_few_entries_are_drawn_from_the_seed() -> None:
    wide = graph(LAYERS["linear"](3))
    one, two = gradcheck(wide, batch(), 0, entries=4), gradcheck(wide, batch(), 0, entries=4)
    assert one == two
    assert [row.checked for row in one] == [4, 3]


def test_a_gradient_that_vanishes_is_not_taken_for_a_wrong_one() -> None:
    """Softmax does not feel a shift of its row: what is left of the difference is rounding."""
    places = [
        Node("a", Linear(1), ("x",)),
        Node("b", LAYERS["concat"](), ("a", "a", "a")),
        Node("c", LAYERS["softmax"](), ("b",)),
    ]
    checked = Graph(INPUTS, places, [LossNode("loss", LOSSES["mse"](), ("c", "t"), 1000.0)])
    assert max(row.error for row in gradcheck(checked, batch())) < 1e-6
