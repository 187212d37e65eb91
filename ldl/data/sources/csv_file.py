"""Samples from the user's CSV file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from ldl.arrays import Array
from ldl.data.csv_table import (
    CellProblem,
    CsvTable,
    check_columns,
    is_missing,
    parse_numbers,
    raise_cell_problems,
    read_csv_table,
)
from ldl.data.data_folders import file_stamp
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.errors import DataError, SettingError
from ldl.fields import FilePath

MAX_INTEGER_CLASSES = 20  # with more different whole numbers, a target is values
CELL_HINT = "correct or remove these rows; remove columns that are not inputs too"


@dataclass(frozen=True)
class Csv:
    """The rows of a CSV file with a header: one column or more is the target, the rest the inputs.

    Without `task`, a target of text is classes, a target of at most 20 different whole numbers is
    classes too, and every other target is values. Classes have the names of the file, text in
    alphabetical order and whole numbers in ascending order. Every input must be a number.
    """

    path: Annotated[str, FilePath()]
    target: str | tuple[str, ...] | None = None
    task: Literal["classes", "values"] | None = None
    delimiter: str = ","

    def __post_init__(self) -> None:
        if isinstance(self.target, list):
            object.__setattr__(self, "target", tuple(self.target))
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise SettingError("delimiter", 'is one character, such as "," or ";"')
        if self.task is not None and not self.targets:
            raise SettingError("task", "needs a target column")
        if self.task == "classes" and len(self.targets) > 1:
            raise SettingError("task", "classes are in one column; several targets are values")
        if len(set(self.targets)) < len(self.targets):
            raise SettingError("target", "a column is named twice")

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the target columns."""
        if isinstance(self.target, str):
            return (self.target,)
        return self.target or ()

    def describe(self) -> DatasetInfo:
        """Reads the whole file, once: `read` reuses the result."""
        return self.read(0).info

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The rows in the file's order. Raises DataError with line and column of bad cells."""
        return _parse(self, file_stamp(Path(self.path)))


@lru_cache(maxsize=4)
def _parse(source: Csv, stamp: object) -> RawDataset:
    """The samples of a file; another `stamp`, for another content, reads it again."""
    table = read_csv_table(Path(source.path), source.delimiter)
    check_columns(table, source.targets, "the target")
    features = tuple(name for name in table.header if name not in source.targets)
    if not features:
        raise DataError(f"{table.path}: every column is a target, none is left for the inputs")
    problems: list[CellProblem] = []
    x = parse_numbers(table, features, problems)
    y: Array | None = None
    target = Target("none")
    if source.targets and _is_classes(source, table):
        names = _class_names(table.column(source.targets[0]))
        target = Target("classes", names, source.targets[0])
        y = class_indices(table, target, problems)
    elif source.targets:
        target = Target("values", source.targets)
        y = parse_numbers(table, source.targets, problems)
    raise_cell_problems(table.path, problems, CELL_HINT)
    info = DatasetInfo({"x": (len(features),)}, target, None, len(x), features=features)
    for array in (x, y):
        if array is not None:
            array.setflags(write=False)  # all callers share the cached arrays
    return RawDataset(info, {"x": x}, y)


def _is_classes(source: Csv, table: CsvTable) -> bool:
    if source.task is not None or len(source.targets) > 1:
        return source.task == "classes"
    cells = [cell for cell in table.column(source.targets[0]) if not is_missing(cell)]
    labels = {cell.strip() for cell in cells}
    if all(map(_is_integer, labels)):
        return len(labels) <= MAX_INTEGER_CLASSES
    # Where most cells are numbers, the text among them is a typing error.
    return 2 * sum(map(_is_number, cells)) <= len(cells)


def _is_integer(cell: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,1000}", cell) is not None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _class_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The different labels: whole numbers by value, all others in alphabetical order."""
    labels = {cell.strip() for cell in cells if not is_missing(cell)}
    if all(map(_is_integer, labels)):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def class_indices(table: CsvTable, target: Target, problems: list[CellProblem]) -> Array:
    """int64 (rows,): the index of each label in the target's names.

    Missing and unknown labels are 0 and added to `problems`.
    """
    index_of = {name: i for i, name in enumerate(target.names)}
    indices = np.zeros(len(table.rows), np.int64)
    for i, cell in enumerate(table.column(target.label)):
        label = cell.strip()
        if is_missing(cell):
            problems.append(CellProblem(table.lines[i], target.label, "missing value"))
        elif label not in index_of:
            problems.append(CellProblem(table.lines[i], target.label, f'"{label}" is no class'))
        else:
            indices[i] = index_of[label]
    return indices
