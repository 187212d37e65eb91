"""Contingency matrices, from `contingency/*.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.plot_table import PlotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_WITH_SHARES = 12  # classes up to which a cell shows its share too
MAX_WITH_COUNTS = 30  # classes up to which a cell shows its count
MAX_TICKS = 50  # class names along an axis
CELL_SIZES = ((MAX_WITH_SHARES, 0.47), (MAX_WITH_COUNTS, 0.31))  # inches, up to so many classes
COLOUR_MAP = "Blues"


class ContingencyMatrix(NamedTuple):
    """Counts (rows, columns) with the names of the rows and columns and of both axes."""

    counts: Array
    rows: list[str]
    columns: list[str]
    row_axis: str
    column_axis: str


def parse_matrix(table: PlotTable) -> ContingencyMatrix:
    """A matrix whose first header cell is `rows\\columns`. Raises ValueError for other cells."""
    row_axis, _, column_axis = table.header[0].partition("\\")
    counts = np.array([[int(cell) for cell in row[1:]] for row in table.cells])
    names = [row[0] for row in table.cells]
    return ContingencyMatrix(counts, names, table.header[1:], row_axis, column_axis)


def contingency_plot(table: PlotTable, title: str, run: str) -> Figure:
    """A cell per pair of classes: its count, coloured by its share of the row's sum.

    Beyond 30 classes the cells show no numbers.
    """
    matrix = parse_matrix(table)
    counts = matrix.counts
    largest = max(counts.shape)
    cell = next((inches for classes, inches in CELL_SIZES if largest <= classes), 6.6 / largest)
    left, below = _margins(matrix)
    inner = (max(cell * counts.shape[1], 2.6), max(cell * counts.shape[0], 1.6))
    width, height = max(inner[0] + left + 1.05, 4.2), inner[1] + below + 0.72
    fig = style.new_figure(width, height, title, _subtitle(matrix, run))
    ax = style.add_axes(fig, left, below, width - left - inner[0], 0.72)
    total = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, total, out=np.zeros(counts.shape), where=total > 0)
    ax.imshow(shares, cmap=COLOUR_MAP, vmin=0, vmax=1, aspect="auto")
    _draw_ticks(ax, matrix)
    if largest <= MAX_WITH_COUNTS:
        _draw_counts(ax, counts, shares, with_shares=largest <= MAX_WITH_SHARES)
    label = f"share of the {_axis_label(matrix.row_axis)}"
    bar = style.colour_bar(fig, ax, COLOUR_MAP, 0, 1, label)
    bar.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    return fig


def _draw_counts(ax: Axes, counts: Array, shares: Array, with_shares: bool) -> None:
    """Write the counts other than 0, in white on dark cells."""
    for r, c in zip(*np.nonzero(counts), strict=True):
        share = shares[r, c]
        text = f"{counts[r, c]}"
        if with_shares:
            text += f"\n{share:.0%}" if share >= 0.005 else "\n<1%"
        colour = "white" if share > 0.55 else style.INK
        ax.text(c, r, text, color=colour, size=7.5, ha="center", va="center", linespacing=1.1)


def _draw_ticks(ax: Axes, matrix: ContingencyMatrix) -> None:
    for axis, names in ((ax.xaxis, matrix.columns), (ax.yaxis, matrix.rows)):
        places = range(0, len(names), -(-len(names) // MAX_TICKS))
        labels = [style.shorten(names[i]) for i in places]
        axis.set_ticks(list(places), labels, size=_text_size(names))
        axis.set_tick_params(length=0)
    if _is_vertical(matrix.columns):
        ax.tick_params(axis="x", rotation=90)
    ax.set_xlabel(_axis_label(matrix.column_axis))
    ax.set_ylabel(_axis_label(matrix.row_axis))
    ax.spines[:].set_visible(False)


def _axis_label(name: str) -> str:
    """`true class`, `predicted class` or `cluster`."""
    return name if name == "cluster" else f"{name} class"


def _margins(matrix: ContingencyMatrix) -> tuple[float, float]:
    """Inches at the left and below, for the names."""
    left, below = (
        style.text_width(map(style.shorten, names), _text_size(names))
        for names in (matrix.rows, matrix.columns)
    )
    return 0.5 + left, 0.45 + (below if _is_vertical(matrix.columns) else 0.17)


def _text_size(names: list[str]) -> float:
    return 9 if len(names) <= MAX_WITH_COUNTS else 6.5


def _is_vertical(names: list[str]) -> bool:
    """Whether the names of the columns are too long, or too many, to be written horizontally."""
    return len(names) > MAX_WITH_COUNTS or max(map(len, names)) > 3


def _subtitle(matrix: ContingencyMatrix, run: str) -> str:
    counts = matrix.counts
    text = f"{run} · {counts.sum():,} samples"
    if matrix.rows != matrix.columns or not counts.sum():
        return text
    return f"{text} · accuracy {np.trace(counts) / counts.sum():.1%}"
