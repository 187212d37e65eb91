"""CSV files read with care: every bad cell is found, and named by line and column."""

from __future__ import annotations

import csv
import difflib
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ldl.arrays import Array
from ldl.errors import DataError

MISSING = {"", "na", "n/a", "nan", "null", "?"}
SHOWN = 10
DELIMITERS = (";", "\t", "|", ",")
SETTING = "did you mean `delimiter: {}`?"
DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class CellProblem:
    """One bad row or cell; the line counts from 1 in the file."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        where = f', column "{self.column}"' if self.column else ""
        return f"line {self.line}{where}: {self.reason}"


@dataclass(frozen=True)
class CsvTable:
    """The cells of a CSV file as text, and the line on which each row begins."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> list[str]:
        """The cells under `name`."""
        index = self.header.index(name)
        return [row[index] for row in self.rows]


def refuse(path: Path, faults: Sequence[CellProblem], advice: str) -> None:
    """Raises DataError with the first ten faults, in the file's order, if there are any."""
    if not faults:
        return
    ordered = sorted(faults, key=lambda fault: fault.line)
    text = "".join(f"\n  {fault}" for fault in ordered[:SHOWN])
    more = len(ordered) - SHOWN
    text += f"\n  and {more} more" if more > 0 else ""
    raise DataError(f"{path}: cannot be used as it is{text}\n  {advice}")


def read_table(path: Path, delimiter: str = ",", advice: str = SETTING) -> CsvTable:
    """A CSV file with a header row, UTF-8 with or without a byte order mark.

    Blank lines at the end are left out. Raises DataError with all ragged rows, or the one thing
    that stops reading: encoding, a broken quotation, another delimiter, no header, a column named
    twice, no rows. `advice` says what to do where "{}" seems to be the delimiter.
    """
    rows, lines = _cells(path, decode(path), delimiter)
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise DataError(f"{path}: the file is empty; a header row and samples are needed")
    header = tuple(cell.strip() for cell in rows[0])
    _check_delimiter(path, header, rows[1:], delimiter, advice)
    _check_header(path, header, lines[0])
    if len(rows) == 1:
        raise DataError(f"{path}: there is a header row and no sample below it")
    ragged = [
        CellProblem(line, "", f"{_count(row)} where the header has {len(header)}")
        for row, line in zip(rows[1:], lines[1:], strict=False)
        if len(row) != len(header)
    ]
    refuse(path, ragged, f'each row needs {len(header)} cells, separated by "{delimiter}"')
    return CsvTable(path, header, tuple(map(tuple, rows[1:])), tuple(lines[1 : len(rows)]))


def _count(row: list[str]) -> str:
    return "1 cell" if len(row) == 1 else f"{len(row)} cells"


def decode(path: Path) -> str:
    """The file's text; DataError where it is absent, a folder, or not UTF-8."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{path}: the file is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line}: byte 0x{data[error.start]:02x} is not UTF-8 "
            "(is the file in Latin-1 or Windows-1252?); save it as UTF-8"
        ) from error


def _cells(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}: line {line}: a NUL character; this is not a text file")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            rows.append(row)
            lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}: line {line}: {error}; is a quotation mark left open?") from error
    return rows, lines


def _check_delimiter(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, advice: str
) -> None:
    """DataError where the header is one cell that holds another delimiter, and the rows do too."""
    other = _other_delimiter(header)
    texts = [delimiter.join(row) for row in rows]
    if other is None or not any(other in text for text in texts):
        return
    cells = [cell for text in texts for cell in text.split(other)]
    comma = next((cell.strip() for cell in cells if DECIMAL_COMMA.fullmatch(cell)), None)
    decimals = ""
    if comma is not None and other != ",":
        decimals = f"; decimals need a point: {comma.replace(',', '.')}, not {comma}"
    raise DataError(
        f"{path}: the header is one cell, {quoted(header)}, where {json.dumps(delimiter)} is to "
        f"separate the cells\n{advice.format(json.dumps(other))}{decimals}"
    )


def _other_delimiter(header: Sequence[str]) -> str | None:
    """What seems to separate the cells of a header that was read as one cell."""
    single = header[0] if len(header) == 1 else ""
    return next((each for each in DELIMITERS if each in single), None)


def _check_header(path: Path, header: tuple[str, ...], line: int) -> None:
    faults = [
        CellProblem(line, str(i + 1), "has no name") for i, name in enumerate(header) if not name
    ] + [
        CellProblem(line, name, f"stands {header.count(name)} times in the header")
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]
    refuse(path, faults, "give each column a name of its own")
    if not header:
        raise DataError(f"{path}: line {line} is empty; put a row of column names there")
    if all(_reason(name) is None for name in header):
        raise DataError(
            f"{path}: line {line}: the first row holds numbers; put a row of column names above it"
        )


def need_columns(table: CsvTable, names: Sequence[str], what: str) -> None:
    """DataError where a column that is asked for is not in the header."""
    absent = [name for name in names if name not in table.header]
    if absent:
        raise DataError(
            f"{table.path}: there is no column {quoted(absent)} for {what}; "
            f"the columns are {quoted(table.header)}{_hint(absent, table.header)}"
        )


def _hint(absent: Sequence[str], header: Sequence[str]) -> str:
    """What was probably meant: another delimiter, or names that are nearly the same."""
    delimiter = _other_delimiter(header)
    if delimiter is not None:
        return "\n" + SETTING.format(json.dumps(delimiter))
    near = {name: found for name in absent if (found := _nearest(name, header))}
    if not near:
        return ""
    if len(absent) == 1:
        return f'\ndid you mean "{near[absent[0]]}"?'
    pairs = [f'"{found}" for "{name}"' for name, found in [*near.items()][:SHOWN]]
    return f"\ndid you mean {', '.join(pairs)}?"


def _nearest(name: str, header: Sequence[str]) -> str | None:
    """The column whose name is most like this one, whatever the case of its letters."""
    small = {each.lower(): each for each in header}
    near = difflib.get_close_matches(name.lower(), small, n=1)
    return small[near[0]] if near else None


def quoted(names: Sequence[str]) -> str:
    """Names for a message, at most twenty."""
    text = ", ".join(f'"{name}"' for name in names[:20])
    return text + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def is_missing(cell: str) -> bool:
    """Whether a cell says that its value is not known."""
    return cell.strip().lower() in MISSING


def numbers(table: CsvTable, names: Sequence[str], faults: list[CellProblem]) -> Array:
    """float64 (rows, names); what is no finite float32 is added to `faults` and left 0."""
    values = np.zeros((len(table.rows), len(names)))
    for j, name in enumerate(names):
        cells = table.column(name)
        try:
            values[:, j] = [float(cell) for cell in cells]
            clean = bool((np.abs(values[:, j]) <= LARGEST).all())
        except ValueError:
            clean = False
        if not clean or any("_" in cell for cell in cells):
            faults += _faults(table, name, cells)
    return values


def _faults(table: CsvTable, name: str, cells: list[str]) -> list[CellProblem]:
    reasons = [_reason(cell) for cell in cells]
    found = [
        CellProblem(line, name, reason)
        for line, reason in zip(table.lines, reasons, strict=True)
        if reason is not None
    ]
    if len(found) == len(cells) > 1:
        reason = f"no row of this column is a number; this one: {reasons[0]}"
        return [CellProblem(table.lines[0], name, reason)]
    return found


def _reason(cell: str) -> str | None:
    """What is wrong with a cell that should be a number; None if nothing is."""
    if is_missing(cell):
        return "missing value"
    try:
        value = float("" if "_" in cell else cell)
    except ValueError:
        hint = " (a decimal comma? write a point)" if cell.count(",") == 1 else ""
        return f'"{cell}" is not a number{hint}'
    if not math.isfinite(value):
        return f'"{cell}" is not finite'
    if abs(value) > LARGEST:
        return f'"{cell}" is too large; inputs are 32-bit floats'
    return None
