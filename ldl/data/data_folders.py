"""The folders of data files: LDL_DATA_DIR and the cache; writing files into the cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ldl.atomic_file import atomic_file, durable_writes, remove_temporary_files
from ldl.errors import DataError

DAY = 86_400.0  # seconds


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/ldl, or ~/.cache/ldl; it may not exist yet."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ldl"


def data_folders() -> list[Path]:
    """The folders that are searched for data files, in order."""
    data_dir = os.environ.get("LDL_DATA_DIR")
    return [Path(data_dir), cache_folder()] if data_dir else [cache_folder()]


def file_stamp(path: Path) -> tuple[int, int, int]:
    """Inode, size and time of a file, which change when its content does. Raises DataError."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not path.is_file():
        raise DataError(f"{path}: is not a file")
    return status.st_ino, status.st_size, status.st_mtime_ns


@contextmanager
def cached_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file that replaces `path` when it is complete; creates its folder.

    Also removes the temporary files of processes that were killed more than a day ago.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.parent.resolve() / path.name  # the folder is the user's: it may be a link
    remove_temporary_files(path.parent, DAY)
    with durable_writes(True), atomic_file(path) as file:
        yield file
