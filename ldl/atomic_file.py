"""Atomic file replacement: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import IO

from ldl.errors import RunError
from ldl.folder_files import open_descriptor, open_folder, remove_file

TEMPORARY = re.compile(r"\..+\.[0-9]+-[0-9a-f]{8}\.tmp")
_durable = ContextVar("durable", default=True)


@contextlib.contextmanager
def durable_writes(enabled: bool) -> Iterator[None]:
    """Within `with durable_writes(False)`, no write calls fsync: files survive kill -9 only.

    For many files of which none is valid before a last one, which is written after `fsync_tree`.
    """
    token = _durable.set(enabled)
    try:
        yield
    finally:
        _durable.reset(token)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when the block ends without an error.

    Readers see the old file or the whole new one, also after kill -9 or a power cut. The temporary
    file lies in the same folder, because a rename is atomic only within one file system. Raises
    OSError, and leaves the old file, when the disk refuses.
    """
    temporary = f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    with open_folder(path.parent) as folder:
        try:
            with open(temporary, "xb", opener=partial(os.open, mode=0o666, dir_fd=folder)) as file:
                yield file
                file.flush()
                fsync(file.fileno())
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            fsync(folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data` as `atomic_file` does. Raises RunError when the disk refuses."""
    try:
        with atomic_file(path) as file:
            file.write(data)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    """`write_bytes` of the text in UTF-8, line ends unchanged.

    Surrogate escapes, which stand for bytes of file names that are not UTF-8, become `\\udcXX`.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def fsync(descriptor: int) -> None:
    """Wait until a file's content is on the disk, unless `durable_writes(False)` holds."""
    if _durable.get():
        os.fsync(descriptor)


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a rename is on the disk only once its folder is."""
    if _durable.get():
        with open_folder(folder) as descriptor:
            os.fsync(descriptor)


def fsync_tree(root: Path) -> None:
    """Wait until every file and every name under `root` is on the disk.

    One syncfs call for the whole file system where the system has it: an fsync for each file takes
    ten times as long, and more on a busy computer.
    """
    if _sync_file_system(root):
        return
    for folder, _, names in os.walk(root):
        for name in names:
            descriptor = open_descriptor(Path(folder, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        fsync_folder(Path(folder))


def _sync_file_system(folder: Path) -> bool:
    """Linux's syncfs(2); False where the system has none or it fails."""
    import ctypes

    call = getattr(ctypes.CDLL(None), "syncfs", None)
    if call is None:
        return False
    with open_folder(folder) as descriptor:
        return bool(call(descriptor) == 0)


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it, as far as that is possible."""
    # Where close(2) fails, rmtree closes a descriptor twice, which ignore_errors does not cover.
    with contextlib.suppress(OSError):
        shutil.rmtree(folder, ignore_errors=True)


def remove_temporary_files(root: Path, min_age: float = 0.0) -> list[Path]:
    """Remove the temporary files of killed writers anywhere under `root`; return their paths.

    A live writer has temporary files too: call this under the run's lock, or with a `min_age` in
    seconds that no write takes.
    """
    removed = []
    for folder, _, names in os.walk(root):
        for name in filter(TEMPORARY.fullmatch, names):
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime >= min_age:
                    remove_file(path)
                    removed.append(path)
    return removed
