"""Loss, metrics, learning rate and gradient norm by epoch, from `metrics.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.runs.metrics_file import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MetricColumns = dict[str, Array]  # {column of metrics.csv: values (epochs,)}
SPLIT_COLOURS = {"train": style.TRAIN, "validation": style.VALIDATION}
SPLIT_LABELS = {"train": "training", "validation": "validation"}
METRIC_LABELS = {
    "f1": "F₁",
    "log_loss": "log loss (nats)",
    "kl_divergence": "KL divergence (nats)",
}
OPTIMIZER_LABELS = {"learning_rate": "learning rate", "gradient_norm": "gradient norm"}
LINEAR_METRICS = ("accuracy", "f1", "r2")  # read against 0 and 1: never on a logarithmic scale
LOG_RATIO = 10.0  # of the largest to the smallest value, from which a scale is logarithmic


def read_metric_columns(path: Path) -> MetricColumns:
    """`metrics.csv` as float columns, NaN for empty or infinite cells; {} without a whole row.

    Raises RunFolderError where a row is damaged.
    """
    rows = read_metrics(path)
    names = list(rows[0]) if rows else []
    columns = {name: np.array([row[name] for row in rows], np.float64) for name in names}
    return {name: np.where(np.isfinite(column), column, np.nan) for name, column in columns.items()}


def loss_plot(columns: MetricColumns, run: str, best: int | None = None) -> Figure | None:
    """Training and validation loss by epoch, with a mark at the best epoch: see `_best_row`."""
    if not _by_split(columns, "loss"):
        return None
    fig = style.new_figure(7.2, 4.2, "Loss by epoch", _subtitle(columns, run))
    ax = style.add_axes(fig, 0.85, 0.58, 0.25, 0.85)
    is_logarithmic = _plot_splits(ax, columns, "loss")
    _mark_best_epoch(ax, columns, best)
    row = _best_row(columns, best)
    if row is not None and "validation_loss" in columns:
        point = (columns["epoch"][row], columns["validation_loss"][row])
        ax.plot(*point, "o", ms=7, mfc="white", mec=style.VALIDATION, mew=1.6, zorder=5)
    ax.set_ylabel("loss (logarithmic scale)" if is_logarithmic else "loss")
    ax.set_xlabel("epoch")
    style.legend_above(ax)
    return fig


def metrics_plot(columns: MetricColumns, run: str, best: int | None = None) -> Figure | None:
    """A panel per metric other than the loss, up to three side by side; None without any."""
    names = dict.fromkeys(
        name.partition("_")[2] for name in columns if name.startswith(("train_", "validation_"))
    )
    shown = [name for name in names if name != "loss" and _by_split(columns, name)]
    if not shown:
        return None
    across = min(len(shown), 3)
    down = -(-len(shown) // across)
    width = 7.2 if across == 1 else 4.4 * across
    height = 0.45 + 3.75 * down if across == 1 else 0.55 + 3.1 * down
    title = "Accuracy by epoch" if shown == ["accuracy"] else "Metrics by epoch"
    fig = style.new_figure(width, height, title, _subtitle(columns, run))
    cell = ((width - 0.1) / across, (height - 0.5) / down)
    for i, name in enumerate(shown):
        left, above = (i % across) * cell[0], (i // across) * cell[1]
        right, below = width - left - cell[0] + 0.2, height - 0.5 - above - cell[1] + 0.55
        ax = style.add_axes(fig, left + 0.85, below, right, above + 0.85)
        is_logarithmic = _plot_splits(ax, columns, name)
        _mark_best_epoch(ax, columns, best)
        label = METRIC_LABELS.get(name) or name.replace("_", " ")
        ax.set_ylabel(_logarithmic_label(label) if is_logarithmic else label)
        ax.set_xlabel("epoch")
        style.legend_above(ax)
    return fig


def optimizer_plot(columns: MetricColumns, run: str, best: int | None = None) -> Figure | None:
    """Learning rate and gradient norm by epoch, one above the other; None without both."""
    shown = [name for name in OPTIMIZER_LABELS if np.isfinite(columns.get(name, np.nan)).any()]
    if not shown:
        return None
    labels = [OPTIMIZER_LABELS[name] for name in shown]
    height = 0.6 + 0.58 + 1.6 * len(shown)
    title = " and ".join(labels).capitalize() + " by epoch"
    fig = style.new_figure(7.2, height, title, _subtitle(columns, run))
    for i, (name, label) in enumerate(zip(shown, labels, strict=True)):
        below = 0.58 + 1.6 * (len(shown) - 1 - i)
        ax = style.add_axes(fig, 0.85, below, 0.25, height - below - 1.42)
        _plot_line(ax, columns["epoch"], columns[name], style.INK, label, 1.0)
        is_logarithmic = _scale_y(ax, [columns[name]])
        _scale_epochs(ax, columns)
        ax.set_ylabel(_logarithmic_label(label) if is_logarithmic else label)
        if i == len(shown) - 1:
            ax.set_xlabel("epoch")
        else:
            ax.tick_params(labelbottom=False)
    return fig


def _by_split(columns: MetricColumns, metric: str) -> MetricColumns:
    """{split: values} of a metric, for the splits with a finite value."""
    values = {split: columns.get(f"{split}_{metric}") for split in SPLIT_COLOURS}
    return {k: v for k, v in values.items() if v is not None and np.isfinite(v).any()}


def _plot_splits(ax: Axes, columns: MetricColumns, metric: str) -> bool:
    """Plot a metric of both splits; return whether the y axis is logarithmic."""
    by_split = _by_split(columns, metric)
    for split, values in by_split.items():
        _plot_line(ax, columns["epoch"], values, SPLIT_COLOURS[split], SPLIT_LABELS[split])
    _scale_epochs(ax, columns)
    return _scale_y(ax, list(by_split.values()), linear=metric in LINEAR_METRICS)


def _plot_line(
    ax: Axes, epochs: Array, values: Array, colour: str, label: str, width: float = 1.6
) -> None:
    """Plot the finite values, with markers if there are few."""
    finite = np.isfinite(values)
    marker = "o" if finite.sum() <= style.MAX_MARKED_EPOCHS else ""
    ax.plot(
        epochs[finite], values[finite], color=colour, lw=width, label=label, marker=marker, ms=3.5
    )


def _scale_y(ax: Axes, curves: Sequence[Array], linear: bool = False) -> bool:
    """Scale the y axis logarithmically if all values are positive and span a factor of ten.

    A constant is drawn above 0, as no other scale shows its size. Returns whether the scale is
    logarithmic; with `linear` it never is.
    """
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    ax.grid(axis="y")
    if 0 < values.min() == values.max():
        ax.set_ylim(0, 1.5 * float(values.max()))
    if linear or values.min() <= 0 or values.max() < LOG_RATIO * values.min():
        return False
    style.logarithmic_y(ax, values.min(), values.max())
    return True


def _scale_epochs(ax: Axes, columns: MetricColumns) -> None:
    """Limit the x axis to the epochs, with integer ticks."""
    from matplotlib.ticker import MaxNLocator

    first, last = float(columns["epoch"].min()), float(columns["epoch"].max())
    is_short = last - first < style.MAX_MARKED_EPOCHS
    margin = max(0.5 if is_short else 0.0, 0.015 * (last - first))
    ax.set_xlim(first - margin, last + margin)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if last - first < 6:
        ax.set_xticks(np.unique(columns["epoch"]))


def _best_row(columns: MetricColumns, best: int | None) -> int | None:
    """The row of the epoch `best`; without it, the row of the lowest validation loss."""
    if best is not None and best in columns["epoch"]:
        return int(np.flatnonzero(columns["epoch"] == best)[0])
    values = columns.get("validation_loss")
    return None if values is None or not np.isfinite(values).any() else int(np.nanargmin(values))


def _mark_best_epoch(ax: Axes, columns: MetricColumns, best: int | None) -> None:
    row = _best_row(columns, best)
    if row is not None:
        label = f"best epoch, {columns['epoch'][row]:.0f}"
        ax.axvline(columns["epoch"][row], color=style.GREY, lw=1, ls=(0, (2, 2)), label=label)


def _logarithmic_label(label: str) -> str:
    """A label, with or without a unit in brackets, that says that its axis is logarithmic."""
    return f"{label[:-1]}, log.)" if label.endswith(")") else f"{label} (log.)"


def _subtitle(columns: MetricColumns, run: str) -> str:
    count, values = len(columns["epoch"]), columns.get("validation_loss")
    text = f"{run} · {count} epoch{'' if count == 1 else 's'}"
    if values is None or not np.isfinite(values).any():
        return text
    return f"{text} · lowest validation loss {np.nanmin(values):.4g}"
