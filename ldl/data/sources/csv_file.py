"""Samples from a CSV file of the user's own."""

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
    is_missing,
    need_columns,
    numbers,
    read_table,
    refuse,
)
from ldl.data.data_folders import stamp
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.errors import DataError, SettingError
from ldl.fields import FilePath

FEW = 20  # so many different whole numbers are still taken for classes
ADVICE = "mend or remove these rows; a column that is no input has to be removed too"


@dataclass(frozen=True)
class Csv:
    """The rows of a CSV file with a header: one column or more is the target, the rest the inputs.

    With `task` left out a target of text is classes, a target of at most 20 different whole numbers
    is classes too, and every other is values. Classes are named as they stand in the file, text in
    alphabetical order and whole numbers in theirs. Every input has to be a number.
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
            raise SettingError("task", "classes stand in one column; several targets are values")
        if len(set(self.targets)) < len(self.targets):
            raise SettingError("target", "a column is named twice")

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns' names."""
        if isinstance(self.target, str):
            return (self.target,)
        return self.target or ()

    def describe(self) -> DatasetInfo:
        """Reads the whole file, once; `read` then has it at hand."""
        return self.read(0).info

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The rows in the file's order. Raises DataError with line and column of what is bad."""
        return _parse(self, stamp(Path(self.path)))


@lru_cache(maxsize=4)
def _parse(source: Csv, stamp: object) -> RawDataset:
    """`stamp` changes when the file does, so that a changed file is read anew."""
    table = read_table(Path(source.path), source.delimiter)
    need_columns(table, source.targets, "the target")
    features = tuple(name for name in table.header if name not in source.targets)
    if not features:
        raise DataError(f"{table.path}: every column is a target, none is left for the inputs")
    faults: list[CellProblem] = []
    x = numbers(table, features, faults)
    y: Array | None = None
    target = Target("none")
    if source.targets and _is_classes(source, table):
        names = class_names(table.column(source.targets[0]))
        target = Target("classes", names, source.targets[0])
        y = class_indices(table, target, faults)
    elif source.targets:
        target = Target("values", source.targets)
        y = numbers(table, source.targets, faults)
    refuse(table.path, faults, ADVICE)
    info = DatasetInfo({"x": (len(features),)}, target, None, len(x), features=features)
    for array in (x, y):
        if array is not None:
            array.setflags(write=False)  # the cache hands out the same arrays again
    return RawDataset(info, {"x": x}, y)


def _is_classes(source: Csv, table: CsvTable) -> bool:
    if source.task is not None or len(source.targets) > 1:
        return source.task == "classes"
    cells = [cell for cell in table.column(source.targets[0]) if not is_missing(cell)]
    different = {cell.strip() for cell in cells}
    if all(map(_whole, different)):
        return len(different) <= FEW
    # Text among numbers is a slip of the pen where most cells are numbers.
    return 2 * sum(map(_number, cells)) <= len(cells)


def _whole(cell: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,1000}", cell) is not None


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def class_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The different labels: whole numbers by value, anything else by alphabet."""
    labels = {cell.strip() for cell in cells if not is_missing(cell)}
    if all(map(_whole, labels)):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def class_indices(table: CsvTable, target: Target, faults: list[CellProblem]) -> Array:
    """int64 (rows,): each label's place among the names; other labels are added to `faults`."""
    place = {name: i for i, name in enumerate(target.names)}
    indices = np.zeros(len(table.rows), np.int64)
    for i, cell in enumerate(table.column(target.label)):
        label = cell.strip()
        if is_missing(cell):
            faults.append(CellProblem(table.lines[i], target.label, "missing value"))
        elif label not in place:
            faults.append(CellProblem(table.lines[i], target.label, f'"{label}" is no known class'))
        else:
            indices[i] = place[label]
    return indices
