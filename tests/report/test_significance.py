"""Intervals and tests over seeds, against SciPy's and against draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ldl.report.significance import is_beyond, p_greater, prediction_interval


def test_p_values_are_those_of_scipy() -> None:
    """One-sided, for one sample and for pairs."""
    draw = np.random.default_rng(0)
    for count in (2, 3, 5, 30):
        a, b = draw.normal(0.3, 1.0, (2, count))
        one = stats.ttest_1samp(a, 0.0, alternative="greater").pvalue
        assert p_greater(list(a)) == pytest.approx(one, rel=1e-12)
        pairs = stats.ttest_rel(a, b, alternative="greater").pvalue
        assert p_greater(list(a - b)) == pytest.approx(pairs, rel=1e-12)


def test_differences_without_spread() -> None:
    """Certain if they are above 0; never if they are 0 or below."""
    assert [p_greater([d] * 3) for d in (0.1, 0.0, -0.1)] == [0.0, 0.5, 1.0]
    assert p_greater([0.1 + 0.2 - 0.3, 0.0, 0.0]) == 0.5


def test_infinite_differences() -> None:
    """The sign test: what is undecided counts against."""
    five = [math.inf, 3.0, math.inf, 1.0, 2.0]
    expected = stats.binomtest(5, 5, alternative="greater").pvalue
    assert p_greater(five) == pytest.approx(expected, rel=1e-12)
    expected = stats.binomtest(3, 5, alternative="greater").pvalue
    assert p_greater([math.inf, 3.0, math.nan, 1.0, -math.inf]) == pytest.approx(expected)
    assert p_greater([-math.inf, -1.0]) == 1.0


def test_the_prediction_interval_contains_a_further_run() -> None:
    """In 95 % of draws; `is_beyond` is wrong in 5 % of them."""
    draw = np.random.default_rng(1).normal(5.0, 2.0, (4000, 6))
    inside = beyond = 0
    for *values, further in draw.tolist():
        low, high = prediction_interval(values) or (math.nan, math.nan)
        inside += low <= further <= high
        beyond += is_beyond(values, further)
    assert inside / len(draw) == pytest.approx(0.95, abs=0.012)
    assert beyond / len(draw) == pytest.approx(0.05, abs=0.012)


def test_the_prediction_interval_is_that_of_student() -> None:
    """By scipy.stats.t; none for one value, or one that is never reached."""
    values = [0.91, 0.93, 0.95, 0.9]
    error = np.std(values, ddof=1) * np.sqrt(1 + 1 / 4)
    expected = stats.t.interval(0.95, 3, loc=np.mean(values), scale=error)
    assert prediction_interval(values) == pytest.approx(expected, rel=1e-12)
    assert prediction_interval([1.0]) is None and prediction_interval([1.0, math.inf]) is None
