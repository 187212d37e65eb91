"""metrics.csv: a row an epoch, numbers written so that they come back bit for bit."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Self, SupportsFloat, SupportsIndex

from ldl.atomic_file import fsync, write_bytes, write_text
from ldl.errors import RunError, RunFolderError

MetricValue = float | int | None
MetricsRow = dict[str, MetricValue]

TAIL = 4096  # bytes; a row has a few hundred


class MetricsWriter:
    """Appends a row an epoch to metrics.csv; the first column is `epoch`.

    A row is one write to the system: kill -9 leaves at most the last row unfinished, which the next
    writer cuts off. `sync` before a checkpoint makes the rows outlive a power cut too.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Begin the file, or go on with it; raises `RunFolderError` when its columns differ."""
        if list(columns[:1]) != ["epoch"] or set("".join(columns)) & set(',"\r\n'):
            raise ValueError("the first column is epoch; no name holds a comma or a quote")
        self.path = path
        self.columns = tuple(columns)
        header = ",".join(columns) + "\n"
        lines = _whole_lines(path) if path.exists() else []
        if not lines:
            write_text(path, header)
        elif lines[0] != header:
            raise RunFolderError(f"{path} has other columns: {lines[0].strip()}")
        self._file = path.open("r+b", buffering=0)
        self._end = sum(len(line.encode()) for line in lines) or len(header.encode())
        self._settle()

    def append(self, row: Mapping[str, SupportsFloat | SupportsIndex | None]) -> None:
        """Write a row; a column left out is empty. Raises `RunError` when the disk refuses."""
        if not row.keys() <= set(self.columns):
            raise ValueError(f"no such column: {', '.join(row.keys() - set(self.columns))}")
        line = (",".join(_cell(row.get(name)) for name in self.columns) + "\n").encode()
        try:
            if self._file.write(line) != len(line):
                raise OSError(0, "the disk is full")
        except OSError as error:
            self._settle()
            raise RunError(f"cannot write {self.path}: {error.strerror}") from error
        self._end += len(line)

    def truncate_to(self, epoch: int) -> int:
        """Keep the rows up to and including `epoch`; returns how many those are."""
        lines = _whole_lines(self.path)
        kept = [line for line in lines[1:] if _epoch(self.path, line) <= epoch]
        data = "".join([lines[0], *kept]).encode()
        write_bytes(self.path, data)
        self._file.close()
        self._file = self.path.open("r+b", buffering=0)
        self._end = len(data)
        self._settle()
        return len(kept)

    def sync(self) -> None:
        """Wait until the rows are on the disk."""
        try:
            fsync(self._file.fileno())
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Sync and close."""
        if self._file.closed:
            return
        try:
            self.sync()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self) -> None:
        """Cut off what stands behind the last whole row."""
        self._file.truncate(self._end)
        self._file.seek(self._end)


def read_metrics(path: Path) -> list[MetricsRow]:
    """The whole rows as numbers, None where a cell is empty; an unfinished last row is left out.

    Raises `RunFolderError` with the line's number when a row is damaged.
    """
    lines = _whole_lines(path)
    names = lines[0].rstrip("\n").split(",") if lines else []
    return [_row(path, number, names, line) for number, line in enumerate(lines[1:], 2)]


def read_last_row(path: Path) -> MetricsRow | None:
    """The last whole row, read from the end of the file; None when there is no row."""
    with _opened(path) as file:
        header = file.readline()
        size = file.seek(0, os.SEEK_END)
        start = max(len(header), size - TAIL)
        file.seek(start)
        tail = file.read()
    whole = tail[: tail.rfind(b"\n") + 1].splitlines(keepends=True)
    if not whole or not header.endswith(b"\n"):
        return None
    if len(whole) == 1 and start > len(header):
        return read_metrics(path)[-1]
    names = _decode(path, header).rstrip("\n").split(",")
    return _row(path, "-1", names, _decode(path, whole[-1]))


def _cell(value: SupportsFloat | SupportsIndex | None) -> str:
    if value is None:
        return ""
    try:
        return str(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        return repr(float(value))


def _number(text: str) -> MetricValue:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def _row(path: Path, line: int | str, names: Sequence[str], text: str) -> MetricsRow:
    try:
        return dict(zip(names, map(_number, text.rstrip("\n").split(",")), strict=True))
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged at line {line}: {error}") from error


def _epoch(path: Path, line: str) -> int:
    try:
        return int(line.partition(",")[0])
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged: no epoch in {line.strip()!r}") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{path} is damaged: {error}") from error


def _whole_lines(path: Path) -> list[str]:
    with _opened(path) as file:
        data = file.read()
    return _decode(path, data[: data.rfind(b"\n") + 1]).splitlines(keepends=True)
