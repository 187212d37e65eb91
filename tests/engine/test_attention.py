"""Attention: masks, dropout, large scores; and embeddings of indices out of range."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.init import Normal
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS

from . import naive

L, C = 5, 4


def run(
    layer: Layer, *x: Array, training: bool = True, scale: float = 0.5, dtype: type = np.float64
) -> naive.LayerStep:
    """The layer after forward, with equal weights in each call."""
    plan = layer.plan(tuple(TensorSpec(a.shape[1:], a.dtype.kind == "i") for a in x))
    rng = np.random.default_rng(3)
    w = {k: (scale * rng.normal(size=v.shape)).astype(dtype) for k, v in plan.w.items()}
    step = naive.fresh_layer_step(layer, plan, x, w, training=training)
    step.forward()
    return step


def sequences(samples: int = 2, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(samples, L, C))


def attention(**settings: object) -> Layer:
    return LAYERS["multi_head_attention"](2, **settings)


@pytest.mark.parametrize("position", range(L))
def test_causal_attention_does_not_read_later_positions(position: int) -> None:
    layer = attention(causal=True)
    x = sequences()
    changed = x.copy()
    changed[:, position] += 10.0
    before, after = run(layer, x).ctx.y, run(layer, changed).ctx.y
    np.testing.assert_array_equal(before[:, :position], after[:, :position])
    assert (before[:, position:] != after[:, position:]).all()


def test_padding_is_not_read() -> None:
    x = sequences()
    padding = np.zeros((2, L))
    padding[0, 3:] = 1.0
    step = run(attention(), x, padding)
    unpadded = run(attention(), x[:1, :3])
    np.testing.assert_allclose(step.ctx.y[0, :3], unpadded.ctx.y[0], rtol=1e-12)
    np.testing.assert_allclose(step.ctx.y[1], run(attention(), x).ctx.y[1], rtol=1e-12)
    step.ctx.dy.fill(0.0)
    step.ctx.dy[0, :3] = 1.0
    step.ctx.dy[1] = 1.0
    step.backward()
    assert (step.ctx.dx[0][0, 3:] == 0.0).all()
    assert (step.ctx.dx[0][0, :3] != 0.0).all()
    assert (step.ctx.dx[1] == 0.0).all()


def test_a_query_without_keys_gives_the_bias() -> None:
    padding = np.ones((2, L))
    padding[1, 1:] = 0.0
    step = run(attention(causal=True), sequences(), padding, dtype=np.float64)
    bias = step.ctx.w["out_proj_bias"]
    np.testing.assert_array_equal(step.ctx.y[0], np.broadcast_to(bias, (L, C)))
    np.testing.assert_array_equal(step.ctx.y[1, 0], bias)
    assert (step.ctx.y[1, 1:] != bias).all()
    step.ctx.dy[...] = 1.0
    step.backward()
    assert all(np.isfinite(a).all() for a in (*step.ctx.dx, *step.ctx.dw.values()))
    assert (step.ctx.dx[0][0] == 0.0).all()


def test_large_scores_do_not_overflow() -> None:
    x = sequences().astype(np.float32)
    step = run(attention(), x, scale=60.0, dtype=np.float32)
    weights = step.ctx.buffers["scores"] * step.ctx.buffers["inverse_sum"][:, None]
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-6)
    assert np.isfinite(step.ctx.y).all()


def test_dropout_applies_to_attention_weights_in_training_alone() -> None:
    x, layer = sequences(50), attention(dropout=0.4)
    step = run(layer, x)
    dropped = step.ctx.buffers["dropped"] == 0.0
    error = np.sqrt(0.4 * 0.6 / dropped.size)
    assert dropped.mean() == pytest.approx(0.4, abs=5 * error)
    scale_of_kept = step.ctx.buffers["dropped"][~dropped] / step.ctx.buffers["scores"][~dropped]
    np.testing.assert_allclose(scale_of_kept, 1 / 0.6, rtol=1e-12)
    np.testing.assert_array_equal(run(layer, x, training=False).ctx.y, run(attention(), x).ctx.y)


def test_gradients_in_evaluation_have_no_dropout() -> None:
    x = sequences()
    with_dropout, no_dropout = run(attention(dropout=0.4), x, training=False), run(attention(), x)
    for step in (with_dropout, no_dropout):
        step.ctx.dy[...] = sequences(seed=1)
        step.backward()
    np.testing.assert_array_equal(with_dropout.ctx.dx[0], no_dropout.ctx.dx[0])


def test_the_order_of_positions_does_not_matter_without_a_mask() -> None:
    x = sequences()
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(
        run(attention(), x[:, order]).ctx.y, run(attention(), x).ctx.y[:, order], rtol=1e-12
    )


# --- embedding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_an_index_out_of_range_becomes_the_nearest(dtype: type) -> None:
    layer = LAYERS["embedding"](2, 3, Normal(1.0))
    step = run(layer, np.array([[-4, 0, 2, 3, 900]]).astype(dtype))
    w = step.ctx.w["weight"]
    np.testing.assert_array_equal(step.ctx.y[0], w[[0, 0, 2, 2, 2]])
    step.ctx.dy[...] = 1.0
    step.backward()
    np.testing.assert_array_equal(step.ctx.dw["weight"], [[2.0, 2.0], [0.0, 0.0], [3.0, 3.0]])


def test_indices_as_floats_are_rounded() -> None:
    step = run(LAYERS["embedding"](2, 4, Normal(1.0)), np.array([[0.9999, 2.0001, 3.0]]))
    np.testing.assert_array_equal(step.ctx.y[0], step.ctx.w["weight"][[1, 2, 3]])
