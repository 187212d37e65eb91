"""Many varied keys at once: a line a setting, an upright a key, the objective at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.grid_found import Found, Key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 300  # lines
LABELLED = 12  # values of a key with a label each
APART = 0.06  # of the height, over which the settings of one value are spread


def parallel(found: Found) -> Figure | None:
    """Settings as lines through their values; the better the brighter, the best in front."""
    if len(found.keys) < 3 or len(found.means) < 2:
        return None
    keys, count = found.keys, len(found.means)
    shown = np.arange(0, count, -(-count // MOST))
    names = [_wrapped(key.name) for key in keys]
    labels = [[style.short(label, 20) for label in key.labels] for key in keys]
    left = max(1.0, style.widest(labels[0], 8.5) + 0.25)
    apart = max(1.5, *(style.widest(each, 8.5) + 0.55 for each in labels), style.widest(
        [line for name in [*names, _wrapped(found.objective)] for line in name.split("\n")], 8.5
    ) + 0.2)  # fmt: skip
    width = left + apart * len(keys) + 1.3
    deep = 0.2 + 0.16 * max(name.count("\n") + 1 for name in names)
    said = f"{found.subtitle} · the brighter the better"
    fig = style.figure(width, 4.6 + deep, "Settings and objective", said)
    ax = style.axes(fig, left, 0.3 + deep, 1.3, 0.95)
    heights = np.column_stack([*(_heights(key) for key in keys), _scaled(_shown(found))])
    _lines(ax, heights, shown, found)
    for i, texts in enumerate(labels):
        _upright(ax, i, keys[i], texts)
    _objective(ax, len(keys), found)
    ax.set_xticks(range(len(keys) + 1), [*names, _wrapped(found.objective)], size=8.5)
    ax.tick_params(axis="x", length=0, pad=8)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set_xlim(0, len(keys) + 0.01)
    ax.set_ylim(-0.05, 1.05)
    style.legend_above(ax)
    return fig


def _heights(key: Key) -> Array:
    """Each setting's height: values at equal distances, those that have none at the bottom."""
    many = len(key.values) > LABELLED and key.numbers is not None
    places = _scaled(np.log(key.places) if key.logarithmic else key.places)
    if not many:
        places = (np.arange(len(key.values)) + 0.5) / len(key.values)
    heights = np.where(key.at >= 0, places[key.at], 0.0)
    # Apart a little, by rank, so that lines of one value can be told from one another.
    ranks = np.linspace(0.5, -0.5, len(heights))
    spread: Array = heights + (0.0 if many else APART) * ranks
    return spread


def _scaled(values: Array) -> Array:
    span = float(values.max() - values.min())
    return np.full(len(values), 0.5) if not span else (values - values.min()) / span


def _lines(ax: Axes, heights: Array, shown: Array, found: Found) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    good = _scaled(_shown(found) if found.goal == "max" else -_shown(found))
    x = np.arange(heights.shape[1])
    order = shown[shown > 0][::-1]
    colours = colormaps["viridis"](good[order])
    segments = [np.column_stack([x, heights[i]]) for i in order]
    alpha = float(np.clip(20 / max(len(order), 1), 0.25, 0.8))
    ax.add_collection(LineCollection(segments, colors=colours, lw=1.1, alpha=alpha))
    ax.plot(x, heights[0], color=style.VALIDATION, lw=2.4, label="best setting", zorder=4)


def _upright(ax: Axes, i: int, key: Key, texts: Sequence[str]) -> None:
    ax.axvline(i, color="#999999", lw=0.8, zorder=1)
    if len(texts) > LABELLED and key.numbers is not None:
        ends: tuple[tuple[float, str], ...] = ((0.0, texts[0]), (1.0, texts[-1]))
    else:
        ends = tuple(((n + 0.5) / len(texts), text) for n, text in enumerate(texts))
    for height, text in ends:
        _label(ax, i, height, text)
    if (key.at < 0).any():
        _label(ax, i, 0.0, "–")


def _objective(ax: Axes, i: int, found: Found) -> None:
    ax.axvline(i, color="#999999", lw=0.8, zorder=1)
    low, high = float(found.means.min()), float(found.means.max())
    values = np.linspace(low, high, 5) if high > low else np.array([low])
    if found.wide:
        values = np.geomspace(low, high, 5)
    heights = _scaled(np.log(values) if found.wide else values)
    for height, value in zip(heights, values, strict=True):
        _label(ax, i, float(height), f"{value:.3g}", right=True)


def _shown(found: Found) -> Array:
    """The objective, or its logarithm."""
    shown: Array = np.log(found.means) if found.wide else found.means
    return shown


def _label(ax: Axes, i: int, height: float, text: str, right: bool = False) -> None:
    ax.annotate(
        text, (i, height), xytext=(6 if right else -6, 0), textcoords="offset points", size=8.5,
        ha="left" if right else "right", va="center", annotation_clip=False, zorder=6,
        bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
    )  # fmt: skip


def _wrapped(name: str) -> str:
    """A dotted key in lines of its last parts."""
    parts, lines = name.split("."), [""]
    for part in parts:
        joined = f"{lines[-1]}.{part}" if lines[-1] else part
        if len(joined) > 18 and lines[-1]:
            lines.append(f".{part}")
        else:
            lines[-1] = joined
    return "\n".join(style.short(line, 24) for line in lines)
