"""Verdicts: of a measured metric on its claimed value, of a file, of a claim.

For n seeds with mean x̄ and standard deviation s, t the quantiles with n − 1 degrees of freedom:

- A claimed number c, which one run gave, is reproduced if c lies in x̄ ± t(0.975)·s·√(1 + 1/n),
  widened by half a unit of c's last printed digit, or within the stated tolerance. It is exceeded
  if x̄ is better and |x̄ − c| less half a unit is above t(0.95)·s·√(1 + 1/n).
- A limit L is reproduced if (x̄ − L)·√n / s is above t(0.95), with the sign of the limit, or if s
  is 0 and x̄ fulfils it; ours is consistent with L if x̄ alone fulfils it.
- A comparison with another file is reproduced if d̄·√n / s(d) is above t(0.95), d the differences
  of the n pairs less `by`; with infinite values if the sign test is below 0.05.
- What differs significantly the other way is refuted if the cause is given (that of a claimed
  number with the metric itself), else not reproduced.
- With n < 3 a verdict is "consistent with" where x̄ agrees, else "not reproduced". What follows from
  the network alone, and `same_as`, is equal or not for any n; with other numbers of seeds
  `same_as` is "consistent with" at best.
- A claim has the worst verdict of its judged metrics; exceeded if all that can be are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from ldl.compile import ClaimedMetric
from ldl.report.run_metrics import LAYER_METRICS, SHARES, NotMeasured, RunMetrics
from ldl.report.significance import ALPHA, is_beyond, p_greater, prediction_interval

Verdict = Literal[
    "exceeded",
    "reproduced",
    "consistent with",
    "not reproduced",
    "refuted",
    "not judged",
    "shortened",
    "not measured",
    "not run",
]
# From the worst to the best; the verdict of a claim is the worst of its metrics'. A metric that is
# "not judged" does not count. "shortened": the profile trained too briefly for a verdict.
ORDER: Final[tuple[Verdict, ...]] = (
    *("not run", "not measured", "shortened", "refuted"),
    *("not reproduced", "consistent with", "reproduced", "exceeded"),
)
JUDGED: Final = ORDER[3:]
PASSED: Final[tuple[Verdict, ...]] = ("exceeded", "reproduced")
FEW_SEEDS: Final = 3  # with fewer a verdict is "consistent with" at best
SEEDS: Final = ((60.0, 5), (600.0, 3), (math.inf, 1))  # (seconds of a run, seeds it should have)
ROUNDING: Final = 1e-9  # relative error allowed in a mean over seeds


@dataclass(frozen=True)
class MetricVerdict:
    """A metric of a claim with its measured values, one for each seed, and the verdict on it.

    `interval` is that for one further run, `p` the p-value of the test that decided.
    """

    metric: ClaimedMetric
    verdict: Verdict
    values: tuple[float, ...] = ()
    other_values: tuple[float, ...] = ()  # of the file that it is compared with
    reason: str = ""  # why there is no value
    valid_paths: tuple[str, ...] = ()  # that could have been meant
    interval: tuple[float, float] | None = None
    p: float | None = None
    printed: str = ""  # the claimed value as the file writes it

    @property
    def can_exceed(self) -> bool:
        """Whether the claim is a number that can be beaten: no target to hit, no other file."""
        metric = self.metric
        return has_target(metric) and metric.comparison != "near" and not is_exact(metric)

    @property
    def shown_interval(self) -> tuple[float, float] | None:
        """`interval` without what no share of samples can be: below 0, above 1."""
        path, ends = self.metric.measured, self.interval
        is_share = any(name in path for name in SHARES) and ".until:" not in path
        if ends is None or not is_share or self.metric.minus or not 0 <= (self.mean or 0) <= 1:
            return ends
        return max(ends[0], 0.0), min(ends[1], 1.0)

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


def has_target(metric: ClaimedMetric) -> bool:
    """Whether the verdict is on the claimed number: there is no limit and no other file."""
    has_limit = metric.at_least is not None or metric.at_most is not None
    return metric.is_number and not has_limit and not metric.other and not metric.is_not_judged


def is_exact(metric: ClaimedMetric) -> bool:
    """Whether the metric follows from the network alone, so that one seed is enough."""
    return metric.measured.partition(".")[0] in LAYER_METRICS or metric.same_as is not None


def seeds_wanted(seconds: float) -> int:
    """How many seeds a file should have whose runs take this long: 5, 3 or 1."""
    return next(seeds for limit, seeds in SEEDS if seconds < limit)


def half_unit(printed: str) -> float:
    """Half a unit of the last digit that is printed: 0.005 for 0.80; 0 for what is no number."""
    try:
        exponent = Decimal(printed.replace("_", "").strip("+")).as_tuple().exponent
    except InvalidOperation:
        return 0.0
    return 0.5 * 10.0**exponent if isinstance(exponent, int) else 0.0


def metric_verdict(
    metric: ClaimedMetric,
    runs: Sequence[RunMetrics],
    runs_of: Callable[[str], Sequence[RunMetrics] | str],
    printed: str = "",
    cause: str = "",
) -> MetricVerdict:
    """The verdict on one metric.

    `runs_of` gives another file's runs, or why there are none. `printed` is the claimed number as
    the file writes it, `cause` why limits and comparisons of the file may fail.
    """
    try:
        values = tuple(_value(run, metric.measured, metric.minus) for run in runs)
    except NotMeasured as error:
        return _not_measured(metric, error)
    if not values:
        return MetricVerdict(metric, "not run", reason="no run has ended")
    interval = prediction_interval(values)
    result = MetricVerdict(metric, "not judged", values, interval=interval, printed=printed)
    if metric.is_not_judged:
        return result
    if metric.other is not None:
        result = _compared_with_file(result, runs_of(metric.other))
    elif has_target(metric):
        result = _compared_with_number(result, half_unit(printed or f"{metric.claimed:.15g}"))
    else:
        result = _compared_with_limits(result)
    is_explained = metric.cause or (cause and not has_target(metric))
    if result.verdict == "refuted" and not is_explained:
        return replace(result, verdict="not reproduced")
    return result


def _not_measured(metric: ClaimedMetric, error: NotMeasured, where: str = "") -> MetricVerdict:
    reason = f"{where}{error}"
    return MetricVerdict(metric, "not measured", reason=reason, valid_paths=error.valid_paths)


def _value(run: RunMetrics, path: str, minus: str | None) -> float:
    value = run.measure(path) - (run.measure(minus) if minus else 0.0)
    if math.isnan(value):
        raise NotMeasured(f"`{path}` and `{minus}` were both never reached")
    return value


# Each of the following gives "refuted" where the opposite is significant, whether or not the cause
# is known: `metric_verdict` makes "not reproduced" of it where it is not.


def _compared_with_number(result: MetricVerdict, rounding: float) -> MetricVerdict:
    """Of one claimed number c, which a single run gave; it is rounded: c ± `rounding`.

    With three seeds or more: exceeded where a further run is better than c by the one-sided test;
    reproduced where c lies within the prediction interval, or within the tolerance that the
    document states. With fewer: consistent with c where ours is as good, or c lies within.
    """
    metric, values, claimed = result.metric, result.values, result.metric.claimed
    assert isinstance(claimed, float) and result.mean is not None
    sign = {"near": 0, "at_most": -1}.get(metric.comparison or "", 1)
    tolerance = max(metric.within, rounding) + ROUNDING * abs(claimed)
    is_near = abs(result.mean - claimed) <= tolerance
    if result.interval is not None:
        low, high = result.interval
        is_near |= low - rounding <= claimed <= high + rounding
    gains = [sign * (value - claimed) for value in values]
    agrees = is_near or sum(gains) > 0
    if is_exact(metric):
        return replace(result, verdict="reproduced" if is_near else "refuted")
    if len(values) < FEW_SEEDS:
        return replace(result, verdict="consistent with" if agrees else "not reproduced")
    if result.interval is None:  # some seeds never reach the value
        is_mixed = min(gains) <= 0 < max(gains)
        return replace(result, verdict="not reproduced" if is_mixed or not agrees else "reproduced")
    if sum(gains) > 0 and is_beyond(gains, tolerance):
        return replace(result, verdict="exceeded")
    return replace(result, verdict="reproduced" if agrees else "refuted")


def _compared_with_limits(result: MetricVerdict) -> MetricVerdict:
    """Of limits such as "> 0.97": the worst of both.

    With three seeds or more: reproduced where the one-sided t-test shows the mean beyond the limit,
    or all values are the same and fulfil it; consistent with it where the mean alone does.
    """
    low, high = bounds(result.metric)
    outcomes = []
    for limit, sign in ((low, 1), (high, -1)):
        if limit is not None:
            limit -= sign * (result.metric.within + ROUNDING * abs(limit))
            margins = [sign * (value - limit) for value in result.values]
            outcomes.append(_limit_outcome(margins, abs(limit), is_exact(result.metric)))
    verdict, p = min(outcomes, key=lambda outcome: ORDER.index(outcome[0]))
    return replace(result, verdict=verdict, p=p)


def _limit_outcome(
    margins: Sequence[float], scale: float, exact: bool
) -> tuple[Verdict, float | None]:
    """The verdict on a limit from how far each seed is beyond it, with the p-value."""
    fulfilled = sum(margins) >= 0
    if exact:
        return "reproduced" if fulfilled else "refuted", None
    if len(margins) < FEW_SEEDS:
        return "consistent with" if fulfilled else "not reproduced", None
    if min(margins) == max(margins):
        return "reproduced" if fulfilled else "refuted", None
    p = p_greater(margins, scale)
    if fulfilled:
        return "reproduced" if p < ALPHA else "consistent with", p
    opposite = p_greater([-margin for margin in margins], scale)
    return "refuted" if opposite < ALPHA else "not reproduced", p


def bounds(metric: ClaimedMetric) -> tuple[float | None, float | None]:
    """The lowest and the highest value that is accepted: the claimed number, if none is named."""
    if metric.at_least is not None or metric.at_most is not None:
        return metric.at_least, metric.at_most
    claimed = metric.claimed if isinstance(metric.claimed, float) else None
    return (None, claimed) if metric.comparison == "at_most" else (claimed, None)


def _compared_with_file(
    result: MetricVerdict, other_runs: Sequence[RunMetrics] | str
) -> MetricVerdict:
    """Less or greater: by the paired one-sided t-test over seeds; fewer than three: by the means.

    The same: pair by pair, bit for bit unless `within`; consistent with it where values are left.
    """
    metric = result.metric
    if isinstance(other_runs, str):
        reason = f"{metric.other}, which it is compared with: {other_runs}"
        return replace(result, verdict="not measured", reason=reason)
    try:
        path = metric.other_measured or metric.measured
        others = tuple(_value(run, path, metric.minus) for run in other_runs)
    except NotMeasured as error:
        return replace(_not_measured(metric, error, f"in {metric.other}: "), values=result.values)
    result = replace(result, other_values=others)
    if not others:
        return replace(result, verdict="not measured")
    pairs = list(zip(result.values, others, strict=False))  # by seed
    if metric.same_as is not None:
        same = all(a == b or abs(a - b) <= metric.within for a, b in pairs)
        agreed: Verdict = "reproduced" if len(result.values) == len(others) else "consistent with"
        return replace(result, verdict=agreed if same else "refuted")
    sign = -1 if metric.less_than is not None else 1
    gains = [sign * (a - b) for a, b in pairs]
    beyond = [gain - metric.by for gain in gains]
    if is_exact(metric) or len(gains) < FEW_SEEDS:
        certain: tuple[Verdict, Verdict] = ("reproduced", "refuted")
        uncertain: tuple[Verdict, Verdict] = ("consistent with", "not reproduced")
        yes, no = certain if is_exact(metric) else uncertain
        return replace(result, verdict=yes if sum(beyond) > 0 else no)
    finite = [abs(value) for pair in pairs for value in pair if math.isfinite(value)]
    scale = max(finite, default=0.0)
    p = p_greater(beyond, scale)
    if p < ALPHA:
        return replace(result, verdict="reproduced", p=p)
    opposite = p_greater([-gain for gain in gains], scale) < ALPHA
    return replace(result, verdict="refuted" if opposite else "not reproduced", p=p)


def combined_verdict(metrics: Sequence[MetricVerdict]) -> Verdict:
    """The worst of the metrics' verdicts; "exceeded" where all that can exceed their claim do.

    "not judged" where all metrics are.
    """
    worst = worst_verdict([metric.verdict for metric in metrics])
    if worst not in PASSED:
        return worst
    exceeded = [metric.verdict == "exceeded" for metric in metrics if metric.can_exceed]
    return "exceeded" if exceeded and all(exceeded) else "reproduced"


def worst_verdict(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that comes first in ORDER, of those that are judged; else "not judged"."""
    judged = [verdict for verdict in verdicts if verdict != "not judged"]
    return min(judged, key=ORDER.index) if judged else "not judged"
