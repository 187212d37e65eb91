"""A line chart as SVG that keeps its height and takes the page's width; a script adds the reading.

The curves are drawn in units of 1000 × 1000 and stretched, their lines not; text stands outside.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ldl.report.markup import Safe, join, tag
from ldl.report.number_format import number

HEIGHT: Final = 220  # pixels of the plotting area
BELOW: Final = 24  # of the labels under it
UNITS: Final = 1000
BUCKETS: Final = 200  # of epochs; of each the lowest and the highest value are drawn
LOG_FROM: Final = 10.0  # the largest value over the smallest
FAR: Final = 1e100
ALIKE: Final = 1e-9  # a difference, relative, below which values are the same
COLOURS: Final = 8  # that the style sheet knows


@dataclass(frozen=True)
class Series:
    """One curve; None where it has no value."""

    name: str
    values: Sequence[float | None]
    dashed: bool = False
    colour: int | None = None  # of the style sheet's; None: its place in the chart


@dataclass(frozen=True)
class Scale:
    """Values to fractions of the height, from 0 at the bottom to 1 at the top."""

    low: float
    high: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        if self.logarithmic:
            span = math.log(self.high / self.low)
            return math.log(value / self.low) / span
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """About five round values within."""
        if self.logarithmic:
            return _log_ticks(self.low, self.high)
        return round_ticks(self.low, self.high, 5)


def chart(
    title: str, x: Sequence[float], series: Sequence[Series], mark: float | None = None
) -> Safe:
    """A figure with its caption and legend; "" where no curve has a value.

    `mark` is the x of a dotted upright line: the epoch whose weights were kept.
    """
    series = [each for each in series if any(_known(value) for value in each.values)]
    if not series or not x:
        return Safe("")
    scale = scale_of([v for each in series for v in each.values if v is not None and _known(v)])
    chosen = thinned(x, series)
    across = (min(x), max(x)) if max(x) > min(x) else (min(x) - 0.5, max(x) + 0.5)
    data = {
        "x": [x[i] for i in chosen],
        "low": scale.low,
        "high": scale.high,
        "log": scale.logarithmic,
        "from": across[0],
        "to": across[1],
        "mark": mark,
        "series": [
            {
                "name": each.name,
                "values": [_short(each.values[i]) for i in chosen],
                "colour": _colour(each, n),
            }
            for n, each in enumerate(series)
        ],
    }
    caption = f"{title} (logarithmic)" if scale.logarithmic else title
    plot = tag(
        "div",
        _labels(scale),
        tag(
            "div",
            _area(scale, across, chosen, x, series, mark, summary(title, x, series)),
            class_="area",
            data_chart=json.dumps(data, separators=(",", ":"), ensure_ascii=False),
        ),
        class_="plot",
    )
    return tag("figure", tag("figcaption", caption), _legend(series), plot, class_="chart")


def scale_of(values: Sequence[float]) -> Scale:
    """Logarithmic where all are positive and differ ten times; a little room at the ends.

    What ends at 1 is a share and has no room above; what never changes is shown against 0.
    """
    low, high = min(values), max(values)
    if low > 1 / FAR and high >= LOG_FROM * low:
        room = (high / low) ** 0.03
        return Scale(low / room, high * room, True)
    size = max(abs(low), abs(high))
    if size <= 1 / FAR:
        return Scale(-1.0, 1.0, False)
    if high - low <= ALIKE * size:
        return Scale(min(1.5 * low, 0.0), max(high if high == 1 else 1.5 * high, 0.0), False)
    room = 0.04 * (high - low)
    floor = max(low - room, 0.0) if low >= 0 else low - room
    return Scale(floor, 1.0 if high == 1 else high + room, False)


def summary(title: str, x: Sequence[float], series: Sequence[Series]) -> str:
    """What the chart shows, for who cannot see it: each curve's first, lowest, highest, last."""
    told = []
    for each in series:
        pairs = [(a, v) for a, v in zip(x, each.values, strict=True) if v is not None and _known(v)]
        (_, first), (_, last) = pairs[0], pairs[-1]
        at_low, low = min(pairs, key=lambda pair: pair[1])
        at_high, high = max(pairs, key=lambda pair: pair[1])
        told.append(
            f"{each.name} from {number(first)} to {number(last)}, lowest {number(low)} at "
            f"{number(at_low)}, highest {number(high)} at {number(at_high)}"
        )
    return f"{title}. {'; '.join(told)}."


def thinned(x: Sequence[float], series: Sequence[Series]) -> list[int]:
    """Places to draw: all of a short curve, else each bucket's extremes, so no peak is lost."""
    count = len(x)
    if count <= 2 * BUCKETS:
        return list(range(count))
    chosen = {0, count - 1}
    for bucket in range(BUCKETS):
        places = range(bucket * count // BUCKETS, (bucket + 1) * count // BUCKETS)
        for each in series:
            known = [i for i in places if _known(each.values[i])]
            if known:
                chosen.add(min(known, key=lambda i: each.values[i] or 0.0))
                chosen.add(max(known, key=lambda i: each.values[i] or 0.0))
    return sorted(chosen)


def round_ticks(low: float, high: float, about: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten. Source: Heckbert, Nice numbers, 1990."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    within = [10.0**d for d in decades if low <= 10.0**d <= high]
    if len(within) > 6:
        return within[:: -(-len(within) // 6)]
    if len(within) >= 3:
        return within
    finer = [digit * 10.0**d for d in decades for digit in (1, 2, 5)]
    return [value for value in finer if low <= value <= high]


def _known(value: float | None) -> bool:
    """Whether there is a value to draw; what is beyond all bounds counts as infinite."""
    return value is not None and abs(value) < FAR


def _short(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and _known(value) else None


def _colour(series: Series, place: int) -> int:
    return (place if series.colour is None else series.colour) % COLOURS


def _legend(series: Sequence[Series]) -> Safe:
    items = [
        tag(
            "li",
            tag(
                "svg",
                tag("line", x1=0, y1=6, x2=24, y2=6, class_=_stroke(each, n)),
                width=24,
                height=12,
                aria_hidden="true",
            ),
            each.name,
        )
        for n, each in enumerate(series)
    ]
    return tag("ul", items, class_="legend")


def _stroke(series: Series, place: int) -> str:
    return f"curve c{_colour(series, place)}" + (" dashed" if series.dashed else "")


def _labels(scale: Scale) -> Safe:
    """The numbers at the left."""
    texts = [
        tag("text", number(tick), x=50, y=f"{_down(scale(tick)):.1f}", dy="0.32em")
        for tick in scale.ticks
    ]
    height = HEIGHT + BELOW
    return tag("svg", texts, class_="labels", width=56, height=height, aria_hidden="true")


def _down(fraction: float) -> float:
    """A fraction of the height in pixels from the top."""
    return HEIGHT * (1.0 - fraction)


def _area(
    scale: Scale,
    across: tuple[float, float],
    chosen: Sequence[int],
    x: Sequence[float],
    series: Sequence[Series],
    mark: float | None,
    told: str,
) -> Safe:
    """Grid, curves, numbers below."""

    def right(value: float) -> float:
        return (value - across[0]) / (across[1] - across[0])

    grid = [
        tag("line", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid")
        for y in (_down(scale(tick)) for tick in scale.ticks)
    ]
    under = [
        tag(
            "text",
            number(tick),
            x=f"{100 * right(tick):.2f}%",
            y=HEIGHT + 17,
            class_=_end(right(tick)),
        )
        for tick in _epochs(*across)
    ]
    paths = [
        tag(
            "path",
            d=_path([(right(x[i]), each.values[i]) for i in chosen], scale),
            class_=_stroke(each, n),
        )
        for n, each in enumerate(series)
    ]
    kept = []
    if mark is not None and across[0] <= mark <= across[1]:
        place = f"{100 * right(mark):.2f}%"
        kept.append(tag("line", x1=place, x2=place, y1=0, y2=HEIGHT, class_="kept"))
    curves = tag(
        "svg",
        paths,
        viewBox=f"0 0 {UNITS} {UNITS}",
        preserveAspectRatio="none",
        width="100%",
        height=HEIGHT,
        overflow="visible",
    )
    inner = join([*grid, *kept, curves, *under])
    return tag("svg", inner, width="100%", height=HEIGHT + BELOW, role="img", aria_label=told)


def _epochs(first: float, last: float) -> list[float]:
    """Whole numbers below the axis: the first, and round ones that do not crowd it."""
    round_ones = [tick for tick in round_ticks(first, last, 5) if tick == int(tick)]
    room = 0.08 * (last - first)
    begin = [first] if first == int(first) else []
    return begin + [tick for tick in round_ones if not begin or tick - first > room]


def _end(fraction: float) -> str | None:
    """The class of a label that would stick out at an end."""
    return "first" if fraction < 0.03 else "last" if fraction > 0.97 else None


def _path(points: Sequence[tuple[float, float | None]], scale: Scale) -> str:
    """Moves and lines; a gap where there is no value, a dot where one stands alone."""
    pieces, pen = [], False
    for i, (right, value) in enumerate(points):
        if value is None or not _known(value):
            pen = False
            continue
        place = f"{UNITS * right:.1f} {UNITS * (1 - scale(value)):.1f}"
        pieces.append(f"{'L' if pen else 'M'}{place}")
        following = points[i + 1][1] if i + 1 < len(points) else None
        if not pen and not _known(following):
            pieces.append("h0.01")
        pen = True
    return "".join(pieces)
