"""What happened by epoch, from `metrics.csv`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.runs.metrics_file import read_metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Columns = dict[str, Array]
_PARTS = {"train": style.TRAIN, "validation": style.VALIDATION}
_LABELS = {"f1": "F₁", "log_loss": "log loss (nats)", "kl_divergence": "KL divergence (nats)"}
_SHARES = ("accuracy", "f1", "r2")  # to be read against 0 and 1
_LOG_FROM = 10.0
_FEW = 30


def read(path: Path) -> Columns:
    """`metrics.csv` as float columns, NaN for what is empty or infinite; {} without a whole row.

    Raises RunFolderError where a row is damaged.
    """
    rows = read_metrics(path)
    names = list(rows[0]) if rows else []
    table = {name: np.array([row[name] for row in rows], np.float64) for name in names}
    return {name: np.where(np.isfinite(column), column, np.nan) for name, column in table.items()}


def loss(columns: Columns, run: str, best: int | None = None) -> Figure | None:
    """Training and validation loss by epoch, the best epoch marked: see `_best`."""
    pairs = _pairs(columns, "loss")
    if not pairs:
        return None
    fig = style.figure(7.2, 4.2, "Loss by epoch", _subtitle(columns, run))
    ax = style.axes(fig, 0.85, 0.58, 0.25, 0.85)
    logarithmic = _curves(ax, columns, "loss")
    _mark_best(ax, columns, best)
    ax.set_ylabel("loss (logarithmic scale)" if logarithmic else "loss")
    ax.set_xlabel("epoch")
    style.legend_above(ax)
    return fig


def metrics(columns: Columns, run: str, best: int | None = None) -> Figure | None:
    """Every train_… and validation_… measure but the loss, one panel each, up to three a row."""
    names = dict.fromkeys(
        name.partition("_")[2] for name in columns if name.startswith(("train_", "validation_"))
    )
    shown = [name for name in names if name != "loss" and _pairs(columns, name)]
    if not shown:
        return None
    across = min(len(shown), 3)
    down = -(-len(shown) // across)
    width = 7.2 if across == 1 else 4.4 * across
    height = 0.45 + 3.75 * down if across == 1 else 0.55 + 3.1 * down
    title = "Accuracy by epoch" if shown == ["accuracy"] else "Metrics by epoch"
    fig = style.figure(width, height, title, _subtitle(columns, run))
    cell = ((width - 0.1) / across, (height - 0.5) / down)
    for i, name in enumerate(shown):
        left, above = (i % across) * cell[0], (i // across) * cell[1]
        right, below = width - left - cell[0] + 0.2, height - 0.5 - above - cell[1] + 0.55
        ax = style.axes(fig, left + 0.85, below, right, above + 0.85)
        logarithmic = _curves(ax, columns, name)
        _best_line(ax, columns, best)
        label = _LABELS.get(name) or name.replace("_", " ")
        ax.set_ylabel(_logarithmic(label) if logarithmic else label)
        ax.set_xlabel("epoch")
        style.legend_above(ax)
    return fig


def steps(columns: Columns, run: str, best: int | None = None) -> Figure | None:
    """Learning rate and gradient norm by epoch, above one another."""
    wanted = {"learning_rate": "learning rate", "gradient_norm": "gradient norm"}
    shown = [name for name in wanted if np.isfinite(columns.get(name, np.nan)).any()]
    if not shown:
        return None
    height = 0.6 + 0.58 + 1.6 * len(shown)
    title = " and ".join(wanted[name] for name in shown).capitalize() + " by epoch"
    fig = style.figure(7.2, height, title, _subtitle(columns, run))
    for i, name in enumerate(shown):
        last = i == len(shown) - 1
        below = 0.58 + 1.6 * (len(shown) - 1 - i)
        ax = style.axes(fig, 0.85, below, 0.25, height - below - 1.42)
        _line(ax, columns["epoch"], columns[name], style.INK, wanted[name], 1.0)
        logarithmic = _scale(ax, [columns[name]])
        _epochs(ax, columns)
        ax.set_ylabel(_logarithmic(wanted[name]) if logarithmic else wanted[name])
        if last:
            ax.set_xlabel("epoch")
        else:
            ax.tick_params(labelbottom=False)
    return fig


def _logarithmic(label: str) -> str:
    """A label, perhaps with a unit in brackets, that says how its axis is divided."""
    return f"{label[:-1]}, log.)" if label.endswith(")") else f"{label} (log.)"


def _curves(ax: Axes, columns: Columns, name: str) -> bool:
    pairs = _pairs(columns, name)
    for part, values in pairs.items():
        label = {"train": "training"}.get(part, part)
        _line(ax, columns["epoch"], values, _PARTS[part], label)
    _epochs(ax, columns)
    return _scale(ax, list(pairs.values()), share=name in _SHARES)


def _pairs(columns: Columns, name: str) -> Columns:
    found = {part: columns.get(f"{part}_{name}") for part in _PARTS}
    return {k: v for k, v in found.items() if v is not None and np.isfinite(v).any()}


def _line(
    ax: Axes, epochs: Array, values: Array, colour: str, label: str, width: float = 1.6
) -> None:
    known = np.isfinite(values)
    few = known.sum() <= _FEW
    marker = "o" if few else ""
    ax.plot(
        epochs[known], values[known], color=colour, lw=width, label=label, marker=marker, ms=3.5
    )


def _scale(ax: Axes, curves: list[Array], share: bool = False) -> bool:
    """Logarithmic where all values are positive and the largest is ten times the smallest.

    Never for a `share`.
    What never changes is shown against 0, since no other scale says how large it is.
    """
    values = np.concatenate(curves)
    values = values[np.isfinite(values)]
    ax.grid(axis="y")
    if 0 < values.min() == values.max():
        ax.set_ylim(0, 1.5 * float(values.max()))
    if share or values.min() <= 0 or values.max() < _LOG_FROM * values.min():
        return False
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if values.max() < 100 * values.min():
        ax.yaxis.set_minor_formatter(lambda value, _: _between(value))
    else:
        ax.minorticks_off()
    return True


def _between(value: float) -> str:
    """A label for 2 and 5 times the powers of ten, none for the others: they would crowd."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def _epochs(ax: Axes, columns: Columns) -> None:
    from matplotlib.ticker import MaxNLocator

    first, last = float(columns["epoch"].min()), float(columns["epoch"].max())
    room = max(0.5 if last - first < _FEW else 0.0, 0.015 * (last - first))
    ax.set_xlim(first - room, last + room)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if last - first < 6:
        ax.set_xticks(np.unique(columns["epoch"]))


def _best(columns: Columns, best: int | None) -> int | None:
    """The row of the epoch `best`; without one that of the lowest validation loss."""
    if best is not None and best in columns["epoch"]:
        return int(np.flatnonzero(columns["epoch"] == best)[0])
    values = columns.get("validation_loss")
    return None if values is None or not np.isfinite(values).any() else int(np.nanargmin(values))


def _best_line(ax: Axes, columns: Columns, best: int | None) -> None:
    row = _best(columns, best)
    if row is not None:
        label = f"best epoch, {columns['epoch'][row]:.0f}"
        ax.axvline(columns["epoch"][row], color=style.FAINT, lw=1, ls=(0, (2, 2)), label=label)


def _mark_best(ax: Axes, columns: Columns, best: int | None) -> None:
    _best_line(ax, columns, best)
    row = _best(columns, best)
    if row is not None and "validation_loss" in columns:
        point = (columns["epoch"][row], columns["validation_loss"][row])
        ax.plot(*point, "o", ms=7, mfc="white", mec=style.VALIDATION, mew=1.6, zorder=5)


def _subtitle(columns: Columns, run: str) -> str:
    count, values = len(columns["epoch"]), columns.get("validation_loss")
    text = f"{run} · {count} epoch{'' if count == 1 else 's'}"
    if values is None or not np.isfinite(values).any():
        return text
    return f"{text} · lowest validation loss {np.nanmin(values):.4g}"
