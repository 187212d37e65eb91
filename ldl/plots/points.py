"""Figures of single samples as points: a regression's fit, the regions of the plane."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.plots import planes, style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = Mapping[str, Array]
_TARGETS = 4
_VALUES = "viridis"
_MANY = 40  # hyperplanes: from here on the lines are thinner


class Fit(NamedTuple):
    """One target's true and predicted values (n,), and the input (n,) where that is one number."""

    target: str
    true: Array
    predicted: Array
    x: Array | None = None
    feature: str = ""


def read_fit(path: Path) -> list[Fit]:
    """The fits of `fit.csv`, one a target; a row whose values are not finite is left out.

    Its columns are target, the input where that is one number, true, predicted.
    """
    with path.open(newline="", encoding="utf-8") as file:
        header, *table = list(csv.reader(file))
    fits = []
    for target in dict.fromkeys(row[0] for row in table):
        values = np.array([[float(cell) for cell in row[1:]] for row in table if row[0] == target])
        *x, true, predicted = values[np.isfinite(values).all(axis=1)].T
        fits.append(Fit(target, true, predicted, *((x[0], header[1]) if x else ())))
    return fits


def fit(fits: list[Fit], run: str) -> Figure | None:
    """Prediction against truth for up to four targets; for a single input also the fitted line."""
    fits = [one for one in fits if len(one.true)][:_TARGETS]
    if not fits:
        return None
    panels = [(one, kind) for one in fits for kind in ("line", "truth")]
    panels = [(one, kind) for one, kind in panels if kind == "truth" or one.x is not None]
    width = 4.3 * len(panels) + 0.2
    subtitle = f"{run} · {len(fits[0].true)} samples"
    fig = style.figure(max(width, 4.9), 4.6, "Regression fit", subtitle)
    for i, (one, kind) in enumerate(panels):
        left = 4.3 * i
        ax = style.axes(fig, left + 0.85, 0.58, max(width, 4.9) - left - 4.3, 0.95)
        (_line if kind == "line" else _truth)(ax, one)
        ax.grid()
        style.legend_above(ax)
    return fig


def regions(data: Arrays, run: str) -> Figure:
    """The answer over the plane, paler where a classifier is less sure, and the samples on it.

    With the lines of a first linear layer, and rings around what is misclassified, where the data
    has them.
    """
    classes = "classes" in data
    right = planes.room_for(data["names"]) if classes else 1.0
    title = "Decision regions" if classes else "Prediction by place"
    subtitle = f"{run} · {len(data['points'])} samples"
    if classes:
        subtitle += " · paler where less sure"
    fig = style.figure(5.2 + right, 5.86, title, subtitle)
    ax = style.axes(fig, 0.75, 0.58, right, 0.98)
    x, y = data["x"], data["y"]
    extent = (float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
    ax.set_xlabel(style.short(f"input {data['features'][0]}", 40))
    ax.set_ylabel(style.short(f"input {data['features'][1]}", 40))
    more = _paint_classes(ax, data, extent) if classes else _paint_values(fig, ax, data, extent)
    more += _hyperplanes(ax, data)
    beside = ax.get_legend()
    if more:
        if beside is not None:
            ax.add_artist(beside)
        style.legend_above(ax, handles=more)
    ax.set_xlim(*extent[:2])
    ax.set_ylim(*extent[2:])
    return fig


def _line(ax: Axes, one: Fit) -> None:
    assert one.x is not None
    _dots(ax, one.x, one.true, "data")
    ax.plot(one.x, one.predicted, color=style.VALIDATION, label="prediction")
    ax.set_xlabel(style.short(f"input {one.feature}", 40))
    ax.set_ylabel(style.short(one.target, 40))


def _dots(ax: Axes, x: Array, y: Array, label: str) -> None:
    ax.plot(x, y, "o", ms=3.5, mew=0, alpha=0.5, color=style.TRAIN, label=label)


def _truth(ax: Axes, one: Fit) -> None:
    low = float(min(one.true.min(), one.predicted.min()))
    high = float(max(one.true.max(), one.predicted.max()))
    room = 0.04 * (high - low) or 1.0
    ends = (low - room, high + room)
    ax.plot(ends, ends, color=style.FAINT, lw=1, ls=(0, (4, 3)), label="exact")
    _dots(ax, one.true, one.predicted, "samples")
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    ax.set_xlabel(f"true {style.short(one.target, 34)}")
    ax.set_ylabel(f"predicted {style.short(one.target, 34)}")


def _paint_classes(
    ax: Axes, data: Arrays, extent: tuple[float, float, float, float]
) -> list[Artist]:
    """The areas, the samples and their legend; returns what else there is to name."""
    names = data["names"]
    chance = 1 / max(len(names), 2)
    sure = np.clip((data["confidence"] - chance) / (1 - chance), 0, 1)
    planes.paint(ax, data["classes"], 0.12 + 0.38 * sure, len(names), extent)
    planes.dots(ax, data["points"], data["labels"], names)
    planes.class_legend(ax)
    if "predicted" not in data:
        return []
    return planes.mark_wrong(ax, data["points"], data["labels"], data["predicted"])


def _hyperplanes(ax: Axes, data: Arrays) -> list[Artist]:
    """Lines on which a unit of the first layer is 0."""
    from matplotlib.collections import LineCollection

    lines = data.get("lines", np.zeros((0, 2, 2)))
    if not len(lines):
        return []
    width = 0.9 if len(lines) <= _MANY else 0.5
    label = f"first layer's hyperplanes ({len(lines)})"
    drawn = LineCollection([*lines], colors=style.INK, linewidths=width, alpha=0.55, label=label)
    return [ax.add_collection(drawn)]


def _paint_values(
    fig: Figure, ax: Axes, data: Arrays, extent: tuple[float, float, float, float]
) -> list[Artist]:
    both = np.concatenate([data["values"].ravel(), np.ravel(data["labels"])])
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    high = high if high > low else low + 1
    limits: dict[str, Any] = {"cmap": _VALUES, "vmin": low, "vmax": high}
    ax.imshow(data["values"], origin="lower", extent=extent, aspect="auto", **limits)
    first, second = data["points"].T
    ax.scatter(first, second, 22, data["labels"], edgecolor="white", lw=0.7, **limits)
    style.colour_bar(fig, ax, _VALUES, low, high, style.short(str(data["names"][0]), 40))
    return []
