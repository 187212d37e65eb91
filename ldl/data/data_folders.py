"""Where data files lie: LDL_DATA_DIR, then the cache; and writing into the cache safely."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from ldl.errors import DataError

DAY = 86_400.0  # seconds


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/ldl, or ~/.cache/ldl; it may not exist yet."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ldl"


def data_folders() -> list[Path]:
    """The folders that are searched, in order."""
    chosen = os.environ.get("LDL_DATA_DIR")
    return [Path(chosen), cache_folder()] if chosen else [cache_folder()]


def stamp(path: Path) -> tuple[int, int, int]:
    """What changes when the file's content does: inode, size, time. Raises DataError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not path.is_file():
        raise DataError(f"{path}: is not a file")
    return status.st_ino, status.st_size, status.st_mtime_ns


def _sweep(path: Path) -> None:
    """Removes what writers of this file that were killed over a day ago left half written."""
    for stray in path.parent.glob(f".{path.name}.*"):
        with suppress(OSError):
            if time.time() - stray.stat().st_mtime > DAY:
                stray.unlink()


def write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Writes a file whole or not at all: temporary name, fsync, rename, fsync of the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
