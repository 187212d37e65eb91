"""Identity of processes, and a file lock that the kernel releases when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ldl.errors import InUse, RunFolderError
from ldl.folder_files import open_file

PROC = Path("/proc")
ENDED = "ended"  # the start id of a dead process that its parent has not waited for


def hostname() -> str:
    """The network name of this computer."""
    return os.uname().nodename


def process_start_id(pid: int) -> str | None:
    """When the process started. The system reuses a pid, but never a pid with the same start id.

    Linux: the boot id and field 22 of /proc/PID/stat (proc_pid_stat(5)). Elsewhere: the start time
    from `ps`. `ENDED` for a zombie process; None when it cannot be determined.
    """
    try:
        stat = (PROC / str(pid) / "stat").read_text("utf-8", errors="replace")
        boot_id = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return _ps_start_time(pid)
    fields = stat.rpartition(")")[2].split()
    return ENDED if fields[0] in "ZX" else f"{boot_id}:{fields[19]}"


def _ps_start_time(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        completed = subprocess.run(
            command, capture_output=True, text=True, timeout=2, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    state, _, start_time = completed.stdout.strip().partition(" ")
    return ENDED if state.startswith("Z") else start_time.strip() or None


def is_alive(pid: int, start_id: str | None) -> bool:
    """Whether the process with this pid and start id still runs on this computer."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    current = process_start_id(pid)
    return current is None or (current != ENDED and current == (start_id or current))


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path` within the block. Raises `InUse`, naming the process that holds it.

    flock(2): the kernel releases the lock when the holder ends, however it ends, so no lock is ever
    stale. The file stays: removing it would let two holders lock two files of one name.
    """
    file = _open_locked(path)
    try:
        # The text is for other users alone: the lock holds also where the disk is full.
        with contextlib.suppress(OSError):
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), f"process {os.getpid()} on {hostname()}\n".encode())
        yield
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(file.fileno(), 0)
        with contextlib.suppress(OSError):
            file.close()


def _open_locked(path: Path) -> TextIO:
    try:
        file = io.TextIOWrapper(open_file(path, "a+b"), "utf-8", "replace")
    except OSError as error:
        raise RunFolderError(f"cannot lock {path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        if isinstance(error, BlockingIOError):
            raise InUse(f"{path.parent} is in use by {holder}") from None
        raise RunFolderError(f"cannot lock {path.parent}: {error.strerror}") from error
    return file
