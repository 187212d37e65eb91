"""The gradient check accepts right gradients and finds wrong ones."""

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
    nodes = [
        Node("a", first or Linear(3), ("x",)),
        Node("b", second or Tanh(), ("a",)),
    ]
    return Graph(INPUTS, nodes, [LossNode("loss", LOSSES["mse"](), ("b", "t"))])


@dataclass(frozen=True, eq=False)
class ScaledSlope(Tanh):
    """A layer with a slope 1.001 times too large."""

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from super().backward(ctx, scratch)
        yield partial(np.multiply, ctx.dx[0], 1.001, ctx.dx[0])


@dataclass(frozen=True, eq=False)
class MissingBiasGradient(Linear):
    """A layer without the gradient of its bias."""

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from super().backward(ctx, scratch)
        yield partial(ctx.dw["bias"].fill, 0.0)


@dataclass(frozen=True, eq=False)
class RandomLayer(Layer):
    """A layer with random factors, and with a state that changes at each forward."""

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


def test_right_gradients_have_small_errors() -> None:
    rows = gradcheck(graph(), batch(), input_gradients=True)
    assert [(row.name, row.checked, row.size) for row in rows] == [
        ("a.weight", 15, 15),
        ("a.bias", 3, 3),
        ("input x", 15, 15),
    ]
    assert max(row.error for row in rows) < 1e-7


def test_a_slope_off_by_a_thousandth_has_that_error() -> None:
    rows = gradcheck(graph(second=ScaledSlope()), batch(), input_gradients=True)
    assert all(0.9e-3 < row.error < 1.1e-3 for row in rows)


def test_a_missing_gradient_has_error_one() -> None:
    errors = {row.name: row.error for row in gradcheck(graph(MissingBiasGradient(3)), batch())}
    assert errors["a.bias"] == pytest.approx(1.0)
    assert errors["a.weight"] < 1e-7


def test_random_streams_and_state_are_restored_before_each_pass() -> None:
    nodes = [*graph().nodes, Node("c", RandomLayer(), ("b",))]
    checked = Graph(INPUTS, nodes, [LossNode("loss", LOSSES["mse"](), ("c", "t"))])
    assert max(row.error for row in gradcheck(checked, batch(), seed=3)) < 1e-6


def test_checked_entries_are_drawn_from_the_seed() -> None:
    linear_graph = graph(LAYERS["linear"](3))
    first, second = (
        gradcheck(linear_graph, batch(), 0, entries=4),
        gradcheck(linear_graph, batch(), 0, entries=4),
    )
    assert first == second
    assert [row.checked for row in first] == [4, 3]


def test_a_gradient_of_zero_has_a_small_error() -> None:
    """Softmax of equal logits is constant, so that differences are rounding alone."""
    nodes = [
        Node("a", Linear(1), ("x",)),
        Node("b", LAYERS["concat"](), ("a", "a", "a")),
        Node("c", LAYERS["softmax"](), ("b",)),
    ]
    checked = Graph(INPUTS, nodes, [LossNode("loss", LOSSES["mse"](), ("c", "t"), 1000.0)])
    assert max(row.error for row in gradcheck(checked, batch())) < 1e-6
