"""CSV tables that evaluations and grids leave, as text."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from ldl.folder_files import read_text


class PlotTable(NamedTuple):
    """A header and rows of cells, all text; every row is as long as the header."""

    header: list[str]
    cells: list[list[str]]

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows by column name; of columns with equal names the last one counts."""
        return [dict(zip(self.header, row, strict=True)) for row in self.cells]


def read_plot_table(path: Path) -> PlotTable:
    """Read a table with a header. Raises ValueError where it is empty or its rows are ragged."""
    try:
        lines = [row for row in csv.reader(io.StringIO(read_text(path), "")) if row]
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if not lines:
        raise ValueError("the file is empty")
    header, *cells = lines
    if any(len(row) != len(header) for row in cells):
        raise ValueError("a row and the header differ in length")
    return PlotTable(header, cells)
