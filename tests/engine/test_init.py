"""Initialisers: their moments and limits over many draws."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from ldl.engine.init import INITIALISERS, Fans, Initialiser

FANS = Fans(30, 12)
SHAPE = (300, 400)
# Entry, its settings, mean, variance, and the largest value it may give.
DRAWN: list[tuple[str, dict[str, object], float, float, float]] = [
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


def test_every_initialiser_is_measured() -> None:
    assert {row[0] for row in DRAWN} == set(INITIALISERS)


@pytest.mark.parametrize(("entry", "settings", "mean", "variance", "limit"), DRAWN)
def test_moments_and_limits(
    entry: str, settings: dict[str, object], mean: float, variance: float, limit: float
) -> None:
    rule: Initialiser = INITIALISERS[entry](**settings)
    drawn = rule.draw(SHAPE, FANS, np.random.default_rng(5))
    assert drawn.shape == SHAPE
    assert drawn.dtype == np.float64
    # Five standard errors of the mean; the variance's relative error is about √(2/n).
    assert drawn.mean() == pytest.approx(mean, abs=5 * sqrt(variance / drawn.size))
    assert drawn.var() == pytest.approx(variance, rel=0.02)
    assert np.abs(drawn).max() <= limit
    if limit in (0.0, np.inf):
        assert variance == 0.0 or np.abs(drawn - mean).max() > 3.5 * sqrt(variance)
    else:
        assert np.abs(drawn).max() > 0.999 * limit


@pytest.mark.parametrize("entry", INITIALISERS)
def test_draws_depend_on_the_generator_alone(entry: str) -> None:
    rule = INITIALISERS[entry]()
    one, two, other = (rule.draw((50,), FANS, np.random.default_rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert entry in ("zeros", "ones") or (one != other).any()
