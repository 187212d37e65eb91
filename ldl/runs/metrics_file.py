"""metrics.csv: one row per epoch, with numbers that are read back bit for bit."""

from __future__ import annotations

import contextlib
import errno
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self, SupportsFloat, SupportsIndex

from ldl.atomic_file import fsync, write_bytes, write_text
from ldl.errors import RunError, RunFolderError
from ldl.folder_files import open_file

MetricValue = float | int | None
MetricsRow = dict[str, MetricValue]

TAIL_BYTES = 4096  # read to find the last row, which has a few hundred bytes


class MetricsWriter:
    """Appends one row per epoch to metrics.csv; the first column is `epoch`.

    Each row is one write(2): kill -9 leaves at most the last row incomplete, and the next writer
    cuts that row off. Call `sync` before saving a checkpoint, so that the rows survive a power cut.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        """Create or continue the file. Raises `RunFolderError` when it has other columns."""
        if list(columns[:1]) != ["epoch"] or set("".join(columns)) & set(',"\r\n'):
            raise ValueError("the first column is epoch; column names hold no commas or quotes")
        self.path = path
        self.columns = tuple(columns)
        header = ",".join(columns) + "\n"
        lines = _complete_lines(path) if path.exists() else []
        if not lines:
            write_text(path, header)
        elif lines[0] != header:
            raise RunFolderError(f"{path} has other columns: {lines[0].strip()}")
        self._open(sum(len(line.encode()) for line in lines) or len(header.encode()))

    def _open(self, size: int) -> None:
        """Open the file for appending after its first `size` bytes. Raises RunError."""
        with _writing(self.path):
            self._file = open_file(self.path, "r+b", buffering=0)
            self._size = size
            self._cut_incomplete_row()

    def append(self, row: Mapping[str, SupportsFloat | SupportsIndex | None]) -> None:
        """Write a row; missing columns stay empty. Raises `RunError` when the write fails."""
        if not row.keys() <= set(self.columns):
            raise ValueError(f"no such column: {', '.join(row.keys() - set(self.columns))}")
        line = (",".join(_format(row.get(name)) for name in self.columns) + "\n").encode()
        with _writing(self.path):
            try:
                if self._file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, "the disk is full")
            except OSError:
                with contextlib.suppress(OSError):
                    self._cut_incomplete_row()
                raise
        self._size += len(line)

    def truncate_to(self, epoch: int) -> int:
        """Keep the rows up to and including `epoch`; return their number."""
        header, *rows = _complete_lines(self.path)
        remaining = [line for line in rows if _epoch(self.path, line) <= epoch]
        data = "".join([header, *remaining]).encode()
        write_bytes(self.path, data)
        with _writing(self.path):
            self._file.close()
        self._open(len(data))
        return len(remaining)

    def sync(self) -> None:
        """Wait until the rows are on the disk."""
        with _writing(self.path):
            fsync(self._file.fileno())

    def close(self) -> None:
        """Sync and close the file. Raises RunError when a row may not be on the disk."""
        if not self._file.closed:
            with _writing(self.path), self._file:
                fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _cut_incomplete_row(self) -> None:
        self._file.truncate(self._size)
        self._file.seek(self._size)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raise RunError for an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error


def read_metrics(path: Path) -> list[MetricsRow]:
    """The complete rows as numbers, None for an empty cell; an incomplete last row is left out.

    Raises `RunFolderError` with the line number when a row is damaged.
    """
    lines = _complete_lines(path)
    names = lines[0].rstrip("\n").split(",") if lines else []
    return [_parse_row(path, number, names, line) for number, line in enumerate(lines[1:], 2)]


def read_last_row(path: Path) -> MetricsRow | None:
    """The last complete row, read from the end of the file; None when there is no row."""
    with _open_for_reading(path) as file:
        header = file.readline()
        size = file.seek(0, os.SEEK_END)
        start = max(len(header), size - TAIL_BYTES)
        file.seek(start)
        tail = file.read()
    lines = tail[: tail.rfind(b"\n") + 1].splitlines(keepends=True)
    if not lines or not header.endswith(b"\n"):
        return None
    if len(lines) == 1 and start > len(header):  # the row may begin before the tail
        return read_metrics(path)[-1]
    names = _decode(path, header).rstrip("\n").split(",")
    return _parse_row(path, "-1", names, _decode(path, lines[-1]))


def _format(value: SupportsFloat | SupportsIndex | None) -> str:
    if value is None:
        return ""
    try:
        return str(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        return repr(float(value))


def _parse(text: str) -> MetricValue:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def _parse_row(path: Path, number: int | str, names: Sequence[str], line: str) -> MetricsRow:
    try:
        return dict(zip(names, map(_parse, line.rstrip("\n").split(",")), strict=True))
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged at line {number}: {error}") from error


def _epoch(path: Path, line: str) -> int:
    try:
        return int(line.partition(",")[0])
    except ValueError as error:
        raise RunFolderError(f"{path} is damaged: no epoch in {line.strip()!r}") from error


def _open_for_reading(path: Path) -> IO[bytes]:
    try:
        return open_file(path)
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{path} is damaged: {error}") from error


def _complete_lines(path: Path) -> list[str]:
    with _open_for_reading(path) as file:
        data = file.read()
    return _decode(path, data[: data.rfind(b"\n") + 1]).splitlines(keepends=True)
