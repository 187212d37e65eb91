"""Our figures held against the claimed ones: a verdict a figure, a file and a claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ldl.compile import ClaimedMetric
from ldl.report.run_metrics import NotMeasured, RunMetrics

Verdict = Literal["bettered", "met", "not met", "shortened", "not measured", "not run", "shown"]
# From the worst that a claim can be told by to the best; what is only shown tells nothing. A run
# that the quick profile has shortened is no judgement.
ORDER: Final[tuple[Verdict, ...]] = (
    *("not run", "not measured", "shortened"),
    *("not met", "met", "bettered"),
)
ROUNDING: Final = 1e-9  # of a mean over seeds, relative


@dataclass(frozen=True)
class Judged:
    """A figure of ours beside the claimed one; `values` has one a seed."""

    figure: ClaimedMetric
    verdict: Verdict
    values: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()  # of the other file, where ours is judged by it
    reason: str = ""  # why there is no figure
    valid: tuple[str, ...] = ()  # paths that could have been meant

    @property
    def able(self) -> bool:
        """Whether it could be better than what was claimed: that is a number, and not to be hit."""
        figure = self.figure
        return figure.is_number and figure.other is None and figure.sense not in ("near", "shown")

    @property
    def mean(self) -> float | None:
        """The mean over seeds."""
        return mean(self.values)

    @property
    def spread(self) -> float | None:
        """The standard deviation over seeds, with n − 1; None for a single one."""
        return spread(self.values)


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation, with n − 1; None of fewer than two finite values."""
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return None
    return statistics.stdev(values)


def judge(
    figure: ClaimedMetric,
    runs: Sequence[RunMetrics],
    others: Callable[[str], Sequence[RunMetrics] | str],
) -> Judged:
    """The verdict on one figure. `others` gives the runs of another file, or why there are none."""
    try:
        values = tuple(_value(facts, figure.measured, figure.minus) for facts in runs)
    except NotMeasured as error:
        return Judged(figure, "not measured", reason=str(error), valid=error.valid)
    if not values:
        return Judged(figure, "not run", reason="no run has ended")
    if figure.other is None:
        return Judged(figure, _against_numbers(figure, values), values)
    found = others(figure.other)
    if isinstance(found, str):
        reason = f"{figure.other}, which it is judged by: {found}"
        return Judged(figure, "not measured", values, reason=reason)
    try:
        path = figure.theirs or figure.measured
        theirs = tuple(_value(facts, path, figure.minus) for facts in found)
    except NotMeasured as error:
        reason = f"in {figure.other}: {error}"
        return Judged(figure, "not measured", values, reason=reason, valid=error.valid)
    return Judged(figure, _against_others(figure, values, theirs), values, theirs)


def _value(facts: RunMetrics, path: str, minus: str | None) -> float:
    found = facts.measure(path) - (facts.measure(minus) if minus else 0.0)
    if math.isnan(found):
        raise NotMeasured(f"`{path}` and `{minus}` were both never reached")
    return found


def _against_numbers(figure: ClaimedMetric, values: Sequence[float]) -> Verdict:
    """At least, at most or near: met by the mean; bettered by more than the standard deviation."""
    ours = mean(values)
    assert ours is not None
    if figure.sense == "shown":
        return "shown"
    room = figure.within
    if figure.sense == "near":
        assert isinstance(figure.claimed, float)
        return "met" if abs(ours - figure.claimed) <= room + _slack(figure.claimed) else "not met"
    low, high = limits(figure)
    if low is not None and ours < low - room - _slack(low):
        return "not met"
    if high is not None and ours > high + room + _slack(high):
        return "not met"
    if not isinstance(figure.claimed, float):
        return "met"
    margin = spread(values) or 0.0
    above = figure.sense != "at_most" and (low is not None or high is None)
    gain = ours - figure.claimed if above else figure.claimed - ours
    return "bettered" if gain > margin + _slack(figure.claimed) else "met"


def limits(figure: ClaimedMetric) -> tuple[float | None, float | None]:
    """The lowest and the highest value that is in order; nothing said is the claimed number."""
    if figure.at_least is not None or figure.at_most is not None:
        return figure.at_least, figure.at_most
    claimed = figure.claimed if isinstance(figure.claimed, float) else None
    return (None, claimed) if figure.sense == "at_most" else (claimed, None)


def _slack(limit: float) -> float:
    """What rounding in a mean may take from it."""
    return ROUNDING * abs(limit)


def _against_others(
    figure: ClaimedMetric, values: Sequence[float], theirs: Sequence[float]
) -> Verdict:
    """Less or greater: by the means. The same: value by value, bit for bit unless `within`."""
    if not theirs:
        return "not measured"
    if figure.same_as is not None:
        pairs = list(zip(values, theirs, strict=False))
        same = all(a == b or abs(a - b) <= figure.within for a, b in pairs)
        return "met" if same and len(values) == len(theirs) else "not met"
    ours, other = mean(values), mean(theirs)
    assert ours is not None and other is not None
    gain = other - ours if figure.less_than is not None else ours - other
    return "met" if gain > figure.by - figure.within else "not met"


def verdict_of(figures: Sequence[Judged]) -> Verdict:
    """What figures together tell: the worst; bettered where all are that can be, and none fails.

    Without a figure that is judged there is nothing to be met by: "not measured".
    """
    judged = [each for each in figures if each.verdict != "shown"]
    if not judged:
        return "not measured"
    lowest = worst([each.verdict for each in judged])
    if lowest not in ("met", "bettered"):
        return lowest
    able = [each.verdict == "bettered" for each in judged if each.able]
    return "bettered" if able and all(able) else "met"


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The one that stands first in ORDER."""
    return min(verdicts, key=ORDER.index)
