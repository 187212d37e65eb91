"""CSV files read strictly: every bad cell is found and reported by line and column."""

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
from ldl.data.data_errors import MAX_PROBLEMS, quoted, raise_problems
from ldl.data.dataset import MAX_FLOAT32
from ldl.errors import DataError

MISSING = {"", "na", "n/a", "nan", "null", "?"}
DELIMITERS = (";", "\t", "|", ",")
DELIMITER_HINT = "did you mean `delimiter: {}`?"
DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")


@dataclass(frozen=True)
class CellProblem:
    """A bad row or cell; lines count from 1 in the file."""

    line: int
    column: str  # empty for a whole row
    reason: str

    def __str__(self) -> str:
        column = f', column "{self.column}"' if self.column else ""
        return f"line {self.line}{column}: {self.reason}"


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


def raise_cell_problems(path: Path, problems: Sequence[CellProblem], hint: str) -> None:
    """Raise DataError with the first ten problems in the file's order, if there are any."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    raise_problems(f"{path}: cannot be used as it is", [*map(str, ordered)], hint)


def read_csv_table(path: Path, delimiter: str = ",", hint: str = DELIMITER_HINT) -> CsvTable:
    """The table of a CSV file with a header row, UTF-8 with or without a byte order mark.

    Blank lines at the end are ignored. Raises DataError with all ragged rows, or with the one
    problem that stops reading: encoding, a broken quotation, another delimiter, no header, a column
    name used twice, no rows. `hint` has a "{}" for the delimiter that the file seems to use.
    """
    rows, lines = _parse_rows(path, _read_text(path), delimiter)
    while rows and not rows[-1]:
        rows.pop()
    if not rows:
        raise DataError(f"{path}: the file is empty; a header row and samples are needed")
    header = tuple(cell.strip() for cell in rows[0])
    _check_delimiter(path, header, rows[1:], delimiter, hint)
    _check_header(path, header, lines[0])
    if len(rows) == 1:
        raise DataError(f"{path}: there is a header row and no sample below it")
    ragged = [
        CellProblem(line, "", f"{_cell_count(row)} where the header has {len(header)}")
        for row, line in zip(rows[1:], lines[1:], strict=False)
        if len(row) != len(header)
    ]
    raise_cell_problems(
        path, ragged, f'each row needs {len(header)} cells, separated by "{delimiter}"'
    )
    return CsvTable(path, header, tuple(map(tuple, rows[1:])), tuple(lines[1 : len(rows)]))


def _cell_count(row: list[str]) -> str:
    return "1 cell" if len(row) == 1 else f"{len(row)} cells"


def _read_text(path: Path) -> str:
    """The file's text. Raises DataError where it is missing, a folder, or not UTF-8."""
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


def _parse_rows(path: Path, text: str, delimiter: str) -> tuple[list[list[str]], list[int]]:
    """The rows, and the line on which each begins."""
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
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, hint: str
) -> None:
    """Raise DataError where header and rows are single cells that hold another delimiter."""
    other_delimiter = _other_delimiter(header)
    texts = [delimiter.join(row) for row in rows]
    if other_delimiter is None or not any(other_delimiter in text for text in texts):
        return
    cells = [cell for text in texts for cell in text.split(other_delimiter)]
    comma = next((cell.strip() for cell in cells if DECIMAL_COMMA.fullmatch(cell)), None)
    decimals = ""
    if comma is not None and other_delimiter != ",":
        decimals = f"; decimals need a point: {comma.replace(',', '.')}, not {comma}"
    raise DataError(
        f"{path}: the header is one cell, {quoted(header)}, where {json.dumps(delimiter)} should "
        f"separate the cells\n{hint.format(json.dumps(other_delimiter))}{decimals}"
    )


def _other_delimiter(header: Sequence[str]) -> str | None:
    """The delimiter that a header of one cell contains, if any."""
    cell = header[0] if len(header) == 1 else ""
    return next((delimiter for delimiter in DELIMITERS if delimiter in cell), None)


def _check_header(path: Path, header: tuple[str, ...], line: int) -> None:
    unnamed = [
        CellProblem(line, str(i + 1), "has no name") for i, name in enumerate(header) if not name
    ]
    repeated = [
        CellProblem(line, name, f"is {header.count(name)} times in the header")
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]
    raise_cell_problems(path, unnamed + repeated, "give each column a name of its own")
    if not header:
        raise DataError(f"{path}: line {line} is empty; put a row of column names there")
    if all(_number_problem(name) is None for name in header):
        raise DataError(
            f"{path}: line {line}: the first row holds numbers; put a row of column names above it"
        )


def check_columns(table: CsvTable, names: Sequence[str], purpose: str) -> None:
    """Raise DataError where one of these columns is not in the header."""
    absent = [name for name in names if name not in table.header]
    if absent:
        raise DataError(
            f"{table.path}: there is no column {quoted(absent)} for {purpose}; "
            f"the columns are {quoted(table.header)}{_column_hint(absent, table.header)}"
        )


def _column_hint(absent: Sequence[str], header: Sequence[str]) -> str:
    """The probable cause of absent columns: another delimiter, or similar names."""
    delimiter = _other_delimiter(header)
    if delimiter is not None:
        return "\n" + DELIMITER_HINT.format(json.dumps(delimiter))
    similar = {name: match for name in absent if (match := _similar_column(name, header))}
    if not similar:
        return ""
    if len(absent) == 1:
        return f'\ndid you mean "{similar[absent[0]]}"?'
    pairs = [f'"{match}" for "{name}"' for name, match in [*similar.items()][:MAX_PROBLEMS]]
    return f"\ndid you mean {', '.join(pairs)}?"


def _similar_column(name: str, header: Sequence[str]) -> str | None:
    """The column with the most similar name, ignoring case."""
    by_lower_name = {column.lower(): column for column in header}
    matches = difflib.get_close_matches(name.lower(), by_lower_name, n=1)
    return by_lower_name[matches[0]] if matches else None


def is_missing(cell: str) -> bool:
    """Whether a cell marks a missing value."""
    return cell.strip().lower() in MISSING


def parse_numbers(table: CsvTable, names: Sequence[str], problems: list[CellProblem]) -> Array:
    """float64 (rows, names); cells that are no finite float32 are 0 and added to `problems`."""
    values = np.zeros((len(table.rows), len(names)))
    for j, name in enumerate(names):
        cells = table.column(name)
        try:
            values[:, j] = [float(cell) for cell in cells]
            valid = bool((np.abs(values[:, j]) <= MAX_FLOAT32).all())
        except ValueError:
            valid = False
        if not valid or any("_" in cell for cell in cells):
            problems += _column_problems(table, name, cells)
    return values


def _column_problems(table: CsvTable, name: str, cells: list[str]) -> list[CellProblem]:
    reasons = [_number_problem(cell) for cell in cells]
    problems = [
        CellProblem(line, name, reason)
        for line, reason in zip(table.lines, reasons, strict=True)
        if reason is not None
    ]
    if len(problems) == len(cells) > 1:
        reason = f"no cell of this column is a number; this one: {reasons[0]}"
        return [CellProblem(table.lines[0], name, reason)]
    return problems


def _number_problem(cell: str) -> str | None:
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
    if abs(value) > MAX_FLOAT32:
        return f'"{cell}" is too large; inputs are 32-bit floats'
    return None
