"""Line charts: scales, ticks, curves, their description."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldl.report.chart import BUCKETS, Series, line_chart, round_ticks, thinned, value_scale

from .helpers import Reader, macro


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=30),
    st.integers(1, 5),
)
def test_every_curve_stays_in_its_area(values: list[float | None], first: int) -> None:
    """Every path stays within the area; without a value there is no chart."""
    chart = line_chart("t", [first + i for i in range(len(values))], [Series("s", values)])
    if not any(value is not None and abs(value) < 1e100 for value in values):
        assert chart is None
        return
    svg = macro("line_chart", chart)
    for path in re.findall(r' d="([^"]*)"', svg):
        numbers = [float(word) for word in re.findall(r"-?[\d.]+", path.replace("h0.01", ""))]
        assert all(-0.5 <= value <= 1000.5 for value in numbers)
    data = json.loads(Reader(svg).all("div")[1]["data-chart"] or "")
    assert len(data["x"]) == len(data["series"][0]["values"]) == len(values)


def test_a_long_curve_keeps_its_peak() -> None:
    """The lowest and the highest value of each bucket are drawn."""
    values: list[float | None] = [1.0] * 10_000
    values[7777] = 99.0
    kept = thinned(list(range(10_000)), [Series("s", values)])
    assert 7777 in kept and {0, 9999} <= set(kept) and len(kept) <= 2 * BUCKETS + 2


def test_a_gap_separates_strokes() -> None:
    """A gap separates two strokes; a value between gaps is a dot."""
    svg = macro(
        "line_chart", line_chart("t", [1, 2, 3, 4, 5], [Series("s", [1.0, 2.0, None, 3.0, None])])
    )
    (path,) = re.findall(r' d="([^"]*)"', svg)
    assert path.count("M") == 2 and path.endswith("h0.01")


def test_scales() -> None:
    """Logarithmic from a ratio of ten; shares end at 1; constants are drawn with 0."""
    assert value_scale([0.01, 1.0]).logarithmic and not value_scale([0.0, 1.0]).logarithmic
    assert value_scale([0.5, 1.0]).high == 1.0
    assert value_scale([3.0]).low == 0.0 and value_scale([3.0])(3.0) == pytest.approx(2 / 3)
    assert value_scale([0.0])(0.0) == 0.5 and value_scale([-2.0])(-2.0) == pytest.approx(1 / 3)
    for low, high in ((0.01, 1.0), (1e-9, 1e9), (0.3, 4.0)):
        scale = value_scale([low, high])
        assert 2 <= len(scale.ticks) <= 12
        assert all(0 <= scale(tick) <= 1 for tick in scale.ticks)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_round_ticks(low: float, span: float) -> None:
    """Within the limits, ascending, between two and eleven."""
    ticks = round_ticks(low, low + span, 5)
    assert 2 <= len(ticks) <= 11 and ticks == sorted(ticks)
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)


def test_a_chart_has_a_description() -> None:
    """For screen readers: first, last, lowest and highest."""
    svg = macro(
        "line_chart",
        line_chart("Loss by epoch", [1, 2, 3], [Series("training", [3.0, 1.0, 2.0])], kept=2),
    )
    label = Reader(svg).all("svg")[2]["aria-label"]
    assert label == "Loss by epoch. training from 3 to 2, lowest 1 at 2, highest 3 at 1."
    assert "kept" in svg
