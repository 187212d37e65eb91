"""What each layer and loss of the table declares for the memory planner is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.layer import Context
from ldl.engine.layers.activation import Tanh
from ldl.engine.losses import LOSSES

from . import naive
from .helpers import all_cases, all_settings, gradient_arrays, run_forward
from .table import TABLE, Case


def gradients_without(case: Case, overwritten: frozenset[str]) -> dict[str, Array]:
    """Gradients where the named arrays hold NaN, or class 0, after forward."""
    layer_step = run_forward(case, 3, np.float64)
    ctx = layer_step.ctx
    if "x" in overwritten:
        for x in ctx.x:
            x.fill(0 if x.dtype.kind == "i" else np.nan)
    if "y" in overwritten:
        ctx.y.fill(np.nan)
    with np.errstate(all="ignore"):
        layer_step.backward()
    return gradient_arrays(ctx)


@all_cases
def test_backward_reads_only_declared_arrays(case: Case) -> None:
    """Arrays that are not declared change no gradient."""
    declared = case.layer.backward_reads
    expected = gradients_without(case, frozenset())
    for name, gradient in gradients_without(case, frozenset({"x", "y"}) - declared).items():
        np.testing.assert_array_equal(gradient, expected[name], err_msg=name)


@pytest.mark.parametrize("entry", sorted({case.entry for case in TABLE}))
def test_backward_reads_every_declared_array(entry: str) -> None:
    rows = [case for case in TABLE if case.entry == entry]
    for declared in rows[0].layer.backward_reads:
        gradients_without_it = [gradients_without(case, frozenset({declared})) for case in rows]
        all_gradients = [gradients_without(case, frozenset()) for case in rows]
        assert any(
            not np.array_equal(gradient, gradients[name])
            for result, gradients in zip(gradients_without_it, all_gradients, strict=True)
            for name, gradient in result.items()
        ), declared


@pytest.mark.parametrize("case", [c for c in TABLE if c.layer.in_place], ids=str)
@pytest.mark.parametrize("samples", [1, 3])
def test_an_in_place_layer_gives_the_same_numbers(case: Case, samples: int) -> None:
    """∂x[0] shares the memory of ∂y, and y that of x[0] unless backward reads x."""
    separate = run_forward(case, samples, np.float64)
    ctx = separate.ctx
    expected = (
        ctx.y.copy(),
        {name: g.copy() for name, g in gradients_after_backward(separate).items()},
    )
    y = ctx.y if "x" in case.layer.backward_reads else ctx.x[0].reshape(ctx.y.shape)
    dy = ctx.dy.copy()
    dx = (dy.reshape(ctx.x[0].shape), *ctx.dx[1:])
    rng = np.random.default_rng(0)
    shared = Context(ctx.x, y, dx, dy, ctx.w, ctx.dw, ctx.state, ctx.buffers, rng, ctx.training)
    layer_step = naive.LayerStep(case.layer, shared)
    for call in layer_step._forward:
        call()
    np.testing.assert_array_equal(y, expected[0])
    for call in layer_step._backward:
        call()
    for name, gradient in gradient_arrays(shared).items():
        np.testing.assert_array_equal(gradient, expected[1][name], err_msg=name)


def gradients_after_backward(layer_step: naive.LayerStep) -> dict[str, Array]:
    """The gradients after backward."""
    layer_step.backward()
    return gradient_arrays(layer_step.ctx)


@all_settings
def test_layers_without_calls_are_declared_views(case: Case) -> None:
    """A layer without calls is a view, with as many values as x."""
    layer_step = run_forward(case, 3, np.float64)
    assert case.layer.view == (not layer_step._forward)
    if case.layer.view:
        assert not layer_step._backward and layer_step.ctx.y.size == layer_step.ctx.x[0].size


@dataclass(frozen=True, eq=False)
class UndeclaredRead(Tanh):
    """A layer whose backward reads y without a declaration."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, eq=False)
class NeedlessDeclaration(Tanh):
    """A layer that declares x, which backward does not read."""

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x", "y"})


def test_wrong_declarations_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    with pytest.raises(AssertionError):
        test_backward_reads_only_declared_arrays(
            Case("tanh", UndeclaredRead(), tanh.inputs, tanh.formula)
        )
    needless = Case("tanh", NeedlessDeclaration(), tanh.inputs, tanh.formula)
    monkeypatch.setattr(f"{__name__}.TABLE", [needless])
    with pytest.raises(AssertionError, match="x"):
        test_backward_reads_every_declared_array("tanh")


@pytest.mark.parametrize("name", LOSSES)
def test_a_single_output_means_class_1_above_its_threshold(name: str) -> None:
    """One half of a probability, 0 of a logit or score."""
    scores = ("bce_with_logits", "cross_entropy", "nll", "kl_divergence", "hinge")
    assert LOSSES[name]().decision_threshold == (0.0 if name in scores else 0.5)
