"""Initialisers: mean, variance and largest value of many draws."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from ldl.engine.init import INITIALISERS, Fans, Initialiser

FANS = Fans(30, 12)
SHAPE = (300, 400)
# Entry, settings, mean, variance, and the upper limit of absolute values.
CASES: list[tuple[str, dict[str, object], float, float, float]] = [
    ("zeros", {}, 0.0, 0.0, 0.0),
    ("ones", {}, 1.0, 0.0, 1.0),
    ("normal", {}, 0.0, 0.01**2, np.inf),
    ("normal", {"std": 0.3, "mean": -2.0}, -2.0, 0.09, np.inf),
    ("uniform", {}, 0.0, 1 / 30 / 3, 1 / sqrt(30)),
    ("uniform", {"scale": 2.0}, 0.0, 4 / 30 / 3, 2 / sqrt(30)),
    ("glorot", {}, 0.0, 2 / 42, sqrt(6 / 42)),
    ("glorot", {"gain": 3.0}, 0.0, 9 * 2 / 42, 3 * sqrt(6 / 42)),
    ("glorot", {"distribution": "normal"}, 0.0, 2 / 42, np.inf),
    ("he", {}, 0.0, 2 / 30, sqrt(6 / 30)),
    ("he", {"distribution": "normal"}, 0.0, 2 / 30, np.inf),
]


def test_every_initialiser_has_a_case() -> None:
    assert {row[0] for row in CASES} == set(INITIALISERS)


@pytest.mark.parametrize(("entry", "settings", "mean", "variance", "limit"), CASES)
def test_moments_and_limits(
    entry: str, settings: dict[str, object], mean: float, variance: float, limit: float
) -> None:
    initialiser: Initialiser = INITIALISERS[entry](**settings)
    values = initialiser.draw(SHAPE, FANS, np.random.default_rng(5))
    assert values.shape == SHAPE
    assert values.dtype == np.float64
    # Five standard errors of the mean; the variance's relative error is about √(2/n).
    assert values.mean() == pytest.approx(mean, abs=5 * sqrt(variance / values.size))
    assert values.var() == pytest.approx(variance, rel=0.02)
    assert np.abs(values).max() <= limit
    if limit in (0.0, np.inf):
        assert variance == 0.0 or np.abs(values - mean).max() > 3.5 * sqrt(variance)
    else:
        assert np.abs(values).max() > 0.999 * limit


@pytest.mark.parametrize("entry", INITIALISERS)
def test_draws_depend_on_the_generator_alone(entry: str) -> None:
    initialiser = INITIALISERS[entry]()
    first, second, other = (
        initialiser.draw((50,), FANS, np.random.default_rng(s)) for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert entry in ("zeros", "ones") or (first != other).any()
