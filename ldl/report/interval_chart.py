"""Small plots of a metric: a dot for each seed, an interval, and what the document claims."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ldl.report.chart import round_ticks
from ldl.report.number_format import format_number
from ldl.report.significance import mean_interval
from ldl.report.verdicts import MetricVerdict, bounds, has_target, is_exact

MARGIN: Final = 0.12  # of the range of values, at both ends of the axis
FURTHER_RUN: Final = "95 % interval for a further run"
MEAN: Final = "90 % interval of the mean"


@dataclass(frozen=True)
class IntervalChart:
    """A plot ready to be drawn: positions along the axis as percentages."""

    title: str
    bar: tuple[str, str] | None  # left end and width of the interval
    bar_name: str
    dots: list[str]
    marks: list[tuple[str, str, str]]  # of claimed values: (x, text, style)
    ticks: list[tuple[str, str, str]]  # of the axis: (x, text, style)
    description: str  # for screen readers


def interval_chart(result: MetricVerdict) -> IntervalChart | None:
    """The plot of a metric; None where it has nothing to show: no values, exact or equal ones.

    In a comparison of two files it shows the differences of pairs, with their limit as the mark.
    """
    metric = result.metric
    values, title, bar_name = list(result.values), metric.name, MEAN
    if metric.other is not None:
        pairs = zip(result.values, result.other_values, strict=False)
        values = [a - b for a, b in pairs]
        title = f"{metric.name}: difference to {metric.other}"
        marks = [(metric.by if metric.greater_than else -metric.by, "limit")]
        interval = mean_interval(values)
    elif metric.is_number and (has_target(metric) or metric.is_not_judged):
        assert isinstance(metric.claimed, float)
        marks = [(metric.claimed, "claimed")]
        interval, bar_name = result.shown_interval, FURTHER_RUN
    else:
        marks = [(limit, "limit") for limit in bounds(metric) if limit is not None]
        interval = mean_interval(values)
    drawable = marks and values and all(map(math.isfinite, values))
    if is_exact(metric) or not drawable or {*values} == {place for place, _ in marks}:
        return None
    return _draw(title, values, interval, bar_name, marks)


def _draw(
    title: str,
    values: list[float],
    interval: tuple[float, float] | None,
    bar_name: str,
    marks: list[tuple[float, str]],
) -> IntervalChart:
    """The plot of these values on an axis that contains all of them."""
    places = [*values, *(interval or ()), *(place for place, _ in marks)]
    low: float = min(places)
    high: float = max(places)
    margin = float(MARGIN * (high - low) or 0.5 * abs(high) or 0.5)
    low, high = low - margin, high + margin

    def x(value: float) -> float:
        return 100 * (value - low) / (high - low)

    bar = (
        (f"{x(interval[0]):.2f}%", f"{x(interval[1]) - x(interval[0]):.2f}%") if interval else None
    )
    texts = [f"{name} {format_number(place)}" for place, name in marks]
    numbers = ", ".join(format_number(value) for value in values)
    ends = f"{bar_name} {' to '.join(map(format_number, interval))}; " if interval else ""
    return IntervalChart(
        title=title,
        bar=bar,
        bar_name=bar_name if bar else "",
        dots=[f"{x(value):.2f}%" for value in values],
        marks=[
            (f"{x(place):.2f}%", text, _anchor(x(place)))
            for (place, _), text in zip(marks, texts, strict=True)
        ],
        ticks=[
            (f"{x(tick):.2f}%", format_number(tick), _anchor(x(tick)))
            for tick in round_ticks(low, high, 4)
        ],
        description=f"{title}: {'; '.join(texts)}; {ends}measured {numbers}",
    )


def _anchor(x: float) -> str:
    """The class of a label that would stick out at an end of the axis."""
    return "first" if x < 14 else "last" if x > 86 else "middle"
