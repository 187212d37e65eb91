"""Penalties and clipping: their formulas, and values that they leave unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.engine.penalty import Clipping, Penalty

THETA = np.array([1.0, -2.0, 0.0, 3.0, 5.0])
DECAY_SLICES = (slice(0, 2), slice(2, 4))


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.2), (0.3, 0.05)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_penalty_is_a_sum_over_the_decayed_weights(l1: float, l2: float, dtype: type) -> None:
    penalty, theta = Penalty(l1, l2), THETA.astype(dtype)
    gradient, tmp = np.full(5, 7.0, dtype), np.full(5, np.nan, dtype)
    assert penalty.value(theta, DECAY_SLICES) == pytest.approx(l1 * 6.0 + l2 * 14.0)
    penalty.add_gradient(theta, gradient, DECAY_SLICES, tmp)
    expected = 7.0 + 2 * l2 * THETA + l1 * np.sign(THETA)
    expected[4] = 7.0
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
    assert gradient.dtype == dtype


def test_a_norm_above_the_limit_is_clipped() -> None:
    gradient = np.array([3.0, -4.0])
    Clipping(norm=10.0).apply(gradient, 5.0)
    np.testing.assert_array_equal(gradient, [3.0, -4.0])
    Clipping(norm=1.0).apply(gradient, 5.0)
    np.testing.assert_allclose(gradient, [0.6, -0.8], rtol=1e-6)
    zero = np.zeros(2)
    Clipping(norm=1.0).apply(zero, 0.0)
    np.testing.assert_array_equal(zero, 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_clipped(dtype: type) -> None:
    gradient = np.array([3.0, -4.0, 0.25], dtype)
    Clipping(value=0.5).apply(gradient, 5.0)
    np.testing.assert_array_equal(gradient, [0.5, -0.5, 0.25])
