"""The parts of pages: markup, numbers, charts, pictures."""

from __future__ import annotations

import io
import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ldl.report.chart import BUCKETS, Series, chart, round_ticks, scale_of, thinned
from ldl.report.markup import Safe, prose, table, tag
from ldl.report.number_format import duration, mean_and_spread, number, words
from ldl.report.plot_files import WIDTH, Picture, chosen, size, small
from ldl.report.result_tables import evaluation, even

from .helpers import Reader, made_run

# --- markup ---------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    """As content and as attribute, and it opens no tag."""
    page = Reader(tag("p", text, title=text))
    assert [name for name, _ in page.tags] == ["p"]
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    assert "".join(page.words).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "") in (
        wanted,
        wanted.replace("\0", "\ufffd"),
    )


def test_tags() -> None:
    """Attributes by their Python names; None and False leave them out; markup stays markup."""
    made = tag("a", "x", Safe("<b>y</b>"), ["z", None], class_="c", data_x=1, hidden=True, id=None)
    assert made == '<a class="c" data-x="1" hidden>x<b>y</b>z</a>'
    assert tag("img", alt='"') == '<img alt="&quot;"/>'


def test_a_table() -> None:
    """A caption, headings with their scope; a stacked one names each cell's column."""
    made = table("Cap", ("a", "b"), [["r", "1"]], numbers=(1,), stacked=True)
    page = Reader(made)
    assert [each.get("scope") for each in page.all("th")] == ["col", "col", "row"]
    assert page.all("td")[0]["data-label"] == "b" and "Cap" in page.text
    assert page.all("div")[0]["tabindex"] == "0"


def test_code_in_prose() -> None:
    """Between backticks; an odd one is a backtick."""
    assert prose("see `ldl <x>`.") == "see <code>ldl &lt;x&gt;</code>."
    assert prose("one ` alone") == "one ` alone"


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (1.0, "1"),
        (300, "300"),
        (435536, "435\u202f536"),
        (26341.7, "26\u202f342"),
        (-0.5, "−0.5"),
        (1.5e-7, "1.5e−07"),
        (None, "–"),
        (True, "yes"),
        (math.inf, "∞"),
        ("word", "word"),
    ],
)
def test_numbers(value: object, text: str) -> None:
    """Four digits that count, a true minus."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("mean", "spread", "text"),
    [
        (0.96412, 0.0063, "0.9641 ± 0.0063"),
        (12.3, 4.56, "12.3 ± 4.6"),
        (123.4, 45.0, "123 ± 45"),
        (0.9, None, "0.9"),
        (1.0, 0.0, "1"),
        (None, None, "–"),
        (-1.25, 0.1, "−1.25 ± 0.10"),
    ],
)
def test_mean_and_spread(mean: float | None, spread: float | None, text: str) -> None:
    """As many places as the spread has with two digits."""
    assert mean_and_spread(mean, spread).replace("\u202f", " ") == text


def test_durations_and_words() -> None:
    """In the unit that suits."""
    told = [duration(s).replace("\u202f", " ") for s in (0.04, 9.96, 59.6, 200, 7500)]
    assert told == ["0.0 s", "10 s", "60 s", "3 min 20 s", "2 h 5 min"]
    assert words("kl_divergence") == "KL divergence"


def test_points_in_line() -> None:
    """A column's fractions with as many places each; whole numbers as they are."""
    assert even([0.5, 1.0, 0.9722]) == ["0.5000", "1.0000", "0.9722"]
    assert even([35, 36]) == ["35", "36"]
    assert even([1.0, 2.0]) == ["1", "2"]
    assert even([0.5, None]) == ["0.5", "–"]


def test_results_of_any_shape() -> None:
    """Tables for like things, rows for the rest, long lists by their length."""
    found = {
        "part": "test", "samples": 3, "units": {"a": "m"}, "notes": ["careful"],
        "a": 1.0, "deep": {"er": {"est": 2.0}}, "list": [1, 2], "long": list(range(99)),
        "empty": {}, "classes": {"x": {"recall": 0.5}, "y": {"recall": 1.0}},
    }  # fmt: skip
    text = Reader(evaluation("some_thing", found)).text
    for word in (
        "Some thing",
        "3 samples",
        "careful",
        "deep er est",
        "1, 2",
        "99 values",
        "1.0000",
    ):
        assert word in text, word


# --- charts ---------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=30),
    st.integers(1, 5),
)
def test_every_curve_can_be_drawn(values: list[float | None], first: int) -> None:
    """Within its area, whatever the values; nothing at all without any."""
    made = chart("t", [first + i for i in range(len(values))], [Series("s", values)])
    if not any(value is not None and abs(value) < 1e100 for value in values):
        assert made == ""
        return
    for path in re.findall(r' d="([^"]*)"', made):
        numbers = [float(word) for word in re.findall(r"-?[\d.]+", path.replace("h0.01", ""))]
        assert all(-0.5 <= value <= 1000.5 for value in numbers)
    data = json.loads(Reader(made).all("div")[1]["data-chart"] or "")
    assert len(data["x"]) == len(data["series"][0]["values"]) == len(values)


def test_a_long_curve_keeps_its_peak() -> None:
    """Of each bucket the lowest and the highest are drawn."""
    values: list[float | None] = [1.0] * 10_000
    values[7777] = 99.0
    kept = thinned(list(range(10_000)), [Series("s", values)])
    assert 7777 in kept and {0, 9999} <= set(kept) and len(kept) <= 2 * BUCKETS + 2


def test_a_gap_lifts_the_pen() -> None:
    """Two strokes; a value that stands alone is a dot."""
    made = chart("t", [1, 2, 3, 4, 5], [Series("s", [1.0, 2.0, None, 3.0, None])])
    (path,) = re.findall(r' d="([^"]*)"', made)
    assert path.count("M") == 2 and path.endswith("h0.01")


def test_scales() -> None:
    """Logarithmic over ten times; a share ends at 1; what never changes stands above 0."""
    assert scale_of([0.01, 1.0]).logarithmic and not scale_of([0.0, 1.0]).logarithmic
    assert scale_of([0.5, 1.0]).high == 1.0
    assert scale_of([3.0]).low == 0.0 and scale_of([3.0])(3.0) == pytest.approx(2 / 3)
    assert scale_of([0.0])(0.0) == 0.5 and scale_of([-2.0])(-2.0) == pytest.approx(1 / 3)
    for low, high in ((0.01, 1.0), (1e-9, 1e9), (0.3, 4.0)):
        scale = scale_of([low, high])
        assert 2 <= len(scale.ticks) <= 12
        assert all(0 <= scale(tick) <= 1 for tick in scale.ticks)


@settings(deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_round_ticks(low: float, span: float) -> None:
    """Within, in order, and neither few nor many."""
    ticks = round_ticks(low, low + span, 5)
    assert 2 <= len(ticks) <= 11 and ticks == sorted(ticks)
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)


def test_the_chart_tells_what_it_shows() -> None:
    """For who cannot see it: first, last, lowest and highest."""
    made = chart("Loss by epoch", [1, 2, 3], [Series("training", [3.0, 1.0, 2.0])], mark=2)
    label = Reader(made).all("svg")[2]["aria-label"]
    assert label == "Loss by epoch. training from 3 to 2, lowest 1 at 2, highest 3 at 1."
    assert "kept" in made


# --- pictures -------------------------------------------------------------------------------


def png(path: Path, width: int = 1200, height: int = 300) -> None:
    """A picture with a gradient."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(path)


def test_which_pictures(tmp_path: Path) -> None:
    """Those that a claim names, in its order; else all but the optimizer's."""
    run = made_run(tmp_path)
    for name in ("plots/loss", "plots/optimizer", "plots/denoising", "contingency/noisy"):
        png(run.path / f"{name}.png", 8, 8)
    assert [p.name for p in chosen(run, None)] == [
        "plots/loss", "plots/denoising", "contingency/noisy",
    ]  # fmt: skip
    found = chosen(run, ["contingency/*", "optimizer", "plots/loss", "nothing"])
    assert [p.name for p in found] == ["contingency/noisy", "plots/optimizer", "plots/loss"]
    assert found[0].title == "Contingency matrix, noisy"


def test_small_pictures(tmp_path: Path) -> None:
    """Narrower and lighter, once; the size that the page says is the picture's."""
    png(tmp_path / "x.png")
    picture, cache = Picture(tmp_path / "x.png", "plots/x"), tmp_path / "cache"
    data = small(picture, cache)
    assert size(data) == (WIDTH, 190) == Image.open(io.BytesIO(data)).size
    assert len(data) <= (tmp_path / "x.png").stat().st_size
    (kept,) = cache.iterdir()
    kept.write_bytes(b"kept")
    assert small(picture, cache) == b"kept"
