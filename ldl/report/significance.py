"""Student's t over the seeds of a file: prediction intervals and one-sided tests.

n values with mean x̄ and standard deviation s (with n − 1). Source: Student, The probable error of
a mean, 1908; Hahn and Meeker, Statistical Intervals, 1991, section 4.7. The numbers are those of
scipy.stats.t, ttest_1samp and ttest_rel, which take half a second to import.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Final

from ldl.grid.grid_results import t_statistic

ALPHA: Final = 0.05  # of the tests; the intervals are of 1 − ALPHA


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 95 % interval for one further value: x̄ ± t(0.975, n − 1)·s·√(1 + 1/n).

    None for fewer than two values, or one that is not finite.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    from scipy.special import stdtrit

    mean = statistics.fmean(values)
    width = float(stdtrit(len(values) - 1, 1 - ALPHA / 2)) * _prediction_error(values)
    return mean - width, mean + width


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The 90 % interval for the mean, x̄ ± t(0.95, n − 1)·s/√n; None as above.

    What lies outside is told from the mean by the one-sided test at 0.05.
    """
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    from scipy.special import stdtrit

    mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
    width = float(stdtrit(len(values) - 1, 1 - ALPHA)) * error
    return mean - width, mean + width


def is_beyond(values: Sequence[float], limit: float) -> bool:
    """Whether `limit` is below what a further run gives: (x̄ − limit) / (s·√(1 + 1/n)) > t(0.95)."""
    from scipy.special import stdtrit

    quantile = float(stdtrit(len(values) - 1, 1 - ALPHA))
    return statistics.fmean(values) - limit > quantile * _prediction_error(values)


def _prediction_error(values: Sequence[float]) -> float:
    return statistics.stdev(values) * math.sqrt(1 + 1 / len(values))


def p_greater(differences: Sequence[float], scale: float = 1.0) -> float:
    """The p-value of the one-sided t-test that the mean difference is above 0; n ≥ 2.

    P(T ≥ d̄·√n / s) with n − 1 degrees of freedom. `scale` is the largest of the values, whose
    rounding is no difference. With an infinite difference it is that of the sign test.
    """
    from scipy.special import bdtrc, stdtr

    count = len(differences)
    if not all(map(math.isfinite, differences)):
        greater = sum(difference > 0 for difference in differences)
        return float(bdtrc(greater - 1, count, 0.5)) if greater else 1.0
    return float(stdtr(count - 1, -t_statistic(differences, scale)))
