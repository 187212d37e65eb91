"""The objective of a grid by each varied key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.grid_plot_data import GridPlotData, VariedKey

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL_WIDTH, PANEL_HEIGHT = 4.4, 3.3  # inches
MAX_TICKS = 16  # labels along an axis
MAX_NUMBERS = 12  # of more numbers the axis has ticks of its own
SETTING, MEAN, BEST = "a setting", "mean ± s.d. over settings", "best setting"
LEGEND = (SETTING, BEST, MEAN)


def objective_plot(data: GridPlotData) -> Figure | None:
    """A panel per key: each setting as a point, and mean ± s.d. of those that share a value."""
    if not data.keys:
        return None
    across = 2 if len(data.keys) == 4 else min(len(data.keys), 3)
    down = -(-len(data.keys) // across)
    bottom = 0.95 if any(_labels_touch(key, _tick_labels(key)) for key in data.keys) else 0.6
    tall = PANEL_HEIGHT + bottom - 0.6
    width, height = max(PANEL_WIDTH * across + 0.1, 6.4), 0.78 + tall * down
    subtitle = f"{data.subtitle} · {data.direction}"
    fig = style.new_figure(width, height, "Objective by varied key", subtitle)
    cell = (width - 0.1) / across
    for i, key in enumerate(data.keys):
        left, above = (i % across) * cell, 0.72 + (i // across) * tall
        right, below = width - left - cell + 0.2, height - above - tall
        ax = style.add_axes(fig, left + 0.95, below + bottom, right, above + 0.25)
        _draw_panel(ax, key, data)
        if i % across:
            ax.set_ylabel("")
    limits = [ax.get_ylim() for ax in fig.axes]
    for ax in fig.axes:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    _draw_legend(fig, height)
    return fig


def _draw_legend(fig: Figure, height: float) -> None:
    """Draw one legend for all panels: the best setting may be missing in some of them."""
    handles: dict[str, Any] = {}
    for ax in fig.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [label for label in LEGEND if label in handles]
    fig.legend(
        [handles[label] for label in labels], labels, loc="upper right", ncols=3,
        bbox_to_anchor=(1, 1 - 0.44 / height), borderaxespad=0.1, handlelength=1.4,
        columnspacing=1.2,
    )  # fmt: skip


def _draw_panel(ax: Axes, key: VariedKey, data: GridPlotData) -> None:
    positions, has_key = key.positions, key.indices >= 0
    x = positions[key.indices[has_key]]
    ax.plot(x, data.means[has_key], "o", ms=3.5, mec="none", color=style.GREY, alpha=0.45,
            label=SETTING)  # fmt: skip
    groups = [data.means[key.indices == i] for i in range(len(positions))]
    used = [i for i, group in enumerate(groups) if len(group)]
    means = [float(groups[i].mean()) for i in used]
    sds = [float(groups[i].std(ddof=1)) if len(groups[i]) > 1 else 0.0 for i in used]
    dashes = "-" if key.numbers is not None else ""
    ax.errorbar(positions[used], means, sds, fmt="D", ms=4.5, ls=dashes, lw=1.2, capsize=3,
                color=style.TRAIN, label=MEAN)  # fmt: skip
    if has_key[0]:
        ax.plot(x[0], data.means[0], "o", ms=9, mfc="none", mec=style.VALIDATION, mew=1.6,
                label=BEST)  # fmt: skip
    if data.is_logarithmic:
        ax.set_yscale("log")
    if key.is_logarithmic:
        ax.set_xscale("log")
    _draw_ticks(ax, key)
    _set_x_limits(ax, positions, key.is_logarithmic)
    ax.set_xlabel(style.shorten(key.name, 44) + (" (log. scale)" if key.is_logarithmic else ""))
    ax.set_ylabel(data.label)
    ax.grid(axis="y")


def _set_x_limits(ax: Axes, positions: Array, is_logarithmic: bool) -> None:
    low, high = float(positions.min()), float(positions.max())
    if low == high:
        ax.set_xlim(low - (abs(low) or 1.0), high + (abs(high) or 1.0))
    elif is_logarithmic:
        factor = (high / low) ** 0.12
        ax.set_xlim(low / factor, high * factor)
    else:
        margin = 0.12 * (high - low) if len(positions) > 2 else 0.4 * (high - low)
        ax.set_xlim(low - margin, high + margin)


def _draw_ticks(ax: Axes, key: VariedKey) -> None:
    """Label the values, slanted where the labels would touch; leave out some of many."""
    if len(key.values) > MAX_NUMBERS and key.numbers is not None:
        return
    labels = _tick_labels(key)
    shown = range(0, len(labels), -(-len(labels) // MAX_TICKS))
    ax.set_xticks(key.positions[list(shown)], [labels[i] for i in shown])
    ax.minorticks_off()
    if _labels_touch(key, labels):
        ax.tick_params(axis="x", labelsize=8, labelrotation=20)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def _tick_labels(key: VariedKey) -> list[str]:
    return [style.shorten(label, 16) for label in key.labels]


def _labels_touch(key: VariedKey, labels: Sequence[str]) -> bool:
    """Whether two horizontal labels would touch."""
    positions = np.log(key.positions) if key.is_logarithmic else key.positions
    span = float(positions.max() - positions.min()) * (1.24 if len(positions) > 2 else 1.8)
    if not span:
        return False
    gap = float(np.diff(np.sort(positions)).min()) / span * (PANEL_WIDTH - 1.25)
    return style.text_width(labels, 9.5) + 0.08 > gap
