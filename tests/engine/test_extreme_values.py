"""Extreme values of smooth activations, log_softmax, and the losses not in test_numerics.py."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from ldl.arrays import Array
from ldl.engine.erfc import upper_tail
from ldl.engine.layer import TensorSpec
from ldl.engine.losses import LOSSES

from .test_numerics import EXTREMES, apply_activation, evaluate_loss, logits

INDEX = TensorSpec((), integer=True)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(autouse=True)
def _no_warnings():
    with np.errstate(all="ignore"):
        yield


@DTYPES
def test_the_normal_tail_has_a_small_relative_error(dtype: type) -> None:
    """Relative to the tail, where it is a normal number; SciPy's error is 2e-13."""
    u = np.linspace(0.0, 12.0 if dtype is np.float32 else 36.0, 20001).astype(dtype)
    exact = u.astype(np.float64)
    density = np.exp(-0.5 * exact * exact).astype(dtype)
    out, work = np.empty_like(u), np.empty_like(u)
    for call in upper_tail(u, density, out, work):
        call()
    expected = 0.5 * special.erfcx(exact / np.sqrt(2)) * density.astype(np.float64)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, expected, rtol=6e-7 if dtype is np.float32 else 2e-14)


FORMULAS: dict[str, Callable[[Array], Array]] = {
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "softplus": lambda x: np.logaddexp(0, x),
}


@DTYPES
@pytest.mark.parametrize("entry", FORMULAS)
def test_smooth_activations_of_extreme_values(entry: str, dtype: type) -> None:
    x = np.array([*EXTREMES, -20.0, 20.0])[:, None]
    y = apply_activation(entry, x, dtype)
    np.testing.assert_allclose(y, FORMULAS[entry](x), rtol=1e-5, atol=1e-7)


@DTYPES
def test_softplus_of_a_large_negative_number_is_its_exponential(dtype: type) -> None:
    x = np.array([[-80.0, -30.0, -15.0, -5.0]])
    np.testing.assert_allclose(
        apply_activation("softplus", x, dtype), np.log1p(np.exp(x)), rtol=1e-6
    )


@DTYPES
def test_log_softmax_of_extreme_values(dtype: type) -> None:
    z = logits(dtype)
    y = apply_activation("log_softmax", z, dtype)
    assert np.isfinite(y).all()
    tolerance = 1e-6 if dtype is np.float32 else 1e-14
    np.testing.assert_allclose(
        y, special.log_softmax(z, axis=1), rtol=tolerance, atol=tolerance * 2e4
    )


@DTYPES
@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_bce_with_logits_of_extreme_values(dtype: type, t: float) -> None:
    """Exact on both sides and without a cap; the gradient is that of bce after a sigmoid."""
    z = np.array(EXTREMES)[:, None]
    loss, gradient = evaluate_loss("bce_with_logits", z, np.full_like(z, t), dtype)
    expected = t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z)
    np.testing.assert_allclose(loss, expected[:, 0], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, (special.expit(z) - t) / len(z), rtol=1e-5, atol=1e-8)


@DTYPES
def test_perfect_fits_have_no_loss_and_impossible_ones_an_infinite_one(dtype: type) -> None:
    p = np.array([[0.5, -2.0, 8.0]])
    loss, gradient = evaluate_loss("huber", p, p, dtype)
    assert loss[0] == 0.0
    np.testing.assert_array_equal(gradient, 0.0)
    log_p = np.array([[np.log(0.25), np.log(0.75)]])
    loss, _ = evaluate_loss("kl_divergence", log_p, np.exp(log_p), dtype)
    assert abs(loss[0]) < 1e-7
    impossible = np.array([[0.0, -np.inf, -np.inf]])
    loss, _ = evaluate_loss("nll", impossible, np.array([1]), dtype)
    assert not np.isfinite(loss[0])
    loss, gradient = evaluate_loss("hinge", p, np.array([2]), dtype)
    assert loss[0] == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


def test_of_equal_wrong_classes_the_first_has_the_gradient() -> None:
    z = np.array([[1.0, 3.0, 3.0, 0.0]])
    loss, gradient = evaluate_loss("hinge", z, np.array([0]), np.float32)
    assert loss[0] == 3.0
    np.testing.assert_array_equal(gradient, [[-1.0, 1.0, 0.0, 0.0]])


@pytest.mark.parametrize("entry", ["huber", "bce_with_logits", "nll", "kl_divergence", "hinge"])
def test_nan_in_a_prediction_gives_nan_in_the_loss(entry: str) -> None:
    p = np.array([[0.5, np.nan], [0.5, 0.5]])
    loss, _ = evaluate_loss(entry, p, np.array([1, 1]), np.float32)
    assert np.isnan(loss[0])
    assert np.isfinite(loss[1])


@DTYPES
def test_smoothing_of_huge_logits_stays_finite(dtype: type) -> None:
    z, loss_layer = logits(dtype), LOSSES["cross_entropy"](0.1)
    plan = loss_layer.plan((TensorSpec((5,)), INDEX))
    assert plan.buffers["target"].shape == (5,)
    loss, gradient = evaluate_loss("cross_entropy", z, np.full(z.shape, 0.2), dtype)
    assert np.isfinite(loss).all() and np.isfinite(gradient).all()
