"""Pictures of a grid: reads results.csv, plan.csv, grid.json and the trials' metrics.csv alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.errors import RunFolderError
from ldl.plots import grid_curves, style
from ldl.plots.grid_found import Found, Key, gather
from ldl.plots.grid_parallel import parallel
from ldl.plots.levels import read

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ENDS: tuple[tuple[int, Callable[..., float]], ...] = ((0, min), (1, max))
LAST = "loss.png"  # drawn last: where it is, all are
PANEL = (4.4, 3.3)
MOST_VALUES = 24  # of a key, for a heat map
POINT, MEAN, BEST = "a setting", "mean ± s.d. over settings", "best setting"
LEGEND = (POINT, BEST, MEAN)


def drawn(folder: Path) -> bool:
    """Whether the pictures are there."""
    return (folder / "plots" / LAST).exists()


def draw_grid(folder: Path) -> list[Path]:
    """Draw all that the grid has data for, and return the PNGs; what has become empty goes.

    Raises RunFolderError where a file is damaged.
    """
    from matplotlib import rc_context

    paths = []
    with rc_context(style.RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        try:
            table, found = read(folder / "results.csv"), gather(folder)
            plan = read(folder / "plan.csv")
            for name, make in _FIGURES.items():
                figure, path = make(found), folder / "plots" / name
                path.unlink(missing_ok=True)
                if figure is not None:
                    paths.append(style.save(figure, path))
            said = f"{found.subtitle} · best by {found.objective}"
            curves = grid_curves.losses(folder, table, plan, said)
            path = folder / "plots" / LAST
            if curves is not None:
                paths.append(style.save(curves, path))
        except (OSError, ValueError, LookupError) as error:
            raise RunFolderError(f"{folder} cannot be drawn: {error}") from error
    return paths


# --- the objective against each key ----------------------------------------------------------


def by_key(found: Found) -> Figure | None:
    """A panel a key: every setting as a point, and mean ± s.d. of those that share a value."""
    if not found.keys:
        return None
    across = 2 if len(found.keys) == 4 else min(len(found.keys), 3)
    down = -(-len(found.keys) // across)
    bottom = 0.95 if any(_close(key, _texts(key)) for key in found.keys) else 0.6
    tall = PANEL[1] + bottom - 0.6
    width, height = max(PANEL[0] * across + 0.1, 6.4), 0.78 + tall * down
    fig = style.figure(width, height, "Objective by setting", f"{found.subtitle} · {found.way}")
    cell = (width - 0.1) / across
    logarithmic = found.wide
    for i, key in enumerate(found.keys):
        left, above = (i % across) * cell, 0.72 + (i // across) * tall
        right, below = width - left - cell + 0.2, height - above - tall
        ax = style.axes(fig, left + 0.95, below + bottom, right, above + 0.25)
        _panel(ax, key, found, logarithmic)
        if i % across:
            ax.set_ylabel("")
    lowest, highest = (pick(ax.get_ylim()[end] for ax in fig.axes) for end, pick in _ENDS)
    for ax in fig.axes:
        ax.set_ylim(lowest, highest)
    shown: dict[str, Any] = {}  # the best setting need not have every key
    for ax in fig.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            shown.setdefault(label, handle)
    order = [label for label in LEGEND if label in shown]
    fig.legend(
        [shown[label] for label in order], order, loc="upper right", ncols=3,
        bbox_to_anchor=(1, 1 - 0.44 / height), borderaxespad=0.1, handlelength=1.4,
        columnspacing=1.2,
    )  # fmt: skip
    return fig


def _panel(ax: Axes, key: Key, found: Found, logarithmic: bool) -> None:
    places, known = key.places, key.at >= 0
    at = places[key.at[known]]
    ax.plot(at, found.means[known], "o", ms=3.5, mec="none", color=style.FAINT, alpha=0.45,
            label=POINT)  # fmt: skip
    groups = [found.means[key.at == i] for i in range(len(places))]
    kept = [i for i, group in enumerate(groups) if len(group)]
    means = [float(groups[i].mean()) for i in kept]
    sds = [float(groups[i].std(ddof=1)) if len(groups[i]) > 1 else 0.0 for i in kept]
    dashes = "-" if key.numbers is not None else ""
    ax.errorbar(places[kept], means, sds, fmt="D", ms=4.5, ls=dashes, lw=1.2, capsize=3,
                color=style.TRAIN, label=MEAN)  # fmt: skip
    if known[0]:
        ax.plot(at[0], found.means[0], "o", ms=9, mfc="none", mec=style.VALIDATION, mew=1.6,
                label=BEST)  # fmt: skip
    if logarithmic:
        ax.set_yscale("log")
    if key.logarithmic:
        ax.set_xscale("log")
    _ticks(ax, key)
    _margins(ax, places, key.logarithmic)
    ax.set_xlabel(style.short(key.name, 44) + (" (log. scale)" if key.logarithmic else ""))
    ax.set_ylabel(found.label)
    ax.grid(axis="y")


def _margins(ax: Axes, places: Array, logarithmic: bool) -> None:
    low, high = float(places.min()), float(places.max())
    if low == high:
        ax.set_xlim(low - (abs(low) or 1.0), high + (abs(high) or 1.0))
    elif logarithmic:
        room = (high / low) ** 0.12
        ax.set_xlim(low / room, high * room)
    else:
        room = 0.12 * (high - low) if len(places) > 2 else 0.4 * (high - low)
        ax.set_xlim(low - room, high + room)


def _ticks(ax: Axes, key: Key) -> None:
    """A label a value; slanted where they would touch, and left to the axis where too many."""
    if len(key.values) > 12 and key.numbers is not None:
        return
    labels = _texts(key)
    shown = range(0, len(labels), -(-len(labels) // 16))
    ax.set_xticks(key.places[list(shown)], [labels[i] for i in shown])
    ax.minorticks_off()
    if _close(key, labels):
        ax.tick_params(axis="x", labelsize=8, labelrotation=20)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def _texts(key: Key) -> list[str]:
    return [style.short(label, 16) for label in key.labels]


def _close(key: Key, labels: Sequence[str]) -> bool:
    """Whether labels beside one another would touch."""
    places = np.log(key.places) if key.logarithmic else key.places
    span = float(places.max() - places.min()) * (1.24 if len(places) > 2 else 1.8)
    if not span:
        return False
    gap = float(np.diff(np.sort(places)).min()) / span * (PANEL[0] - 1.25)
    return style.widest(labels, 9.5) + 0.08 > gap


# --- two keys ----------------------------------------------------------------------------------


def heat(found: Found) -> Figure | None:
    """The mean objective by two keys: the only ones, or those that explain most of it."""
    chosen = _chosen(found)
    if chosen is None:
        return None
    x, y, columns, rows = chosen
    sums = _means(found, x, y)[np.ix_(rows, columns)]
    xs, ys = [
        [style.short(key.labels[i], 22) for i in own] for key, own in ((x, columns), (y, rows))
    ]
    side = max(0.62, style.widest(xs, 8.5) + 0.15) if len(xs) <= 12 else 0.62
    left = 0.7 + style.widest(ys, 8.5)
    wide, tall = max(side * len(xs), 4.2), 0.5 * len(ys)
    tall = max(tall, *(style.widest([each], 9.5) + 0.1 for each in (y.name, *found.label.split())))
    width, height = left + wide + 1.3, 1.55 + tall
    others = len(found.keys) - 2
    more = f" · means over {others} more key{'s'[: others > 1]}" if others else ""
    fig = style.figure(
        width, height, "Objective by two keys", f"{found.subtitle} · {found.way}{more}"
    )
    ax = style.axes(fig, left, 0.72, width - left - wide, 0.83)
    shades = np.log10(sums) if found.wide else sums
    low, high = float(np.nanmin(shades)), float(np.nanmax(shades))
    colours = "viridis" if found.goal == "max" else "viridis_r"
    ax.imshow(shades, cmap=colours, aspect="auto", vmin=low, vmax=high)
    if sums.size <= 150:
        _figures(ax, sums, shades, found.goal)
    if x.at[0] in columns and y.at[0] in rows:
        place = [columns.index(x.at[0]), rows.index(y.at[0])]
        corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
        ax.plot(*(corners * 0.96 + place).T, color=style.VALIDATION, lw=2.2, label=BEST)
        style.legend_above(ax)
    else:
        ax.annotate(
            f"the {BEST} is not on this map", (1, 1), (0, 5), "axes fraction",
            textcoords="offset points", ha="right", color=style.FAINT, size=9,
        )  # fmt: skip
    rotation = 0 if len(xs) <= 12 else 45
    side_of = "right" if rotation else "center"
    ax.set_xticks(range(len(xs)), xs, size=8.5, rotation=rotation, ha=side_of)
    ax.set_yticks(range(len(ys)), ys, size=8.5)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(x.name)
    ax.set_ylabel(y.name)
    label = f"log₁₀ of {found.label}" if found.wide else found.label
    style.colour_bar(fig, ax, colours, low, max(high, low + 1e-9 * max(abs(low), 1.0)), label)
    return fig


def _chosen(found: Found) -> tuple[Key, Key, list[int], list[int]] | None:
    """The keys across and down, and those of their values that settings on the map have.

    Keys of which one is varied within a single value of the other make no map.
    """
    fitting = [key for key in found.keys if len(key.values) <= MOST_VALUES]
    for pair in combinations(sorted(fitting, key=found.share, reverse=True), 2):
        x, y = sorted(pair, key=lambda key: (-len(key.values), fitting.index(key)))
        there = np.isfinite(_means(found, x, y))
        columns, rows = (np.flatnonzero(there.any(axis)).tolist() for axis in (0, 1))
        if len(columns) > 1 and len(rows) > 1:
            return x, y, columns, rows
    return None


def _means(found: Found, x: Key, y: Key) -> Array:
    """The mean objective of the settings with each two values; NaN where there are none."""
    sums = np.full((len(y.values), len(x.values)), np.nan)
    for i, j in np.ndindex(sums.shape):
        own = found.means[(y.at == i) & (x.at == j)]
        if len(own):
            sums[i, j] = own.mean()
    return sums


def _figures(ax: Axes, sums: Array, shades: Array, goal: str) -> None:
    low, high = float(np.nanmin(shades)), float(np.nanmax(shades))
    span = (high - low) or 1.0
    for (i, j), value in np.ndenumerate(sums):
        if np.isfinite(value):
            shade = shades[i, j]
            bright = (shade - low) / span if goal == "max" else (high - shade) / span
            colour = style.INK if bright > 0.6 else "white"
            ax.text(j, i, f"{value:.3g}", ha="center", va="center", size=8.5, color=colour)


_FIGURES: dict[str, Callable[[Found], Any]] = {
    "objective.png": by_key,
    "heat.png": heat,
    "parallel.png": parallel,
}
