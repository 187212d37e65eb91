"""Line charts: the numbers of an SVG that keeps its height and takes the width of the page.

The curves are drawn in units of 1000 × 1000 and stretched; line widths and text are not.
The macro `line_chart` draws them, page.js shows the values under the pointer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from ldl.report.number_format import format_number

AREA_HEIGHT: Final = 220  # pixels of the plotting area
LABEL_HEIGHT: Final = 24  # pixels below it
UNITS: Final = 1000
BUCKETS: Final = 200  # of epochs; the lowest and the highest value of each are drawn
LOG_RATIO: Final = 10.0  # largest over smallest value, from which on the scale is logarithmic
LARGEST: Final = 1e100  # larger values count as infinite
SAME: Final = 1e-9  # relative difference below which values are the same
COLOURS: Final = 8  # in the style sheet


@dataclass(frozen=True)
class Series:
    """One curve; None where it has no value."""

    name: str
    values: Sequence[float | None]
    colour: int | None = None  # index in the style sheet; None: its position in the chart


@dataclass(frozen=True)
class LineChart:
    """A chart ready to be drawn: positions as SVG takes them, styles as CSS classes."""

    caption: str
    description: str  # for screen readers
    data: str  # JSON for page.js
    legend: list[tuple[str, str]]  # (name, style)
    y_ticks: list[tuple[str, str]]  # (y, text)
    x_ticks: list[tuple[str, str, str | None]]  # (x, text, style)
    curves: list[tuple[str, str]]  # (path, style)
    kept_epoch_x: str | None  # of the epoch whose weights were kept
    height: ClassVar[int] = AREA_HEIGHT + LABEL_HEIGHT
    area_height: ClassVar[int] = AREA_HEIGHT
    units: ClassVar[int] = UNITS


@dataclass(frozen=True)
class ValueScale:
    """Maps values to fractions of the height, from 0 at the bottom to 1 at the top."""

    low: float
    high: float
    logarithmic: bool

    def __call__(self, value: float) -> float:
        if self.logarithmic:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def y(self, value: float) -> str:
        """Pixels from the top."""
        return f"{AREA_HEIGHT * (1.0 - self(value)):.1f}"

    @property
    def ticks(self) -> list[float]:
        """About five round values between the ends."""
        if self.logarithmic:
            return _log_ticks(self.low, self.high)
        return round_ticks(self.low, self.high, 5)


@dataclass(frozen=True)
class EpochScale:
    """Maps epochs to fractions of the width."""

    first: float
    last: float

    def __call__(self, epoch: float) -> float:
        return (epoch - self.first) / (self.last - self.first)

    @property
    def ticks(self) -> list[float]:
        """Whole numbers: the first epoch, and round ones that do not overlap it."""
        ticks = [tick for tick in round_ticks(self.first, self.last, 5) if tick == int(tick)]
        if self.first != int(self.first):
            return ticks
        distance = 0.08 * (self.last - self.first)
        return [self.first, *(tick for tick in ticks if tick - self.first > distance)]


def line_chart(
    title: str, x: Sequence[float], series: Sequence[Series], kept: float | None = None
) -> LineChart | None:
    """The chart of these curves over `x`; None where no curve has a value.

    `kept` is the x of a dotted upright line: the epoch whose weights were kept.
    """
    series = [curve for curve in series if any(_is_drawable(value) for value in curve.values)]
    if not series or not x:
        return None
    values = [v for curve in series for v in curve.values if v is not None and _is_drawable(v)]
    scale = value_scale(values)
    low, high = min(x), max(x)
    epochs = EpochScale(low, high) if high > low else EpochScale(low - 0.5, high + 0.5)
    indices = thinned(x, series)
    styles = [f"curve c{_colour(curve, i)}" for i, curve in enumerate(series)]
    names = [curve.name for curve in series]
    paths = [_path([(epochs(x[i]), curve.values[i]) for i in indices], scale) for curve in series]
    kept_epoch_x = None
    if kept is not None and epochs.first <= kept <= epochs.last:
        kept_epoch_x = f"{100 * epochs(kept):.2f}%"
    return LineChart(
        caption=f"{title} (logarithmic)" if scale.logarithmic else title,
        description=chart_description(title, x, series),
        data=_data([x[i] for i in indices], series, indices, scale, epochs, kept),
        legend=list(zip(names, styles, strict=True)),
        y_ticks=[(scale.y(tick), format_number(tick)) for tick in scale.ticks],
        x_ticks=[
            (f"{100 * epochs(tick):.2f}%", format_number(tick), _edge(epochs(tick)))
            for tick in epochs.ticks
        ],
        curves=list(zip(paths, styles, strict=True)),
        kept_epoch_x=kept_epoch_x,
    )


def _data(
    x: Sequence[float],
    series: Sequence[Series],
    indices: Sequence[int],
    scale: ValueScale,
    epochs: EpochScale,
    kept: float | None,
) -> str:
    """The points that are drawn and the scales, as page.js reads them."""
    data = {
        "x": x,
        "low": scale.low,
        "high": scale.high,
        "log": scale.logarithmic,
        "from": epochs.first,
        "to": epochs.last,
        "kept": kept,
        "series": [
            {
                "name": curve.name,
                "values": [_rounded(curve.values[i]) for i in indices],
                "colour": _colour(curve, position),
            }
            for position, curve in enumerate(series)
        ],
    }
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def value_scale(values: Sequence[float]) -> ValueScale:
    """Logarithmic for positive values that differ tenfold; with a margin at both ends.

    Values that end at 1 are shares and get no margin above; constant ones are drawn with 0.
    """
    low, high = min(values), max(values)
    if low > 1 / LARGEST and high >= LOG_RATIO * low:
        margin = (high / low) ** 0.03
        return ValueScale(low / margin, high * margin, True)
    size = max(abs(low), abs(high))
    if size <= 1 / LARGEST:
        return ValueScale(-1.0, 1.0, False)
    if high - low <= SAME * size:
        return ValueScale(min(1.5 * low, 0.0), max(high if high == 1 else 1.5 * high, 0.0), False)
    margin = 0.04 * (high - low)
    floor = max(low - margin, 0.0) if low >= 0 else low - margin
    return ValueScale(floor, 1.0 if high == 1 else high + margin, False)


def chart_description(title: str, x: Sequence[float], series: Sequence[Series]) -> str:
    """The chart in words: the first, last, lowest and highest value of each curve."""
    texts = []
    for curve in series:
        points = [
            (epoch, v)
            for epoch, v in zip(x, curve.values, strict=True)
            if v is not None and _is_drawable(v)
        ]
        (_, first), (_, last) = points[0], points[-1]
        at_low, low = min(points, key=lambda point: point[1])
        at_high, high = max(points, key=lambda point: point[1])
        texts.append(
            f"{curve.name} from {format_number(first)} to {format_number(last)}, "
            f"lowest {format_number(low)} at {format_number(at_low)}, "
            f"highest {format_number(high)} at {format_number(at_high)}"
        )
    return f"{title}. {'; '.join(texts)}."


def thinned(x: Sequence[float], series: Sequence[Series]) -> list[int]:
    """Indices to draw: all of a short curve, else the extremes of each bucket: no peak is lost."""
    count = len(x)
    if count <= 2 * BUCKETS:
        return list(range(count))
    indices = {0, count - 1}
    for bucket in range(BUCKETS):
        in_bucket = range(bucket * count // BUCKETS, (bucket + 1) * count // BUCKETS)
        for curve in series:
            values = {i: curve.values[i] or 0.0 for i in in_bucket if _is_drawable(curve.values[i])}
            if values:
                indices.add(min(values, key=values.__getitem__))
                indices.add(max(values, key=values.__getitem__))
    return sorted(indices)


def round_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` multiples of 1, 2 or 5 · 10ᵏ. Source: Heckbert, Nice numbers, 1990."""
    rough_step = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough_step))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough_step * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """At most six powers of ten; with fewer than three of them also their 2- and 5-folds."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    powers = [10.0**k for k in exponents if low <= 10.0**k <= high]
    if len(powers) > 6:
        return powers[:: -(-len(powers) // 6)]
    if len(powers) >= 3:
        return powers
    finer = [digit * 10.0**k for k in exponents for digit in (1, 2, 5)]
    return [value for value in finer if low <= value <= high]


def _is_drawable(value: float | None) -> bool:
    return value is not None and abs(value) < LARGEST


def _rounded(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and _is_drawable(value) else None


def _colour(curve: Series, position: int) -> int:
    return (position if curve.colour is None else curve.colour) % COLOURS


def _edge(fraction: float) -> str | None:
    """The class of a label that would stick out at an end of the axis."""
    return "first" if fraction < 0.03 else "last" if fraction > 0.97 else None


def _path(points: Sequence[tuple[float, float | None]], scale: ValueScale) -> str:
    """SVG path commands: a gap where there is no value, a dot for a value between two gaps."""
    commands, pen_down = [], False
    for i, (x, value) in enumerate(points):
        if value is None or not _is_drawable(value):
            pen_down = False
            continue
        position = f"{UNITS * x:.1f} {UNITS * (1 - scale(value)):.1f}"
        commands.append(f"{'L' if pen_down else 'M'}{position}")
        next_value = points[i + 1][1] if i + 1 < len(points) else None
        if not pen_down and not _is_drawable(next_value):
            commands.append("h0.01")
        pen_down = True
    return "".join(commands)
