"""Numerics: huge logits, saturated predictions, perfect fits.

An overflow within a right result is no error: callers silence NumPy's warnings and check the loss.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import special

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.parameters import Parameters

from .helpers import fill, step

EXTREMES = [-1e4, -200.0, -80.0, -1.0, -0.0, 0.0, 1e-8, 1.0, 80.0, 200.0, 1e4]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def apply_activation(entry: str, x: Array, dtype: type) -> Array:
    """The output of a layer for x (N, C)."""
    graph = Graph({"x": TensorSpec(x.shape[1:])}, [Node("y", LAYERS[entry](), ("x",))])
    executor = Executor(graph, Parameters(graph, 0, dtype), len(x), ["y"])
    fill(executor, {"x": x})
    executor.forward()
    return executor.values["y"].copy()


def evaluate_loss(
    entry: str, p: Array, t: Array, dtype: type, activation: str | None = None
) -> tuple[Array, Array]:
    """The loss of each sample, and ∂L/∂input, after an activation if there is one."""
    target = TensorSpec(t.shape[1:], t.dtype.kind == "i")
    nodes = [Node("y", LAYERS[activation](), ("x",))] if activation else []
    loss = LossNode("loss", LOSSES[entry](), ("y" if activation else "x", "t"))
    graph = Graph({"x": TensorSpec(p.shape[1:]), "t": target}, nodes, [loss])
    executor = Executor(graph, Parameters(graph, 0, dtype), len(p), (), True, True, True)
    result = step(executor, {"x": p, "t": t})
    return result["loss"], result["d x"]


@DTYPES
def test_sigmoid_of_extreme_values(dtype: type) -> None:
    x = np.array(EXTREMES)[:, None]
    y = apply_activation("sigmoid", x, dtype)
    np.testing.assert_allclose(y, special.expit(x), rtol=1e-6, atol=1e-37)
    assert (y[0], y[-1]) == (0.0, 1.0)


@DTYPES
def test_tanh_and_relu_of_extreme_values(dtype: type) -> None:
    x = np.array(EXTREMES)[:, None]
    np.testing.assert_allclose(apply_activation("tanh", x, dtype), np.tanh(x), rtol=1e-6)
    np.testing.assert_array_equal(
        apply_activation("relu", x, dtype), np.maximum(x, 0).astype(dtype)
    )
    leaky = apply_activation("leaky_relu", x, dtype)
    np.testing.assert_allclose(leaky, np.where(x > 0, x, 0.01 * x), rtol=1e-6)
    np.testing.assert_array_equal(leaky[x > 0], x[x > 0].astype(dtype))


@DTYPES
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_softmax_rows_sum_to_one_and_ignore_a_shift(dtype: type, shift: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-5, 6, (20, 7)).astype(float)
    y = apply_activation("softmax", x + shift, dtype)
    tolerance = 1e-6 if dtype is np.float32 else 1e-14
    np.testing.assert_allclose(y.sum(1), 1.0, rtol=tolerance)
    np.testing.assert_allclose(y, special.softmax(x, axis=1), rtol=3 * tolerance)
    x[:, 3] = 1e4
    np.testing.assert_array_equal(apply_activation("softmax", x, dtype), np.eye(7)[[3] * 20])


def logits(dtype: type) -> Array:
    rng = np.random.default_rng(1)
    rows = [rng.normal(0, scale, (8, 5)) for scale in (1.0, 10.0, 1e4)]
    rows += [rows[0] + 1e4, rows[0] - 1e4, np.zeros((2, 5)), np.eye(5) * 1e4, np.eye(5) * -1e4]
    return np.concatenate(rows).astype(dtype).astype(np.float64)


@DTYPES
@pytest.mark.parametrize("one_hot", [False, True])
def test_cross_entropy_is_logsumexp_less_the_logit(dtype: type, one_hot: bool) -> None:
    z = logits(dtype)
    labels = np.arange(len(z)) % 5
    t = np.eye(5)[labels] if one_hot else labels
    loss, gradient = evaluate_loss("cross_entropy", z, t, dtype)
    expected = special.logsumexp(z, axis=1) - z[np.arange(len(z)), labels]
    # The sum of two numbers as large as |z| is off by their rounding.
    tolerance = 4 * np.finfo(dtype).eps * np.maximum(1.0, np.abs(z).max(1))
    assert np.isfinite(loss).all()
    assert (np.abs(loss - expected) <= tolerance).all()
    slope = (special.softmax(z, axis=1) - np.eye(5)[labels]) / len(z)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


def test_cross_entropy_of_a_confident_error_is_the_logit_difference() -> None:
    z = np.array([[1e4, -1e4, 0.0]])
    loss, gradient = evaluate_loss("cross_entropy", z, np.array([1]), np.float32)
    assert loss[0] == 2e4
    np.testing.assert_array_equal(gradient, [[1.0, -1.0, 0.0]])


@DTYPES
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_bce_after_a_sigmoid_of_extreme_values(dtype: type, t: float) -> None:
    z = np.array(EXTREMES)[:, None]
    loss, gradient = evaluate_loss("bce", z, np.full_like(z, t), dtype, "sigmoid")
    ones, zeros = (np.minimum(np.logaddexp(0, x), 100) for x in (-z, z))
    capped = t * ones + (1 - t) * zeros
    moderate = np.abs(z[:, 0]) <= 1.0
    assert np.isfinite(loss).all()
    np.testing.assert_allclose(loss[moderate], capped[moderate, 0], rtol=1e-5)
    extreme = np.abs(z[:, 0]) >= 200.0
    np.testing.assert_allclose(loss[extreme], capped[extreme, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, (special.expit(z) - t) / len(z), rtol=1e-5, atol=1e-8)


@DTYPES
def test_bce_of_saturated_predictions_stays_finite(dtype: type) -> None:
    p = np.array([0.0, 0.0, 1.0, 1.0, 0.5, 1e-30, 1 - 1e-6])[:, None]
    t = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 1.0, 1.0])[:, None]
    loss, gradient = evaluate_loss("bce", p, t, dtype)
    expected = [0.0, 100.0, 100.0, 0.0, np.log(2), 30 * np.log(10), 1e-6]
    np.testing.assert_allclose(loss, expected, rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(np.sign(gradient[:5, 0]), [0, -1, 1, 0, 0])


@DTYPES
def test_a_perfect_fit_has_no_loss_and_no_gradient(dtype: type) -> None:
    p = np.array([[0.0, 1.0, 0.25]])
    for entry in ("mse", "mae", "rmse"):
        loss, gradient = evaluate_loss(entry, p, p, dtype)
        assert loss[0] == 0.0
        np.testing.assert_array_equal(gradient, np.zeros((1, 3)))
    loss, gradient = evaluate_loss("bce", p[:, :2], p[:, :2], dtype)
    assert loss[0] == 0.0
    np.testing.assert_array_equal(gradient, np.zeros((1, 2)))


@DTYPES
def test_relu_and_leaky_relu_take_the_stated_slope_at_zero(dtype: type) -> None:
    x, t = np.array([[-1.0, 0.0, 1.0]]), np.full((1, 3), -1.5)
    for entry, slope in (("relu", 0.0), ("leaky_relu", 0.01)):
        y = apply_activation(entry, x, dtype)
        _, gradient = evaluate_loss("mse", x, t, dtype, entry)
        expected = 2 / 3 * (y - t) * np.array([[slope, slope, 1.0]])
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)


@pytest.mark.parametrize("entry", ["mse", "mae", "rmse", "bce"])
def test_nan_in_a_prediction_gives_nan_in_the_loss(entry: str) -> None:
    """Training detects divergence by the loss, so that NaN must reach it."""
    p = np.array([[0.5, np.nan], [0.5, 0.5]])
    loss, _ = evaluate_loss(entry, p, np.full((2, 2), 0.25), np.float32)
    assert np.isnan(loss[0])
    assert np.isfinite(loss[1])
    loss, _ = evaluate_loss("cross_entropy", p, np.array([0, 1]), np.float32)
    assert np.isnan(loss[0])
    assert np.isfinite(loss[1])
