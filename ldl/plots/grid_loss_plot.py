"""The losses of a grid's settings by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.errors import RunFolderError
from ldl.plots import style
from ldl.plots.epoch_plots import read_metric_columns
from ldl.plots.grid_plot_data import value_labels
from ldl.plots.plot_table import PlotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_SETTINGS = 300
MAX_PANELS = 3  # values of the varied loss that have a panel
LOG_RATIO = 10.0
LOSS_COLUMNS = (("validation", "validation_loss"), ("training", "train_loss"))


def grid_loss_plot(folder: Path, table: PlotTable, plan: PlotTable, subtitle: str) -> Figure | None:
    """The validation loss, else the training loss, of each setting, mean over seeds; None without.

    `table` is results.csv, best setting first. If the loss function is varied, each has a panel,
    as their values do not compare.
    """
    trials: dict[str, list[str]] = {}
    for row in plan.rows:
        trials.setdefault(row["number"], []).append(row["id"])
    step = max(1, -(-len(table.cells) // MAX_SETTINGS))
    curves = [
        (row.get("loss", ""), split_curves)
        for row in table.rows[::step]
        if (split_curves := _read_curves(folder, trials.get(row["number"], []))) is not None
    ]
    if not curves:
        return None
    split = "validation" if any(name == "validation" for _, (name, _) in curves) else "training"
    groups: dict[str, list[Array]] = {}
    for loss, (name, values) in curves:
        if name == split:
            groups.setdefault(loss, []).append(values)
    panels = list(groups.items())[:MAX_PANELS]
    width = max(0.1 + 5.2 * len(panels), 7.2)
    subtitle = subtitle if step == 1 else f"{subtitle} · one setting in {step} drawn"
    fig = style.new_figure(width, 4.4, f"{split.capitalize()} loss by epoch", subtitle)
    cell = (width - 0.1) / len(panels)
    labels = value_labels([loss for loss, _ in panels])
    for i, (loss, group) in enumerate(panels):
        ax = style.add_axes(fig, i * cell + 0.85, 0.58, width - (i + 1) * cell + 0.1, 0.98)
        _draw_curves(ax, group, is_best=i == 0)
        label = f"loss {style.shorten(labels[i], 30)}" if loss else f"{split} loss"
        scale = " (logarithmic scale)" if ax.get_yscale() == "log" else ""
        ax.set_ylabel(f"{label}{scale}")
    return fig


def _read_curves(folder: Path, ids: Sequence[str]) -> tuple[str, Array] | None:
    """The split and the losses (seeds, epochs) of trials, NaN after the end of each."""
    curves_by_split: dict[str, list[Array]] = {"validation": [], "training": []}
    for id_ in ids:
        path = folder / "trials" / id_ / "metrics.csv"
        try:
            columns = read_metric_columns(path) if path.exists() else {}
        except RunFolderError:
            continue  # a trial killed while it wrote; the other curves can be drawn
        for split, column in LOSS_COLUMNS:
            if column in columns and np.isfinite(columns[column]).any():
                curves_by_split[split].append(columns[column])
    split = "validation" if curves_by_split["validation"] else "training"
    curves = curves_by_split[split]
    if not curves:
        return None
    padded = np.full((len(curves), max(map(len, curves))), np.nan)
    for row, curve in zip(padded, curves, strict=True):
        row[: len(curve)] = curve
    return split, padded


def _draw_curves(ax: Axes, curves: Sequence[Array], is_best: bool) -> None:
    """Draw the mean over seeds of each (seeds, epochs); of the first also the deviation."""
    from matplotlib.collections import LineCollection

    means = [_mean(curve) for curve in curves]
    lines = [np.column_stack([np.arange(1, len(m) + 1), m])[np.isfinite(m)] for m in means]
    alpha = float(np.clip(12 / len(lines), 0.12, 0.6))
    label = "mean of a setting" if len(curves[0]) > 1 else "a setting"
    if len(lines) > 1:
        ax.add_collection(
            LineCollection(lines[1:], colors=style.GREY, lw=0.9, alpha=alpha, label=label)
        )
    epochs = np.arange(1, curves[0].shape[1] + 1)
    name = "best setting" if is_best else "best of these"
    marker = "o" if len(epochs) <= style.MAX_MARKED_EPOCHS else ""
    ax.plot(epochs, means[0], color=style.VALIDATION, lw=2, label=name, marker=marker, ms=3.5)
    band = _draw_deviation(ax, curves[0], means[0])
    _scale_y(ax, np.concatenate([*(line[:, 1] for line in lines), *band]))
    ax.set_xlabel("epoch")
    longest = max(len(mean) for mean in means)
    margin = max(0.5 if longest < style.MAX_MARKED_EPOCHS else 0.0, 0.015 * longest)
    ax.set_xlim(1 - margin, longest + margin)
    if longest <= 7:
        ax.set_xticks(range(1, longest + 1))
    style.legend_above(ax)


def _draw_deviation(ax: Axes, curve: Array, mean: Array) -> list[Array]:
    """Draw ± one standard deviation over the seeds; return the values that have to be in view."""
    several = np.isfinite(curve).sum(0) > 1
    if not several.any():
        return []
    sd = np.nanstd(curve[:, several], 0, ddof=1)
    low, high = mean[several] - sd, mean[several] + sd
    epochs = np.arange(1, len(mean) + 1)[several]
    ax.fill_between(
        epochs, low, high, color=style.VALIDATION, alpha=0.2, lw=0, label="± s.d. (seeds)"
    )
    is_positive = (mean[several] > 0).all()
    return [end[end > 0] if is_positive else end for end in (low, high)]


def _mean(curve: Array) -> Array:
    """The mean over the seeds (seeds, epochs) that reached an epoch; NaN where none did."""
    count = np.isfinite(curve).sum(0)
    total = np.where(np.isfinite(curve), curve, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _scale_y(ax: Axes, values: Array) -> None:
    """Limit the y axis to the values with a margin; logarithmic if they span a factor of ten."""
    low, high = float(values.min()), float(values.max())
    ax.grid(axis="y")
    if low > 0 and high > LOG_RATIO * low:
        margin = (high / low) ** 0.05
        style.logarithmic_y(ax, low, high)
        ax.set_ylim(low / margin, high * margin)
    else:
        room = 0.05 * ((high - low) or abs(high) or 1.0)
        ax.set_ylim(low - room, high + room)
