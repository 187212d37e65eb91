"""Opening files in the folders of runs, grids and reports: never through a link within them.

Such a folder may come from elsewhere. A link in it could lead to any file of the user, and a FIFO
or a device could block or act when it is opened. Every module that reads or writes there opens its
files by these functions. The path of the folder itself may lead through links: the user names it.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from ldl.errors import RunFolderError

SUBFOLDERS: Final = frozenset(
    {"checkpoints", "contingency", "plots", "trials", "best", ".best", "claims", "shared",
     ".pictures"}
)  # fmt: skip
PARENTS_OF_RUNS: Final = frozenset({"trials", ".best"})  # their subfolders have any name
SCRATCH_PREFIX: Final = ".retraining-"  # of temporary folders in a run folder
MARKERS: Final = ("status.json", "grid.json", "environment.json")
LINK_MESSAGE: Final = "it is a link, and links in the folder of a run are not followed"


def open_descriptor(path: Path | str, flags: int, mode: int = 0o666) -> int:
    """os.open of a regular file, without following a link.

    Raises OSError where `path`, or a subfolder of a run that it leads through, is a link, and where
    it is a FIFO or a device.
    """
    path = Path(path)
    names = _split(path.parent)[1]
    try:
        if names:
            with open_folder(path.parent) as parent:
                descriptor = _open_unfollowed(path.name, flags, mode, parent)
        else:
            descriptor = _open_unfollowed(str(path), flags, mode)
    except OSError as error:
        if error.filename is None or Path(error.filename).name == path.name:
            error.filename = str(path)
        raise
    if stat.S_ISREG(kind := os.fstat(descriptor).st_mode) or stat.S_ISDIR(kind):
        return descriptor  # `open` refuses a folder itself
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def open_file(path: Path, mode: str = "rb", buffering: int = -1) -> IO[bytes]:
    """`open` in a binary mode, by `open_descriptor`."""
    return cast(IO[bytes], open(path, mode, buffering, opener=open_descriptor))


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def read_text(path: Path, errors: str = "strict") -> str:
    """The content of a UTF-8 file, line ends unchanged. Raises OSError and UnicodeDecodeError."""
    return read_bytes(path).decode("utf-8", errors)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """A descriptor of the folder `path`, for the `dir_fd` of system calls. Raises OSError.

    No subfolder of a run on the way is a link, now or after a change of the names.
    """
    folder, names = _split(path)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names:
            folder = folder / name
            parent = descriptor
            try:
                descriptor = _open_unfollowed(name, os.O_RDONLY | os.O_DIRECTORY, 0, parent)
            except OSError as error:
                error.filename = str(folder)
                raise
            os.close(parent)
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, with those above it, unless it exists. Raises OSError, also for a link."""
    path.mkdir(parents=True, exist_ok=True)
    with open_folder(path):
        pass


def matching_files(folder: Path, pattern: str) -> list[Path]:
    """The paths in `folder` whose names match, sorted; none where there is no folder.

    Raises RunFolderError where it is a link or cannot be read.
    """
    try:
        with open_folder(folder) as descriptor:
            names = os.listdir(descriptor)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunFolderError(f"cannot read {folder}: {error.strerror}") from error
    return sorted(folder / name for name in fnmatch.filter(names, pattern))


def remove_file(path: Path) -> None:
    """Remove a file or a link, unless it is missing. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), open_folder(path.parent) as folder:
        os.unlink(path.name, dir_fd=folder)


def without_links(folder: Path) -> Path:
    """A folder that the user names, resolved where its path reads like one within a run."""
    return folder.resolve() if _split(folder)[1] else folder


def in_written_folder(path: Path) -> bool:
    """Whether a file lies in the folder of a run or a grid."""
    folder = path.parent
    return bool(_split(folder)[1]) or any(os.path.lexists(folder / name) for name in MARKERS)


def _split(folder: Path) -> tuple[Path, list[str]]:
    """The folder that a user names, and the names of the subfolders of a run or grid below it."""
    names: list[str] = []
    while (
        folder.name in SUBFOLDERS
        or folder.name.startswith(SCRATCH_PREFIX)
        or folder.parent.name in PARENTS_OF_RUNS
    ):
        names.append(folder.name)
        folder = folder.parent
    return folder, names[::-1]


def _open_unfollowed(path: str, flags: int, mode: int, folder: int | None = None) -> int:
    """os.open without following a link and without waiting for the other end of a FIFO."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, mode, dir_fd=folder)
    except OSError:
        status: Any = None
        with contextlib.suppress(OSError):
            status = os.stat(path, dir_fd=folder, follow_symlinks=False)
        if status is not None and stat.S_ISLNK(status.st_mode):
            raise OSError(errno.ELOOP, LINK_MESSAGE, path) from None
        raise
