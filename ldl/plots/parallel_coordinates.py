"""Parallel coordinates of a grid: a line per setting, an axis per varied key and the objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.grid_plot_data import GridPlotData, VariedKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_LINES = 300
MAX_LABELS = 12  # values of a key that have a label each
SPREAD = 0.06  # of the height: the settings with one value are drawn that far apart
COLOUR_MAP = "viridis"
AXIS_COLOUR = "#999999"
TEXT_SIZE = 8.5


def parallel_coordinates_plot(data: GridPlotData) -> Figure | None:
    """A line per setting, brighter for a better objective, the best in front.

    None for fewer than three keys or two settings.
    """
    if len(data.keys) < 3 or len(data.means) < 2:
        return None
    keys, count = data.keys, len(data.means)
    drawn = np.arange(0, count, -(-count // MAX_LINES))
    names = [_wrap(name) for name in (*(key.name for key in keys), data.objective)]
    labels = [[style.shorten(label, 20) for label in key.labels] for key in keys]
    left = max(1.0, style.text_width(labels[0], TEXT_SIZE) + 0.25)
    name_width = style.text_width([line for name in names for line in name.split("\n")], TEXT_SIZE)
    label_widths = (style.text_width(texts, TEXT_SIZE) + 0.55 for texts in labels)
    width = left + max(1.5, *label_widths, name_width + 0.2) * len(keys) + 1.3
    bottom = 0.2 + 0.16 * max(name.count("\n") + 1 for name in names[:-1])
    subtitle = f"{data.subtitle} · brighter is better"
    fig = style.new_figure(width, 4.6 + bottom, "Settings and objective", subtitle)
    ax = style.add_axes(fig, left, 0.3 + bottom, 1.3, 0.95)
    objective: Array = np.log(data.means) if data.is_logarithmic else data.means
    heights = np.column_stack([*(_heights(key) for key in keys), _unit_range(objective)])
    brightness = _unit_range(objective if data.goal == "max" else -objective)
    _draw_lines(ax, heights, brightness, drawn)
    for i, (key, texts) in enumerate(zip(keys, labels, strict=True)):
        _draw_key_axis(ax, i, key, texts)
    _draw_objective_axis(ax, len(keys), data)
    ax.set_xticks(range(len(names)), names, size=TEXT_SIZE)
    ax.tick_params(axis="x", length=0, pad=8)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_xlim(0, len(keys) + 0.01)
    ax.set_ylim(-0.05, 1.05)
    style.legend_above(ax)
    return fig


def _heights(key: VariedKey) -> Array:
    """The height of each setting (settings,): 0 without the key, equal distances of few values.

    Settings with the same of few values are spread by rank, to tell their lines apart.
    """
    is_continuous = len(key.values) > MAX_LABELS and key.numbers is not None
    if is_continuous:
        positions = _unit_range(np.log(key.positions) if key.is_logarithmic else key.positions)
    else:
        positions = (np.arange(len(key.values)) + 0.5) / len(key.values)
    heights = np.where(key.indices >= 0, positions[key.indices], 0.0)
    ranks = np.linspace(0.5, -0.5, len(heights))
    spread: Array = heights + (0.0 if is_continuous else SPREAD) * ranks
    return spread


def _unit_range(values: Array) -> Array:
    """Values scaled to [0, 1]; 0.5 if all are equal."""
    span = float(values.max() - values.min())
    return np.full(len(values), 0.5) if not span else (values - values.min()) / span


def _draw_lines(ax: Axes, heights: Array, brightness: Array, drawn: Array) -> None:
    """Draw lines of the settings `drawn` through heights (settings, axes)."""
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    x = np.arange(heights.shape[1])
    order = drawn[drawn > 0][::-1]
    colours = colormaps[COLOUR_MAP](brightness[order])
    segments = [np.column_stack([x, heights[i]]) for i in order]
    alpha = float(np.clip(20 / max(len(order), 1), 0.25, 0.8))
    ax.add_collection(LineCollection(segments, colors=colours, lw=1.1, alpha=alpha))
    ax.plot(x, heights[0], color=style.VALIDATION, lw=2.4, label="best setting", zorder=4)


def _draw_key_axis(ax: Axes, i: int, key: VariedKey, texts: Sequence[str]) -> None:
    """Draw the axis of a key with labels of its values; of many numbers only both ends."""
    ax.axvline(i, color=AXIS_COLOUR, lw=0.8, zorder=1)
    if len(texts) > MAX_LABELS and key.numbers is not None:
        _draw_label(ax, i, 0.0, texts[0])
        _draw_label(ax, i, 1.0, texts[-1])
    else:
        for n, text in enumerate(texts):
            _draw_label(ax, i, (n + 0.5) / len(texts), text)
    if (key.indices < 0).any():
        _draw_label(ax, i, 0.0, "–")


def _draw_objective_axis(ax: Axes, i: int, data: GridPlotData) -> None:
    """Draw the axis of the objective with five labelled values."""
    ax.axvline(i, color=AXIS_COLOUR, lw=0.8, zorder=1)
    low, high = float(data.means.min()), float(data.means.max())
    values = np.linspace(low, high, 5) if high > low else np.array([low])
    if data.is_logarithmic:
        values = np.geomspace(low, high, 5)
    heights = _unit_range(np.log(values) if data.is_logarithmic else values)
    for height, value in zip(heights, values, strict=True):
        _draw_label(ax, i, float(height), f"{value:.3g}", right=True)


def _draw_label(ax: Axes, i: int, height: float, text: str, right: bool = False) -> None:
    """Write a text at the left or right of axis `i`."""
    ax.annotate(
        text, (i, height), xytext=(6 if right else -6, 0), textcoords="offset points",
        size=TEXT_SIZE, ha="left" if right else "right", va="center", annotation_clip=False,
        zorder=6, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _wrap(name: str) -> str:
    """A dotted key on lines of about 18 characters."""
    lines = [""]
    for part in name.split("."):
        joined = f"{lines[-1]}.{part}" if lines[-1] else part
        if len(joined) > 18 and lines[-1]:
            lines.append(f".{part}")
        else:
            lines[-1] = joined
    return "\n".join(style.shorten(line, 24) for line in lines)
