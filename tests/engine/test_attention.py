"""Attention: what masks hide, what dropout does, large scores; and embeddings out of range."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.init import Normal
from ldl.engine.layer import Context, Layer, TensorSpec
from ldl.engine.layers import LAYERS

from . import naive

L, C = 5, 4


def run(
    layer: Layer, *x: Array, train: bool = True, scale: float = 0.5, dtype: type = np.float64
) -> Context:
    """A node after forward, its weights drawn alike each time."""
    plan = layer.plan(tuple(TensorSpec(a.shape[1:], a.dtype.kind == "i") for a in x))
    rng = np.random.default_rng(3)
    w = {k: (scale * rng.normal(size=v.shape)).astype(dtype) for k, v in plan.w.items()}
    node = naive.fresh_node(layer, plan, x, w, train=train)
    layer.forward(node)
    return node


def sequences(samples: int = 2, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(samples, L, C))


def attention(**settings: object) -> Layer:
    return LAYERS["multi_head_attention"](2, **settings)


@pytest.mark.parametrize("at", range(L))
def test_causal_attention_does_not_see_what_comes_later(at: int) -> None:
    layer = attention(causal=True)
    x = sequences()
    moved = x.copy()
    moved[:, at] += 10.0
    before, after = run(layer, x).y, run(layer, moved).y
    np.testing.assert_array_equal(before[:, :at], after[:, :at])
    assert (before[:, at:] != after[:, at:]).all()


def test_padding_is_not_seen() -> None:
    x = sequences()
    padding = np.zeros((2, L))
    padding[0, 3:] = 1.0
    node = run(attention(), x, padding)
    short = run(attention(), x[:1, :3])
    np.testing.assert_allclose(node.y[0, :3], short.y[0], rtol=1e-12)
    np.testing.assert_allclose(node.y[1], run(attention(), x).y[1], rtol=1e-12)
    node.dy.fill(0.0)
    node.dy[0, :3] = 1.0
    node.dy[1] = 1.0
    attention().backward(node)
    assert (node.dx[0][0, 3:] == 0.0).all()
    assert (node.dx[0][0, :3] != 0.0).all()
    assert (node.dx[1] == 0.0).all()


def test_a_query_that_may_look_at_nothing_gets_the_bias_alone() -> None:
    padding = np.ones((2, L))
    padding[1, 1:] = 0.0
    node = run(attention(causal=True), sequences(), padding, dtype=np.float64)
    bias = node.w["out_proj_bias"]
    np.testing.assert_array_equal(node.y[0], np.broadcast_to(bias, (L, C)))
    np.testing.assert_array_equal(node.y[1, 0], bias)
    assert (node.y[1, 1:] != bias).all()
    node.dy[...] = 1.0
    attention(causal=True).backward(node)
    assert all(np.isfinite(a).all() for a in (*node.dx, *node.dw.values()))
    assert (node.dx[0][0] == 0.0).all()


def test_large_scores_overflow_nothing() -> None:
    x = sequences().astype(np.float32)
    node = run(attention(), x, scale=60.0, dtype=np.float32)
    weights = node.tmp["scores"] * node.tmp["rate"][:, None]
    np.testing.assert_allclose(weights.sum(1), 1.0, rtol=1e-6)
    assert np.isfinite(node.y).all()


def test_dropout_thins_the_weights_in_training_alone() -> None:
    x, layer = sequences(50), attention(dropout=0.4)
    node = run(layer, x)
    dropped = node.tmp["thinned"] == 0.0
    error = np.sqrt(0.4 * 0.6 / dropped.size)
    assert dropped.mean() == pytest.approx(0.4, abs=5 * error)
    kept = node.tmp["thinned"][~dropped] / node.tmp["scores"][~dropped]
    np.testing.assert_allclose(kept, 1 / 0.6, rtol=1e-12)
    np.testing.assert_array_equal(run(layer, x, train=False).y, run(attention(), x).y)


def test_gradients_in_judging_leave_dropout_out() -> None:
    x = sequences()
    with_dropout, without = run(attention(dropout=0.4), x, train=False), run(attention(), x)
    for layer, node in ((attention(dropout=0.4), with_dropout), (attention(), without)):
        node.dy[...] = sequences(seed=1)
        layer.backward(node)
    np.testing.assert_array_equal(with_dropout.dx[0], without.dx[0])


def test_the_order_of_positions_does_not_matter_without_a_mask() -> None:
    x = sequences()
    order = np.array([3, 0, 4, 1, 2])
    np.testing.assert_allclose(
        run(attention(), x[:, order]).y, run(attention(), x).y[:, order], rtol=1e-12
    )


# --- embedding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_a_number_out_of_range_is_taken_for_the_nearest(dtype: type) -> None:
    layer = LAYERS["embedding"](2, 3, Normal(1.0))
    node = run(layer, np.array([[-4, 0, 2, 3, 900]]).astype(dtype))
    w = node.w["weight"]
    np.testing.assert_array_equal(node.y[0], w[[0, 0, 2, 2, 2]])
    node.dy[...] = 1.0
    layer.backward(node)
    np.testing.assert_array_equal(node.dw["weight"], [[2.0, 2.0], [0.0, 0.0], [3.0, 3.0]])


def test_whole_numbers_that_came_out_of_arithmetic_are_rounded() -> None:
    node = run(LAYERS["embedding"](2, 4, Normal(1.0)), np.array([[0.9999, 2.0001, 3.0]]))
    np.testing.assert_array_equal(node.y[0], node.w["weight"][[1, 2, 3]])
