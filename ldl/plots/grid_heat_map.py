"""The mean objective of a grid by two varied keys."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.grid_plot_data import GridPlotData, VariedKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_VALUES = 24  # of a key
MAX_CELLS = 150  # with a number each
MAX_HORIZONTAL = 12  # labels along the x axis that are not slanted
TEXT_SIZE = 8.5
BEST = "best setting"


class HeatMap(NamedTuple):
    """Mean objectives (rows, columns) by the values of two keys; NaN without a setting."""

    x: VariedKey
    y: VariedKey
    columns: list[int]  # indices of the values of x
    rows: list[int]  # indices of the values of y
    means: Array


def heat_map_plot(data: GridPlotData) -> Figure | None:
    """The mean objective by the two keys that explain most of its variance; None without two."""
    heat_map = _choose_keys(data)
    if heat_map is None:
        return None
    x, y, columns, rows, means = heat_map
    xs = [style.shorten(x.labels[i], 22) for i in columns]
    ys = [style.shorten(y.labels[i], 22) for i in rows]
    is_slanted = len(xs) > MAX_HORIZONTAL
    cell = 0.62 if is_slanted else max(0.62, style.text_width(xs, TEXT_SIZE) + 0.15)
    left = 0.7 + style.text_width(ys, TEXT_SIZE)
    names = (y.name, *data.label.split())
    inner = max(cell * len(xs), 4.2), max(0.5 * len(ys), style.text_width(names, 9.5) + 0.1)
    width, height = left + inner[0] + 1.3, 1.55 + inner[1]
    remaining = len(data.keys) - 2
    more = f" · means over {remaining} more key{'s'[: remaining > 1]}" if remaining else ""
    subtitle = f"{data.subtitle} · {data.direction}{more}"
    fig = style.new_figure(width, height, "Objective by two keys", subtitle)
    ax = style.add_axes(fig, left, 0.72, width - left - inner[0], 0.83)
    _draw_cells(fig, ax, data, means)
    _mark_best(ax, heat_map)
    rotation, alignment = (45, "right") if is_slanted else (0, "center")
    ax.set_xticks(range(len(xs)), xs, size=TEXT_SIZE, rotation=rotation, ha=alignment)
    ax.set_yticks(range(len(ys)), ys, size=TEXT_SIZE)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(x.name)
    ax.set_ylabel(y.name)
    return fig


def _choose_keys(data: GridPlotData) -> HeatMap | None:
    """The map of the two keys that explain most variance and are both varied within the other.

    The key with more values goes along the x axis; values without a setting are left out.
    """
    candidates = [key for key in data.keys if len(key.values) <= MAX_VALUES]
    ordered = sorted(candidates, key=data.explained_variance, reverse=True)
    for pair in combinations(ordered, 2):
        x, y = sorted(pair, key=lambda key: (-len(key.values), candidates.index(key)))
        means = _mean_objectives(data, x, y)
        has_setting = np.isfinite(means)
        columns, rows = (np.flatnonzero(has_setting.any(axis)).tolist() for axis in (0, 1))
        if len(columns) > 1 and len(rows) > 1:
            return HeatMap(x, y, columns, rows, means[np.ix_(rows, columns)])
    return None


def _mean_objectives(data: GridPlotData, x: VariedKey, y: VariedKey) -> Array:
    """The mean objective for each pair of values (values of y, values of x); NaN without any."""
    means = np.full((len(y.values), len(x.values)), np.nan)
    for i, j in np.ndindex(means.shape):
        members = data.means[(y.indices == i) & (x.indices == j)]
        if len(members):
            means[i, j] = members.mean()
    return means


def _draw_cells(fig: Figure, ax: Axes, data: GridPlotData, means: Array) -> None:
    """Draw the means as colours with their scale, and as numbers if there are not too many."""
    shades = np.log10(means) if data.is_logarithmic else means
    low, high = float(np.nanmin(shades)), float(np.nanmax(shades))
    cmap = "viridis" if data.goal == "max" else "viridis_r"
    ax.imshow(shades, cmap=cmap, aspect="auto", vmin=low, vmax=high)
    label = f"log₁₀ of {data.label}" if data.is_logarithmic else data.label
    style.colour_bar(fig, ax, cmap, low, max(high, low + 1e-9 * max(abs(low), 1.0)), label)
    if means.size > MAX_CELLS:
        return
    span = (high - low) or 1.0
    for (i, j), value in np.ndenumerate(means):
        if np.isfinite(value):
            shade = shades[i, j]
            brightness = (shade - low) / span if data.goal == "max" else (high - shade) / span
            colour = style.INK if brightness > 0.6 else "white"
            ax.text(j, i, f"{value:.3g}", ha="center", va="center", size=TEXT_SIZE, color=colour)


def _mark_best(ax: Axes, heat_map: HeatMap) -> None:
    """Frame the cell of the best setting, or say that it is not on the map."""
    x, y, columns, rows, _ = heat_map
    if x.indices[0] in columns and y.indices[0] in rows:
        cell = [columns.index(x.indices[0]), rows.index(y.indices[0])]
        corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
        ax.plot(*(corners * 0.96 + cell).T, color=style.VALIDATION, lw=2.2, label=BEST)
        style.legend_above(ax)
    else:
        ax.annotate(
            f"the {BEST} is not on this map", (1, 1), (0, 5), "axes fraction",
            textcoords="offset points", ha="right", color=style.GREY, size=9,
        )  # fmt: skip
