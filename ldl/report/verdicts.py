"""Verdicts: of a measured metric on its claimed value, of a file, of a claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ldl.compile import ClaimedMetric
from ldl.report.run_metrics import NotMeasured, RunMetrics

Verdict = Literal[
    "exceeded", "met", "not met", "shortened", "not measured", "not run", "not judged"
]
# From the worst to the best; the verdict of a claim is the worst of its metrics'. A metric that is
# "not judged" does not count. "shortened": the quick profile trained too briefly for a verdict.
ORDER: Final[tuple[Verdict, ...]] = (
    *("not run", "not measured", "shortened"),
    *("not met", "met", "exceeded"),
)
PASSED: Final[tuple[Verdict, ...]] = ("met", "exceeded")
ROUNDING: Final = 1e-9  # relative error allowed in a mean over seeds


@dataclass(frozen=True)
class MetricVerdict:
    """A metric of a claim with its measured values, one for each seed, and the verdict on it."""

    metric: ClaimedMetric
    verdict: Verdict
    values: tuple[float, ...] = ()
    other_values: tuple[float, ...] = ()  # of the file that it is compared with
    reason: str = ""  # why there is no value
    valid_paths: tuple[str, ...] = ()  # that could have been meant

    @property
    def can_exceed(self) -> bool:
        """Whether the claim is a number that can be beaten: no target to hit, no other file."""
        metric = self.metric
        return (
            metric.is_number
            and metric.other is None
            and metric.comparison not in ("near", "not_judged")
        )

    @property
    def mean(self) -> float | None:
        """The mean over seeds."""
        return mean(self.values)

    @property
    def std(self) -> float | None:
        """The standard deviation over seeds, with n − 1; None for a single one."""
        return std(self.values)


def mean(values: Sequence[float]) -> float | None:
    """Σx / n; None without values."""
    return sum(values) / len(values) if values else None


def std(values: Sequence[float]) -> float | None:
    """√(Σ(x − mean)² / (n − 1)); None for fewer than two values, or one that is not finite."""
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    return statistics.stdev(values)


def metric_verdict(
    metric: ClaimedMetric,
    runs: Sequence[RunMetrics],
    runs_of: Callable[[str], Sequence[RunMetrics] | str],
) -> MetricVerdict:
    """The verdict on one metric. `runs_of` gives another file's runs, or why there are none."""
    try:
        values = tuple(_value(run, metric.measured, metric.minus) for run in runs)
    except NotMeasured as error:
        return MetricVerdict(
            metric, "not measured", reason=str(error), valid_paths=error.valid_paths
        )
    if not values:
        return MetricVerdict(metric, "not run", reason="no run has ended")
    if metric.other is None:
        return MetricVerdict(metric, _compare_with_claim(metric, values), values)
    other_runs = runs_of(metric.other)
    if isinstance(other_runs, str):
        reason = f"{metric.other}, which it is compared with: {other_runs}"
        return MetricVerdict(metric, "not measured", values, reason=reason)
    try:
        path = metric.other_measured or metric.measured
        other_values = tuple(_value(run, path, metric.minus) for run in other_runs)
    except NotMeasured as error:
        reason = f"in {metric.other}: {error}"
        return MetricVerdict(
            metric, "not measured", values, reason=reason, valid_paths=error.valid_paths
        )
    verdict = _compare_with_file(metric, values, other_values)
    return MetricVerdict(metric, verdict, values, other_values)


def _value(run: RunMetrics, path: str, minus: str | None) -> float:
    value = run.measure(path) - (run.measure(minus) if minus else 0.0)
    if math.isnan(value):
        raise NotMeasured(f"`{path}` and `{minus}` were both never reached")
    return value


def _compare_with_claim(metric: ClaimedMetric, values: Sequence[float]) -> Verdict:
    """At least, at most or near, for the mean; exceeded: by more than the standard deviation."""
    measured = mean(values)
    assert measured is not None
    if metric.comparison == "not_judged":
        return "not judged"
    if metric.comparison == "near":
        assert isinstance(metric.claimed, float)
        tolerance = metric.within + _rounding(metric.claimed)
        return "met" if abs(measured - metric.claimed) <= tolerance else "not met"
    low, high = bounds(metric)
    if low is not None and measured < low - metric.within - _rounding(low):
        return "not met"
    if high is not None and measured > high + metric.within + _rounding(high):
        return "not met"
    if not isinstance(metric.claimed, float):
        return "met"
    higher_is_better = metric.comparison != "at_most" and (low is not None or high is None)
    gain = measured - metric.claimed if higher_is_better else metric.claimed - measured
    return "exceeded" if gain > (std(values) or 0.0) + _rounding(metric.claimed) else "met"


def bounds(metric: ClaimedMetric) -> tuple[float | None, float | None]:
    """The lowest and the highest value that is accepted: the claimed number, if none is named."""
    if metric.at_least is not None or metric.at_most is not None:
        return metric.at_least, metric.at_most
    claimed = metric.claimed if isinstance(metric.claimed, float) else None
    return (None, claimed) if metric.comparison == "at_most" else (claimed, None)


def _rounding(limit: float) -> float:
    """The rounding error allowed at a limit."""
    return ROUNDING * abs(limit)


def _compare_with_file(
    metric: ClaimedMetric, values: Sequence[float], other_values: Sequence[float]
) -> Verdict:
    """Less or greater: by the means. The same: value by value, bit for bit unless `within`."""
    if not other_values:
        return "not measured"
    if metric.same_as is not None:
        pairs = zip(values, other_values, strict=False)
        same = all(a == b or abs(a - b) <= metric.within for a, b in pairs)
        return "met" if same and len(values) == len(other_values) else "not met"
    measured, reference = mean(values), mean(other_values)
    assert measured is not None and reference is not None
    gain = reference - measured if metric.less_than is not None else measured - reference
    return "met" if gain > metric.by - metric.within else "not met"


def combined_verdict(metrics: Sequence[MetricVerdict]) -> Verdict:
    """The worst of the metrics' verdicts; "exceeded" where all that can exceed their claim do.

    "not measured" where all metrics are "not judged".
    """
    decided = [metric for metric in metrics if metric.verdict != "not judged"]
    if not decided:
        return "not measured"
    worst = worst_verdict([metric.verdict for metric in decided])
    if worst not in PASSED:
        return worst
    exceeded = [metric.verdict == "exceeded" for metric in decided if metric.can_exceed]
    return "exceeded" if exceeded and all(exceeded) else "met"


def worst_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that comes first in ORDER."""
    return min(verdicts, key=ORDER.index)
