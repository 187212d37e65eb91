"""Metrics by fold of a cross-validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldl.plots import style
from ldl.plots.plot_table import PlotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def folds_plot(table: PlotTable, run: str) -> Figure | None:
    """A panel per metric: a point per fold, the mean, and a band of one standard deviation."""
    rows = table.rows
    metrics = [name for name in table.header[2:] if any(row[name] for row in rows)]
    folds = [row for row in rows if row["fold"].isdecimal()]
    if not folds or not metrics:
        return None
    statistics = {row["fold"]: row for row in rows if not row["fold"].isdecimal()}
    width = style.panels_width(len(metrics), 5.2)
    fig = style.new_figure(width, 4.2, f"Cross-validation, {len(folds)} folds", run)
    for i, metric in enumerate(metrics):
        ax = style.add_panel(fig, i, 1.1)
        measured = [row for row in folds if row[metric]]
        numbers = [int(row["fold"]) for row in measured]
        values = [float(row[metric]) for row in measured]
        ax.plot(numbers, values, "o", color=style.TRAIN, label="fold")
        _draw_mean(ax, statistics["mean"][metric], statistics["sd"][metric])
        ax.set_xlabel("fold")
        ax.set_xticks(numbers[:: -(-len(numbers) // 10)])
        ax.set_ylabel(style.METRIC_LABELS.get(metric, metric))
        style.legend_above(ax)
    return fig


def _draw_mean(ax: Axes, mean_cell: str, deviation_cell: str) -> None:
    """Draw the mean as a line and the standard deviation as a band, where the cells have them."""
    if not mean_cell:
        return
    mean = float(mean_cell)
    ax.axhline(mean, color=style.VALIDATION, label=f"mean {mean:.4g}")
    if deviation_cell:
        sd = float(deviation_cell)
        label = f"± s.d. {sd:.2g}"
        ax.axhspan(mean - sd, mean + sd, color=style.VALIDATION, alpha=0.15, lw=0, label=label)
