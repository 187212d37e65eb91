"""Figures by a setting: by level of noise, by C, by fold."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ldl.plots import style
from ldl.plots.planes import MODELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {
    "mse": "mean square error",
    "kl_divergence": "KL divergence (nats)",
    "log_loss": "log loss (nats)",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean square error",
    "max_error": "largest error",
}
LEVELS = {
    "gaussian": "standard deviation",
    "replace": "share replaced at random",
    "mask": "share set to 0",
}
OWN = "own noise, denoised"
SIDES = {"noisy": (0, (3, 2)), "denoised": "-"}
PANEL = 4.4


class Table(NamedTuple):
    """A CSV file: its header and its rows, all text."""

    header: list[str]
    rows: list[dict[str, str]]


def read(path: Path) -> Table:
    """A table with a header. Raises ValueError where a row is longer or shorter than it."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *body = [row for row in csv.reader(file) if row]
    return Table(header, [dict(zip(header, row, strict=True)) for row in body])


def noise(table: Table, run: str) -> Figure | None:
    """Each figure against the level of noise, noisy dashed, denoised drawn through."""
    kinds = list(dict.fromkeys(row["noise"] for row in table.rows if row["level"]))
    kinds = [kind for kind in kinds if kind != "clean"]
    figures = [name for name in table.header[3:] if any(row[name] for row in table.rows)]
    if not kinds or not figures:
        return None
    room = 0.9 + style.widest([*(f"{kind}, denoised" for kind in kinds), OWN], 9.5)
    means = "; ".join(f"{kind}: {LEVELS.get(kind, 'level')}" for kind in kinds)
    width = 0.2 + PANEL * len(figures) + room
    fig = style.figure(width, 4.1, "Denoising by level of noise", f"{run} · {means}")
    for i, figure in enumerate(figures):
        ax = _panel(fig, i, 0.8)
        for k, kind in enumerate(kinds):
            for side, dashes in SIDES.items():
                points = _points(table, kind, side, figure)
                label = side if len(kinds) == 1 else f"{kind}, {side}"
                (line,) = ax.plot(*points, "o", ls=dashes, ms=4, label=label)
                colour = style.CLASSES[k % len(style.CLASSES)]
                line.set(color=colour, mfc="white" if side == "noisy" else colour)
        _without_level(ax, table, figure)
        ax.set_ylabel(LABELS.get(figure, figure))
        ax.set_xlabel(f"level of {kinds[0]} noise" if len(kinds) == 1 else "level of noise")
        if figure == figures[-1]:
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=2.6)
    return fig


def _points(table: Table, kind: str, side: str, figure: str) -> tuple[list[float], list[float]]:
    """Levels and figures of one kind of noise, from clean inputs on."""
    rows = [row for row in table.rows if row["input"] == side and row["noise"] in (kind, "clean")]
    rows = [row for row in rows if row["level"]]
    points = sorted((float(row["level"]), float(row[figure])) for row in rows if row[figure])
    return [level for level, _ in points], [value for _, value in points]


def _without_level(ax: Axes, table: Table, figure: str) -> None:
    """What the data's own noise and mixtures give, as lines: they have no level."""
    dots = {"own": (0, (1, 2))}
    for row in table.rows:
        if not row["level"] and row["input"] == "denoised" and row[figure]:
            label = OWN if row["noise"] == "own" else f"{row['noise']}, denoised"
            dashes = dots.get(row["noise"], (0, (5, 1, 1, 1)))
            ax.axhline(float(row[figure]), color=style.FAINT, lw=1, ls=dashes, label=label)


def baselines(table: Table, run: str) -> Figure | None:
    """Accuracy against C: judged drawn through, that by which C is chosen dashed, with rings."""
    chosen_on, judged = table.header[3:5]
    models = list(dict.fromkeys(row["model"] for row in table.rows if row["model"] != "network"))
    if not models:
        return None
    part = judged.partition(" ")[0]
    subtitle = f"{run} · solid: {part} part, dashed: {chosen_on}, ring: C chosen by it"
    fig = style.figure(7.6, 4.6, "Baselines by C", subtitle)
    ax = style.axes(fig, 0.85, 0.58, 0.25, 1.2)
    for k, model in enumerate(models):
        rows = [row for row in table.rows if row["model"] == model]
        colour = style.CLASSES[k % len(style.CLASSES)]
        c = [float(row["C"]) for row in rows]
        for column, dashes in ((judged, "-"), (chosen_on, (0, (3, 2)))):
            values = [float(row[column]) for row in rows]
            label = MODELS.get(model, model) if column == judged else None
            ax.plot(c, values, "o", ls=dashes, ms=3.5, color=colour, label=label)
        best = next(row for row in rows if row["chosen"] == "1")
        place = (float(best["C"]), float(best[judged]))
        ax.plot(*place, "o", ms=10, mfc="none", mec=colour, mew=1.6)
    for row in table.rows:
        if row["model"] == "network" and row[judged]:
            ax.axhline(float(row[judged]), color=style.INK, lw=1.2, label="network")
    ax.set_xscale("log")
    ax.set_xlabel("C (logarithmic scale)")
    ax.set_ylabel("accuracy")
    ax.grid(axis="y")
    style.legend_above(ax)
    return fig


def folds(table: Table, run: str) -> Figure | None:
    """Each figure by fold, with its mean and one standard deviation on either side."""
    figures = [name for name in table.header[2:] if any(row[name] for row in table.rows)]
    each = [row for row in table.rows if row["fold"].isdecimal()]
    if not each or not figures:
        return None
    over = {row["fold"]: row for row in table.rows if not row["fold"].isdecimal()}
    width = max(0.2 + PANEL * len(figures), 5.2)
    fig = style.figure(width, 4.2, f"Cross-validation, {len(each)} folds", run)
    for i, figure in enumerate(figures):
        ax = _panel(fig, i, 1.1)
        known = [row for row in each if row[figure]]
        numbers, values = [int(row["fold"]) for row in known], [float(row[figure]) for row in known]
        ax.plot(numbers, values, "o", color=style.TRAIN, label="fold")
        if over["mean"][figure]:
            mean = float(over["mean"][figure])
            ax.axhline(mean, color=style.VALIDATION, label=f"mean {mean:.4g}")
            if over["sd"][figure]:
                sd = float(over["sd"][figure])
                label = f"± s.d. {sd:.2g}"
                ax.axhspan(
                    mean - sd, mean + sd, color=style.VALIDATION, alpha=0.15, lw=0, label=label
                )
        ax.set_xlabel("fold")
        ax.set_xticks(numbers[:: -(-len(numbers) // 10)])
        ax.set_ylabel(LABELS.get(figure, figure))
        ax.grid(axis="y")
        style.legend_above(ax)
    return fig


def _panel(fig: Figure, i: int, above: float) -> Axes:
    """One of several axes side by side, `above` inches below the figure's top."""
    width = float(fig.get_size_inches()[0])
    left = 0.85 + PANEL * i
    ax = style.axes(fig, left, 0.58, width - left - (PANEL - 1.0), above)
    ax.grid(axis="y")
    return ax
