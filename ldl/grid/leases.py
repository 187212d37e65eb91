"""Who works on a trial: one process at a time, on one computer or on several with a shared disk."""

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
from ldl.runs.process import PROC, hostname, is_alive, process_start_id

BEAT = 5.0  # seconds between two signs of life
STALE = 60.0  # seconds without one, after which an owner on another computer counts as dead

Standing = Literal["free", "held", "dead"]


@dataclass(frozen=True)
class Owner:
    """A process that can be told from every other one, here or on another computer."""

    host: str
    machine: str  # tells computers of one name apart, and containers of one computer
    pid: int
    process: str | None  # when it began

    @classmethod
    def of(cls, pid: int) -> Owner:
        """The process with this number on this computer."""
        return cls(hostname(), _machine(), pid, process_start_id(pid))

    @property
    def near(self) -> bool:
        """Whether its number means something here."""
        return (self.host, self.machine) == (hostname(), _machine())


class Leases:
    """A folder with a file for each trial that somebody works on.

    link(2) makes a claim with its contents in one act and fails where there is one. A dead owner's
    is renamed away first; takers do that one after the other, under flock(2), and look at what
    they renamed, so that nobody takes away a claim that has just been made. A file's time of
    change is its owner's last sign of life: by the clock of the file system, never by two clocks.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, id: str) -> Path:
        """The claim on a trial."""
        return self.folder / id

    def take(self, id: str) -> bool:
        """Claim a trial for this process; False where another one that lives has it."""
        content = json.dumps(asdict(Owner.of(os.getpid()))) + "\n"
        mine = self._unique(id)
        try:
            mine.write_text(content, "utf-8")
            if _linked(mine, self.path(id)):
                return True
            if self._standing(id, mine.stat().st_mtime) == "held":
                return False
            with self._one_at_a_time():
                return self._take_over(id, mine)
        except OSError as error:
            raise RunFolderError(f"cannot claim {self.path(id)}: {error.strerror}") from error
        finally:
            mine.unlink(missing_ok=True)

    def release(self, id: str) -> None:
        """Let go of a trial, if it is still this process's."""
        with self._one_at_a_time():
            if self.mine(id):
                self.path(id).unlink(missing_ok=True)

    def mine(self, id: str) -> bool:
        """Whether this process has the claim; not if it was taken for dead, and another has it."""
        return self.owner(id) == Owner.of(os.getpid())

    def standing(self, id: str) -> Standing:
        """Whether the trial is free, held, or claimed by an owner who is dead."""
        if not self.path(id).exists():
            return "free"
        probe = self._unique(id)
        probe.touch()
        try:
            return self._standing(id, probe.stat().st_mtime)
        finally:
            probe.unlink(missing_ok=True)

    def owner(self, id: str) -> Owner | None:
        """Who claims the trial; None for nobody."""
        return _read(self.path(id))

    def beat(self, id: str, pid: int) -> bool:
        """A sign of life of the process `pid` here; False where its claim is another's by now."""
        owner = self.owner(id)
        if owner is None:
            return True  # not yet made, or just let go
        if not owner.near or owner.pid != pid:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.path(id))
        return True

    def sweep(self) -> None:
        """Remove what processes that were killed within an act left behind."""
        probe = self._unique("sweep")
        try:
            probe.touch()
        except OSError as error:
            raise RunFolderError(f"cannot write in {self.folder}: {error.strerror}") from error
        now = probe.stat().st_mtime
        for stray in self.folder.glob(".*.*-*"):
            with contextlib.suppress(FileNotFoundError):
                if stray == probe or now - stray.stat().st_mtime > STALE:
                    stray.unlink()

    def _standing(self, id: str, now: float) -> Standing:
        path = self.path(id)
        try:
            beat, owner = path.stat().st_mtime, _read(path)
        except FileNotFoundError:
            return "free"
        if owner is not None and owner.near:
            return "held" if is_alive(owner.pid, owner.process) else "dead"
        return "held" if now - beat < STALE else "dead"

    def _take_over(self, id: str, mine: Path) -> bool:
        """Replace a dead owner's claim; the caller is the only one here to do so."""
        path, seen = self.path(id), _read(self.path(id))
        if self._standing(id, mine.stat().st_mtime) == "held":
            return False
        aside = self._unique(id)
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
            if _read(aside) != seen:
                _linked(aside, path)
            aside.unlink()
        return _linked(mine, path)

    def _unique(self, id: str) -> Path:
        return self.folder / f".{id}.{os.getpid()}-{os.urandom(4).hex()}"

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Among those who take over claims; where the disk has no locks, the look must do."""
        with open(self.folder / ".lock", "ab") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read(path: Path) -> Owner | None:
    """The owner that a claim names; None where there is no claim or it names none."""
    try:
        return Owner(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None


def _linked(source: Path, target: Path) -> bool:
    """Whether `target` could be made a second name of `source`."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True


@cache
def _machine() -> str:
    """This start of this computer, and the space in which process numbers count."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}:{os.readlink(PROC / 'self/ns/pid')}"
    except OSError:
        return ""
