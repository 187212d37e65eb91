"""A file is its old self or its new self, never a part: temporary name, fsync, rename, fsync."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from ldl.errors import RunError

TEMPORARY = re.compile(r"\..+\.[0-9]+-[0-9a-f]{8}\.tmp")
_waiting = ContextVar("waiting", default=True)


@contextlib.contextmanager
def waiting(wait: bool) -> Iterator[None]:
    """Within `with waiting(False)`, writes do not wait for the disk: they outlive kill -9 alone.

    For many files of which none counts before a last one, which is written after `sync_files`.
    """
    token = _waiting.set(wait)
    try:
        yield
    finally:
        _waiting.reset(token)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, whole or not at all, also through kill -9 and power cuts.

    The temporary file lies in the same folder, for a rename is atomic only within a file system.
    Raises `RunError` when the disk refuses; the old file then stands as it was.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                sync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of the text in UTF-8, line ends as they are.

    Bytes of a file's name that are not UTF-8, as Python has them, become escapes.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def sync(descriptor: int) -> None:
    """Wait until what was written is on the disk, unless `waiting` says otherwise."""
    if _waiting.get():
        os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` last: a rename is on the disk only once its folder is."""
    if not _waiting.get():
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_files(folder: Path) -> None:
    """Wait until every file under `folder`, and every name, is on the disk.

    By one call for the whole file system where there is one: a wait for each file takes ten times
    as long, and more on a busy computer.
    """
    if _sync_file_system(folder):
        return
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(place, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(place))


def _sync_file_system(folder: Path) -> bool:
    """Linux's syncfs(2); False where the system has none or it fails."""
    import ctypes

    call = getattr(ctypes.CDLL(None), "syncfs", None)
    if call is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return bool(call(descriptor) == 0)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> list[Path]:
    """Remove the temporary files that a killed writer left anywhere under `folder`; return them.

    Only for who holds the run's lock: a writer at work has temporary files too.
    """
    swept = []
    for place, _, names in os.walk(folder):
        for name in filter(TEMPORARY.fullmatch, names):
            stray = Path(place, name)
            with contextlib.suppress(OSError):
                stray.unlink()
                swept.append(stray)
    return swept
