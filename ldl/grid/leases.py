"""Leases on trials: one process works on each, on one computer or several with a shared disk."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from ldl.errors import RunFolderError
from ldl.folder_files import make_folder, open_file, read_text
from ldl.runs.process import PROC, hostname, is_alive, process_start_id

EXPIRY = 60.0  # seconds without a heartbeat after which an owner on another computer counts as dead

LeaseStatus = Literal["free", "held", "expired"]


@dataclass(frozen=True)
class LeaseOwner:
    """A process, identified among all processes of all computers."""

    host: str
    machine: str  # tells computers of one name apart, and containers of one computer
    pid: int
    process: str | None  # when it started

    @classmethod
    def of(cls, pid: int) -> LeaseOwner:
        """The process with this id on this computer."""
        return cls(hostname(), _machine(), pid, process_start_id(pid))

    @property
    def is_local(self) -> bool:
        """Whether its process id has a meaning in this process."""
        return (self.host, self.machine) == (hostname(), _machine())


class Leases:
    """A folder with one lease file for each trial that a process works on.

    link(2) creates a lease with its content in one step, and fails where there is one. An expired
    lease is renamed away first. Processes do that one after the other, under flock(2), and check
    what they have renamed, so that nobody removes a lease that has just been created. The
    modification time of a file is the last heartbeat of its owner. Times are compared by the clock
    of the file system alone, never by the clocks of two computers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_folder(folder)

    def path(self, id: str) -> Path:
        """The lease file of a trial."""
        return self.folder / id

    def acquire(self, id: str) -> bool:
        """Lease a trial to this process. False where another process, which lives, holds it.

        Raises RunFolderError where the folder cannot be written.
        """
        content = json.dumps(asdict(LeaseOwner.of(os.getpid()))) + "\n"
        candidate = self._temporary(id)
        try:
            with open_file(candidate, "xb") as file:
                file.write(content.encode())
            if _link(candidate, self.path(id)):
                return True
            if self._status(id, candidate.stat().st_mtime) == "held":
                return False
            with self._takeover_lock():
                return self._take_over(id, candidate)
        except OSError as error:
            raise RunFolderError(f"cannot lease {self.path(id)}: {error.strerror}") from error
        finally:
            candidate.unlink(missing_ok=True)

    def release(self, id: str) -> None:
        """Give up the lease of a trial, if this process holds it."""
        with self._takeover_lock():
            if self.is_held(id):
                self.path(id).unlink(missing_ok=True)

    def is_held(self, id: str) -> bool:
        """Whether this process holds the lease: not if it expired and another process took it."""
        return self.owner(id) == LeaseOwner.of(os.getpid())

    def status(self, id: str) -> LeaseStatus:
        """Whether a trial is free, held by a process that lives, or its lease has expired."""
        if not self.path(id).exists():
            return "free"
        probe = self._temporary(id)
        probe.touch()
        try:
            return self._status(id, probe.stat().st_mtime)
        finally:
            probe.unlink(missing_ok=True)

    def owner(self, id: str) -> LeaseOwner | None:
        """The owner of a trial's lease; None where there is none."""
        return _read(self.path(id))

    def heartbeat(self, id: str, pid: int) -> bool:
        """Renew the lease of the local process `pid`; False where another process has it by now."""
        owner = self.owner(id)
        if owner is None:
            return True  # not acquired yet, or just released
        if not owner.is_local or owner.pid != pid:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(id), follow_symlinks=False)
        return True

    def remove_temporary_files(self) -> None:
        """Remove what processes that were killed while they acquired a lease left behind."""
        probe = self._temporary("probe")
        try:
            probe.touch()
        except OSError as error:
            raise RunFolderError(f"cannot write in {self.folder}: {error.strerror}") from error
        now = probe.stat().st_mtime
        for path in self.folder.glob(".*.*-*"):
            with contextlib.suppress(FileNotFoundError):
                if path == probe or now - path.stat().st_mtime > EXPIRY:
                    path.unlink()

    def _status(self, id: str, now: float) -> LeaseStatus:
        path = self.path(id)
        try:
            last_heartbeat, owner = path.stat().st_mtime, _read(path)
        except FileNotFoundError:
            return "free"
        if owner is not None and owner.is_local:
            return "held" if is_alive(owner.pid, owner.process) else "expired"
        return "held" if now - last_heartbeat < EXPIRY else "expired"

    def _take_over(self, id: str, candidate: Path) -> bool:
        """Replace an expired lease by `candidate`; the caller holds the lock for that."""
        path, expired = self.path(id), _read(self.path(id))
        if self._status(id, candidate.stat().st_mtime) == "held":
            return False
        removed = self._temporary(id)
        with contextlib.suppress(FileNotFoundError):
            path.rename(removed)
            if _read(removed) != expired:
                _link(removed, path)
            removed.unlink()
        return _link(candidate, path)

    def _temporary(self, id: str) -> Path:
        return self.folder / f".{id}.{os.getpid()}-{os.urandom(4).hex()}"

    @contextlib.contextmanager
    def _takeover_lock(self) -> Iterator[None]:
        """One process at a time takes over leases; on a disk without locks its checks must do."""
        with open_file(self.folder / ".lock", "ab") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read(path: Path) -> LeaseOwner | None:
    """The owner that a lease file names; None where there is no file or it names none."""
    try:
        return LeaseOwner(**json.loads(read_text(path)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None


def _link(source: Path, target: Path) -> bool:
    """Make `target` a second name of `source`; False where `target` exists."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True


@cache
def _machine() -> str:
    """The boot of this computer and the namespace of process ids."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}:{os.readlink(PROC / 'self/ns/pid')}"
    except OSError:
        return ""
