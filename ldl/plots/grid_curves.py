"""The losses of all trials of a grid by epoch, the best setting in front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.errors import RunFolderError
from ldl.plots import style
from ldl.plots.curves import read as read_metrics
from ldl.plots.grid_found import labels
from ldl.plots.levels import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 300  # settings drawn
PANELS = 3  # values of the loss that have a panel of their own
LOG_FROM = 10.0


def losses(folder: Path, table: Table, plan: Table, subtitle: str) -> Figure | None:
    """Validation losses, or training losses without those; the mean over seeds, best first.

    Where the loss itself is varied, its values do not compare: each has a panel.
    """
    trials: dict[str, list[str]] = {}
    for row in plan.rows:
        trials.setdefault(row["number"], []).append(row["id"])
    step = -(-len(table.rows) // MOST)
    rows = table.rows[::step]
    curves = {row["number"]: _read(folder, trials.get(row["number"], [])) for row in rows}
    known = [row for row in rows if curves[row["number"]]]
    if not known:
        return None
    part = "validation" if any(c[0] == "validation" for c in curves.values() if c) else "training"
    groups: dict[str, list[Array]] = {}
    for row in known:
        found = curves[row["number"]]
        if found and found[0] == part:
            groups.setdefault(row.get("loss", ""), []).append(found[1])
    shown = list(groups.items())[:PANELS]
    width = max(0.1 + 5.2 * len(shown), 7.2)
    said = subtitle if step == 1 else f"{subtitle} · every {step}th drawn"
    fig = style.figure(width, 4.4, f"{part.capitalize()} loss by epoch", said)
    cell = (width - 0.1) / len(shown)
    names = labels([loss for loss, _ in shown])
    for i, (loss, own) in enumerate(shown):
        ax = style.axes(fig, i * cell + 0.85, 0.58, width - (i + 1) * cell + 0.1, 0.98)
        _panel(ax, own, i == 0)
        name = style.short(names[i], 30) if loss else ""
        scale = " (logarithmic scale)" if ax.get_yscale() == "log" else ""
        ax.set_ylabel(f"{name or part} loss{scale}" if not name else f"loss {name}{scale}")
    return fig


def _read(folder: Path, ids: Sequence[str]) -> tuple[str, Array] | None:
    """The part, and a row a seed, a column an epoch; NaN after a training's end."""
    found: dict[str, list[Array]] = {"validation": [], "training": []}
    for id_ in ids:
        path = folder / "trials" / id_ / "metrics.csv"
        try:
            columns = read_metrics(path) if path.exists() else {}
        except RunFolderError:
            continue  # killed while writing: the other curves are none the worse
        for part, name in (("validation", "validation_loss"), ("training", "train_loss")):
            if name in columns and np.isfinite(columns[name]).any():
                found[part].append(columns[name])
    part = "validation" if found["validation"] else "training"
    if not found[part]:
        return None
    longest = max(len(each) for each in found[part])
    padded = np.full((len(found[part]), longest), np.nan)
    for line, each in zip(padded, found[part], strict=True):
        line[: len(each)] = each
    return part, padded


def _panel(ax: Axes, curves: Sequence[Array], overall: bool) -> None:
    from matplotlib.collections import LineCollection

    means = [_mean(each) for each in curves]
    lines = [np.column_stack([np.arange(1, len(m) + 1), m])[np.isfinite(m)] for m in means]
    alpha = float(np.clip(12 / len(lines), 0.12, 0.6))
    label = "a setting's mean" if len(curves[0]) > 1 else "a setting"
    if len(lines) > 1:
        ax.add_collection(
            LineCollection(lines[1:], colors=style.FAINT, lw=0.9, alpha=alpha, label=label)
        )
    first, epochs = curves[0], np.arange(1, curves[0].shape[1] + 1)
    name = "best setting" if overall else "best of these"
    marker = "o" if len(epochs) <= 30 else ""
    ax.plot(epochs, means[0], color=style.VALIDATION, lw=2, label=name, marker=marker, ms=3.5)
    enough, ends = np.isfinite(first).sum(0) > 1, []
    if enough.any():
        sd = np.nanstd(first[:, enough], 0, ddof=1)
        low, high = means[0][enough] - sd, means[0][enough] + sd
        ends = [each[each > 0] if (means[0][enough] > 0).all() else each for each in (low, high)]
        ax.fill_between(epochs[enough], low, high, color=style.VALIDATION, alpha=0.2, lw=0,
                        label="± s.d. (seeds)")  # fmt: skip
    _scale(ax, np.concatenate([*(line[:, 1] for line in lines), *ends]))
    ax.set_xlabel("epoch")
    longest = max(len(each) for each in means)
    room = max(0.5 if longest < 30 else 0.0, 0.015 * longest)
    ax.set_xlim(1 - room, longest + room)
    if longest <= 7:
        ax.set_xticks(range(1, longest + 1))
    style.legend_above(ax)


def _mean(curve: Array) -> Array:
    """The mean over the seeds that reached an epoch; NaN where none did."""
    count = np.isfinite(curve).sum(0)
    total = np.where(np.isfinite(curve), curve, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _scale(ax: Axes, values: Array) -> None:
    """Room for all; logarithmic where the largest is many times the smallest."""
    low, high = float(values.min()), float(values.max())
    ax.grid(axis="y")
    if low > 0 and high > LOG_FROM * low:
        ax.set_yscale("log")
        ax.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.05)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        if high > 100 * low:
            ax.minorticks_off()
        else:
            ax.yaxis.set_minor_formatter(
                lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""
            )
    else:
        room = 0.05 * ((high - low) or abs(high) or 1.0)
        ax.set_ylim(low - room, high + room)
