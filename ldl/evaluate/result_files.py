"""Writes the data files that plots are drawn from: contingency matrices, tables, arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ldl.arrays import Array
from ldl.atomic_file import write_bytes


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file of a header and rows; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    _write(path, text.getvalue().encode())


def write_arrays(path: Path, **arrays: Array) -> None:
    """Write an uncompressed npz of named arrays; strings as fixed-width text, nothing pickled."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    _write(path, content.getvalue())


def write_contingency(
    path: Path,
    counts: Array,
    names: Sequence[str],
    columns: Sequence[str] | None = None,
    corner: str = "true\\predicted",
) -> None:
    """Write counts (R, L) with the labels of rows and columns; `corner` is rows\\columns.

    Without `columns`, the labels of the columns are those of the rows.
    """
    rows = ([name, *map(int, row)] for name, row in zip(names, counts, strict=True))
    write_table(path, [corner, *(names if columns is None else columns)], rows)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
