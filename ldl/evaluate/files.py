"""The data files that evaluations leave and plots read: contingency matrices, tables, arrays."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ldl.arrays import Array
from ldl.atomic_file import write_bytes


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file: the header, then the rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    _write(path, text.getvalue().encode())


def write_arrays(path: Path, **arrays: Array) -> None:
    """An uncompressed npz of named arrays; strings as fixed-width text, nothing pickled."""
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
    """A labelled matrix: `corner` names rows\\columns, then a row a true class.

    `columns` are the column labels where they are not those of the rows.
    """
    rows = ([name, *map(int, row)] for name, row in zip(names, counts, strict=True))
    write_table(path, [corner, *(names if columns is None else columns)], rows)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
