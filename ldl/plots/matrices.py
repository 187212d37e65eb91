"""Contingency matrices, from `contingency/*.csv`."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARES_UP_TO = 12
_NUMBERS_UP_TO = 30
_CELLS = ((_SHARES_UP_TO, 0.47), (_NUMBERS_UP_TO, 0.31))  # inches a cell, up to so many
_MAP = "Blues"


class Matrix(NamedTuple):
    """Counts (R, L) with what the rows and the columns are and are called."""

    counts: Array
    rows: list[str]
    columns: list[str]
    row_axis: str
    column_axis: str


def read(path: Path) -> Matrix:
    """A labelled matrix; its first cell is `rows\\columns`. Raises ValueError if it is not one."""
    with path.open(newline="", encoding="utf-8") as file:
        header, *body = [row for row in csv.reader(file) if row]
    row_axis, _, column_axis = header[0].partition("\\")
    counts = np.array([[int(cell) for cell in row[1:]] for row in body])
    if counts.shape != (len(body), len(header) - 1):
        raise ValueError("its rows and its header differ in length")
    return Matrix(counts, [row[0] for row in body], header[1:], row_axis, column_axis)


def contingency(matrix: Matrix, title: str, run: str) -> Figure:
    """Counts by cell, coloured by the share of their row; no numbers beyond 30 classes."""
    counts = matrix.counts
    largest = max(counts.shape)
    cell = next((inches for most, inches in _CELLS if largest <= most), 6.6 / largest)
    margins = _margins(matrix)
    inner = (max(cell * counts.shape[1], 2.6), max(cell * counts.shape[0], 1.6))
    width, height = inner[0] + margins[0] + 1.05, inner[1] + margins[1] + 0.72
    fig = style.figure(max(width, 4.2), height, title, _subtitle(matrix, run))
    ax = style.axes(fig, margins[0], margins[1], max(width, 4.2) - margins[0] - inner[0], 0.72)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    ax.imshow(shares, cmap=_MAP, vmin=0, vmax=1, aspect="auto")
    _ticks(ax, matrix)
    if largest <= _NUMBERS_UP_TO:
        _numbers(ax, counts, shares, with_shares=largest <= _SHARES_UP_TO)
    bar = style.colour_bar(fig, ax, _MAP, 0, 1, f"share of the {_axis(matrix.row_axis)}")
    bar.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    return fig


def _numbers(ax: Axes, counts: Array, shares: Array, with_shares: bool) -> None:
    """Writes the cells that are not 0, white on the dark ones."""
    for r, c in zip(*np.nonzero(counts), strict=True):
        share = shares[r, c]
        text = f"{counts[r, c]}"
        if with_shares:
            text += f"\n{share:.0%}" if share >= 0.005 else "\n<1%"
        colour = "white" if share > 0.55 else style.INK
        ax.text(c, r, text, color=colour, size=7.5, ha="center", va="center", linespacing=1.1)


def _ticks(ax: Axes, matrix: Matrix) -> None:
    for axis, names in ((ax.xaxis, matrix.columns), (ax.yaxis, matrix.rows)):
        # Beyond fifty names only every few are readable.
        places = range(0, len(names), -(-len(names) // 50))
        labels = [style.short(names[i]) for i in places]
        axis.set_ticks(list(places), labels, size=_text_size(names))
        axis.set_tick_params(length=0)
    if _turned(matrix.columns):
        ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel(_axis(matrix.column_axis))
    ax.set_ylabel(_axis(matrix.row_axis))
    ax.spines[:].set_visible(False)


def _axis(name: str) -> str:
    """What stands along an axis: true or predicted classes, or clusters."""
    return name if name == "cluster" else f"{name} class"


def _margins(matrix: Matrix) -> tuple[float, float]:
    """Room at the left and below for the names, in inches."""
    left, below = (
        style.widest(map(style.short, names), _text_size(names))
        for names in (matrix.rows, matrix.columns)
    )
    return 0.5 + left, 0.45 + (below if _turned(matrix.columns) else 0.17)


def _text_size(names: list[str]) -> float:
    return 9 if len(names) <= _NUMBERS_UP_TO else 6.5


def _turned(names: list[str]) -> bool:
    """Whether the names are too long, or too many, to stand side by side."""
    return len(names) > _NUMBERS_UP_TO or max(map(len, names)) > 3


def _subtitle(matrix: Matrix, run: str) -> str:
    counts = matrix.counts
    text = f"{run} · {counts.sum():,} samples"
    if matrix.rows != matrix.columns or not counts.sum():
        return text
    return f"{text} · accuracy {np.trace(counts) / counts.sum():.1%}"
