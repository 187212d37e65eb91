"""Recurrent layers: shape errors, saturated gates, the last state."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.init import Normal
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.errors import ShapeError

from .naive import LayerStep, fresh_layer_step

KINDS = ["rnn", "gru", "lstm"]


def run(kind: str, x: Array, scale: float = 0.5, **settings: bool) -> LayerStep:
    """The layer after forward and backward, with equal weights for equal scales."""
    layer = LAYERS[kind](4, init=Normal(scale), bias_init=Normal(scale), **settings)
    plan, rng = layer.plan((TensorSpec(x.shape[1:]),)), np.random.default_rng(5)
    w = {k: v.init.draw(v.shape, v.fans, rng).astype(x.dtype) for k, v in plan.w.items()}
    step = fresh_layer_step(layer, plan, (x,), w)
    step.forward()
    step.ctx.dy[...] = 1.0
    step.backward()
    return step


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(64,), (), (8, 8, 1)])
def test_a_shape_that_is_no_sequence_is_an_error(kind: str, shape: tuple[int, ...]) -> None:
    message = "takes a sequence (L, C), got (" + ", ".join(map(str, shape)) + ")"
    with pytest.raises(ShapeError, match=re.escape(message)):
        LAYERS[kind](4).plan((TensorSpec(shape),))


@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_layers_have_no_mirror(kind: str) -> None:
    with pytest.raises(ShapeError, match="no mirror image"):
        LAYERS[kind](4).mirror(TensorSpec((3, 2)))


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_state_is_the_last_of_all_states(kind: str) -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 2))
    all_states, last = run(kind, x, return_sequences=True), run(kind, x)
    np.testing.assert_array_equal(last.ctx.y, all_states.ctx.y[:, -1])


@pytest.mark.parametrize("kind", KINDS)
def test_saturated_gates_give_finite_values_without_warnings(kind: str) -> None:
    """Gates around 1000, where an exponential overflows; warnings are errors."""
    x = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    step = run(kind, x, scale=1000.0)
    arrays = [step.ctx.y, step.ctx.dx[0], *step.ctx.dw.values()]
    assert all(np.isfinite(array).all() for array in arrays)
    assert np.abs(step.ctx.y).max() <= 1.0
