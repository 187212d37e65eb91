"""Plots of metrics: what stands where on the axis, in which words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ldl.compile import ClaimedMetric
from ldl.report.interval_chart import IntervalChart, interval_chart
from ldl.report.significance import mean_interval, prediction_interval
from ldl.report.verdicts import MetricVerdict


def chart(*values: float, others: tuple[float, ...] = (), **settings: Any) -> IntervalChart | None:
    """The plot of a metric with these values."""
    metric = ClaimedMetric(**{"name": "f", "measured": "r.v", **settings})
    interval = prediction_interval(values)
    return interval_chart(MetricVerdict(metric, "reproduced", values, others, interval=interval))


def axis(drawn: IntervalChart) -> dict[float, float]:
    """The positions of the axis by its numbers."""
    return {float(text.replace("\u2212", "-")): float(x[:-1]) for x, text, _ in drawn.ticks}


def place(drawn: IntervalChart, x: str) -> float:
    """The value at a position, by the numbers of the axis."""
    (a, at_a), *_, (b, at_b) = axis(drawn).items()
    return a + (float(x[:-1]) - at_a) * (b - a) / (at_b - at_a)


def test_positions_are_those_of_the_axis() -> None:
    """Of the seeds, of the claimed number, of the ends of the interval."""
    drawn = chart(0.5, 0.6, 0.7, claimed=0.9)
    assert drawn is not None and drawn.bar is not None
    assert [place(drawn, x) for x in drawn.dots] == pytest.approx([0.5, 0.6, 0.7], abs=1e-3)
    ((x, text, _),) = drawn.marks
    assert place(drawn, x) == pytest.approx(0.9, abs=1e-3) and text == "claimed 0.9"
    low, high = prediction_interval([0.5, 0.6, 0.7]) or (0.0, 0.0)
    assert place(drawn, drawn.bar[0]) == pytest.approx(low, abs=1e-3)
    right = float(drawn.bar[0][:-1]) + float(drawn.bar[1][:-1])
    assert place(drawn, f"{right}%") == pytest.approx(high, abs=1e-3)
    for word in ("claimed 0.9", "further run", "measured 0.5, 0.6, 0.7"):
        assert word in drawn.description


def test_a_comparison_shows_differences() -> None:
    """Of pairs, with the limit, and the interval of their mean."""
    drawn = chart(1.0, 2.0, 3.0, others=(1.5, 2.7, 3.2), less_than="e4", by=0.1)
    assert drawn is not None and drawn.title == "f: difference to e4"
    assert [place(drawn, x) for x in drawn.dots] == pytest.approx([-0.5, -0.7, -0.2], abs=5e-3)
    assert place(drawn, drawn.marks[0][0]) == pytest.approx(-0.1, abs=5e-3)
    low, _ = mean_interval([-0.5, -0.7, -0.2]) or (0.0, 0.0)
    assert drawn.bar is not None and place(drawn, drawn.bar[0]) == pytest.approx(low, abs=5e-3)


def test_limits_are_marked() -> None:
    """Both of them."""
    drawn = chart(0.5, at_least=0.4, at_most=0.6)
    assert drawn is not None and drawn.bar is None
    assert [text for _, text, _ in drawn.marks] == ["limit 0.4", "limit 0.6"]


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        ([435536.0], {"claimed": 435536.0, "measured": "parameters"}),
        ([3.0, 3.0], {"claimed": 3.0}),
        ([math.inf, 3.0], {"claimed": 3.0}),
        ([], {"claimed": 3.0}),
        ([3.0, 4.0], {"comparison": "not_judged"}),
    ],
)
def test_nothing_to_draw(values: list[float], settings: dict[str, Any]) -> None:
    """What is exact, equal, never reached, absent, or has nothing to compare with."""
    assert chart(*values, **settings) is None
