"""The tables of results.json and of contingency matrices."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ldl.errors import RunFolderError
from ldl.folder_files import read_text
from ldl.report.number_format import format_number, readable_name

NO_METRICS: Final = ("part", "samples", "units", "notes")
MAX_ITEMS: Final = 12  # of a list that is written out
MAX_CLASSES: Final = 40  # of a contingency matrix that is shown as a table


@dataclass(frozen=True)
class ResultTable:
    """A table of text; the columns in `numbers` are right-align_decimals."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int]


@dataclass(frozen=True)
class EvaluationSection:
    """One evaluation of results.json: its title, split and samples (`scope`), tables and notes."""

    title: str
    scope: str
    tables: list[ResultTable]
    notes: list[str]


@dataclass(frozen=True)
class ContingencyTable:
    """A contingency matrix: (row name, [(count, CSS class), …]) for each row."""

    caption: str
    columns: list[str]
    rows: list[tuple[str, list[tuple[int, str]]]]


def evaluation_sections(results: Mapping[str, Any]) -> list[EvaluationSection]:
    """A section for each evaluation of results.json."""
    items = results.items()
    return [evaluation_section(name, values) for name, values in items if isinstance(values, dict)]


def evaluation_section(name: str, values: Mapping[str, Any]) -> EvaluationSection:
    """One evaluation: its single metrics in a table, then a table for each group of metrics."""
    metrics = {key: value for key, value in values.items() if key not in NO_METRICS}
    groups = {key: value for key, value in metrics.items() if _is_group(value)}
    single = {key: value for key, value in metrics.items() if key not in groups}
    rows = [(readable_name(key), _value_text(value)) for key, value in _flat(single)]
    title = readable_name(name.partition("-")[0]).capitalize()
    tables = [ResultTable(f"{title}: metrics", ("metric", "value"), rows, (1,))] if rows else []
    split, samples = values.get("part"), values.get("samples")
    scope = f"on the {split} split" if split else ""
    if isinstance(samples, int):
        scope += f", {format_number(samples)} samples"
    notes = [str(note) for note in values.get("notes") or ()]
    return EvaluationSection(
        title, scope, tables + [_group_table(key, group) for key, group in groups.items()], notes
    )


def _is_group(value: Any) -> bool:
    """Whether a value maps several names, such as classes, to the same metrics."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    rows = list(value.values())
    return all(
        isinstance(row, dict) and row and row.keys() == rows[0].keys() and not _is_nested(row)
        for row in rows
    )


def _is_nested(row: Mapping[str, Any]) -> bool:
    return any(isinstance(value, dict | list) for value in row.values())


def _group_table(name: str, group: Mapping[str, Mapping[str, Any]]) -> ResultTable:
    columns = list(next(iter(group.values())))
    cells = [align_decimals([row[column] for row in group.values()]) for column in columns]
    rows = [(key, *(column[i] for column in cells)) for i, key in enumerate(group)]
    header = ["", *map(readable_name, columns)]
    return ResultTable(readable_name(name).capitalize(), header, rows, range(1, len(header)))


def align_decimals(values: Sequence[Any]) -> list[str]:
    """The numbers of a column with the same number of decimal places."""
    floats = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    largest = max(map(abs, floats), default=0.0)
    whole = len(floats) < len(values) or all(value.is_integer() for value in floats)
    if whole or not 0.01 <= largest < 10_000:
        return [format_number(value) for value in values]
    places = max(0, 3 - max(0, math.floor(math.log10(largest))) + (largest < 1.5))
    return [format_number(f"{value:.{places}f}") for value in floats]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """(name, value) of all leaves; nested keys are joined by spaces."""
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{prefix} {key}".strip()
        leaves += _flat(value, name) if isinstance(value, dict) else [(name, value)]
    return leaves


def _value_text(value: Any) -> str:
    if not isinstance(value, list):
        return format_number(value)
    if len(value) > MAX_ITEMS or any(isinstance(item, dict | list) for item in value):
        return f"{len(value)} values"
    return ", ".join(map(format_number, value))


def contingency_table(path: Path) -> ContingencyTable | None:
    """The matrix of a CSV file; None where it is large.

    Raises RunFolderError where the file is no such matrix.
    """
    try:
        header, *lines = list(csv.reader(io.StringIO(read_text(path), "")))
        rows = [
            (name, _shaded([int(cell) for cell in cells], name, header)) for name, *cells in lines
        ]
    except (OSError, ValueError, csv.Error) as error:
        raise RunFolderError(f"{path} cannot be shown: {error}") from error
    if len(rows) > MAX_CLASSES or len(header) > MAX_CLASSES + 1:
        return None
    true, predicted = (*header[0].split("\\"), "")[:2] if "\\" in header[0] else (header[0], "")
    kind, _, split = path.stem.partition("-")
    caption = f"{readable_name(kind).capitalize()}: rows {true}, columns {predicted}"
    if split:
        caption += f", {split} split"
    return ContingencyTable(caption, header, rows)


def _shaded(counts: list[int], name: str, header: list[str]) -> list[tuple[int, str]]:
    """The counts of a row with their CSS classes. Raises ValueError for a ragged row."""
    columns = zip(counts, header[1:], strict=True)
    return [(count, _shade(count, sum(counts), name == column)) for count, column in columns]


def _shade(count: int, total: int, diagonal: bool) -> str:
    """The CSS classes of a cell: darker with its share of the row, outlined on the diagonal."""
    share = count / total if total else 0.0
    shade = "zero" if count == 0 else f"h{1 + min(4, int(share * 5))}"
    return f"{shade} hit" if diagonal and count else shade
