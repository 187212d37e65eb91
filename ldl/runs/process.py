"""Who writes a run: processes that can be told apart, and a lock that dies with its owner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ldl.errors import InUse, RunFolderError

PROC = Path("/proc")


def hostname() -> str:
    """This computer's name in the network."""
    return os.uname().nodename


def process_start_id(pid: int) -> str | None:
    """When the process began: a number is given to another process later, number and mark never.

    Linux: the boot's id and field 22 of /proc/PID/stat (proc_pid_stat(5)); elsewhere what `ps`
    says. "ended" for one that is dead and not yet waited for; None where it cannot be told.
    """
    try:
        stat = (PROC / str(pid) / "stat").read_text("utf-8", errors="replace")
        boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return _ps_mark(pid)
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _ps_mark(pid: int) -> str | None:
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=2, env={**os.environ, "LC_ALL": "C"}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    state, _, began = done.stdout.strip().partition(" ")
    return "ended" if state.startswith("Z") else began.strip() or None


def is_alive(pid: int, mark: str | None) -> bool:
    """Whether the process of this number and mark still runs on this computer."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    now = process_start_id(pid)
    return now is None or (now != "ended" and now == (mark or now))


@contextlib.contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; raises `InUse` naming who holds it already.

    flock(2): the kernel lets go when the owner ends, however it ends, so there is nothing stale to
    take over. The file stays, for removing it would let two owners hold two files of one name.
    """
    with _open_locked(path) as file:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {hostname()}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _open_locked(path: Path) -> TextIO:
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"cannot lock {path.parent}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "another process"
        file.close()
        if isinstance(error, BlockingIOError):
            raise InUse(f"{path.parent} is in use by {owner}") from None
        raise RunFolderError(f"cannot lock {path.parent}: {error.strerror}") from error
    return file
