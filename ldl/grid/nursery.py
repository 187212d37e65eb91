"""The process that trials are forked from: everything imported, the data in memory, one thread.

A trial then starts in some milliseconds, and what becomes of it touches no other. Lines of JSON
come in, a task each, or `{"stop": true}`; lines of JSON go out: how each ended. When nobody is left
who writes to it, it stops its trials, which leave checkpoints, and ends.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ldl.errors import LdlError
from ldl.grid.leases import BEAT
from ldl.grid.materials import Materials
from ldl.grid.trial import Ending
from ldl.grid.trial_store import TrialStore
from ldl.grid.work import WORDS, Task, Word, outcome, work
from ldl.runs.environment import collect_environment

GRACE = 15.0  # seconds from SIGTERM to SIGKILL
FIRST_CODE: Final = 100  # exit codes of trials: 100 is the first of WORDS
PRELOADED = ("numpy", "scipy", "sklearn", "safetensors", "threadpoolctl", "PIL", "yaml", "ldl")
OOM = Path("/proc/vmstat")


@dataclass
class Child:
    """A trial under way."""

    task: Task
    attempt: int
    began: float
    ooms: int  # processes that the kernel had killed for want of memory when it began
    late: bool = False  # killed for having run too long
    lost: bool = False  # killed because another process has its claim
    error: str = ""  # what it said of a failure that it could not write down


class Nursery:
    """Tasks waiting and trials under way."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.ledger, self.jobs = TrialStore(folder), jobs
        self.waiting: deque[tuple[Task, int]] = deque()
        self.children: dict[int, Child] = {}
        self.stopping: float | None = None  # when it began to stop
        self._asked_to_stop = False
        self._materials = Materials(lambda *state: self._say({"data": state}))
        self._environment = collect_environment(sys.argv, 0)
        self._selector = selectors.DefaultSelector()
        self._unread = self._unheard = b""
        self._reports, self._report = os.pipe()
        self._woken, wake = os.pipe()
        for descriptor in (self._reports, self._report, self._woken, wake):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_asked_to_stop", True))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # By a timer, so that they come also while a large data set is read.
        signal.signal(signal.SIGALRM, lambda *_: self._beat())
        signal.setitimer(signal.ITIMER_REAL, BEAT, BEAT)
        for source in (0, self._woken, self._reports):
            self._selector.register(source, selectors.EVENT_READ)

    def serve(self) -> None:
        """Work until told to stop."""
        self._say({"ready": True})
        while self.stopping is None or self.children:
            for key, _ in self._selector.select(self._patience()):
                if key.fd == 0:
                    self._listen()
                else:
                    with suppress(BlockingIOError):
                        os.read(self._woken, 4096) if key.fd == self._woken else self._hear()
            if self._asked_to_stop:
                self._stop()
            self._reap()
            self._look_after()
            while self.waiting and len(self.children) < self.jobs:
                self._start(*self.waiting.popleft())
            if self.waiting:  # while the others train
                self._materials.fetch(self.waiting[0][0].trial)

    def _patience(self) -> float:
        """Seconds until something must be looked after though nothing has happened."""
        limited = any(child.task.timeout for child in self.children.values())
        return 0.5 if self.stopping is not None or limited else 60.0

    # --- the parent -------------------------------------------------------------------------

    def _say(self, message: Mapping[str, Any]) -> None:
        """A line to the parent; when it is gone, its silence on the other pipe says so."""
        with suppress(BrokenPipeError):
            os.write(1, json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        """Take in what the parent wants."""
        data = os.read(0, 1 << 16)
        if not data:
            self._selector.unregister(0)
            self._stop()
        *lines, self._unread = (self._unread + data).split(b"\n")
        for message in map(json.loads, lines):
            if "stop" in message:
                self._stop()
            elif self.stopping is None:
                self.waiting.append((Task.from_dict(message["task"]), 1))
            else:
                self._done(Task.from_dict(message["task"]), "stopped")

    def _done(self, task: Task, word: Word) -> None:
        self._say({"id": task.trial.id, "word": word})

    def _stop(self) -> None:
        """Let the trials write their checkpoints and end."""
        if self.stopping is None:
            self.stopping = time.monotonic()
            for task, _ in self.waiting:
                self._done(task, "stopped")
            self.waiting.clear()
            for pid in self.children:
                _kill(pid, signal.SIGTERM)

    # --- the trials -------------------------------------------------------------------------

    def _start(self, task: Task, attempt: int) -> None:
        """Fork a trial."""
        self._materials.fetch(task.trial)
        ooms = _ooms()
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
        if pid == 0:
            self._run(task, attempt)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        self.children[pid] = Child(task, attempt, time.monotonic(), ooms)

    def _run(self, task: Task, attempt: int) -> None:
        """What the new process does; it does not come back."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for caught in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
                signal.signal(caught, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1):
                os.dup2(null, standard)
            known = set(sys.modules)
            word = work(task, self.ledger, attempt, self._materials, self._environment)
            self._tell_imports(known)
            code = FIRST_CODE + WORDS.index(word)
        except BaseException as error:
            if not isinstance(error, LdlError | OSError):  # those say what is wrong
                traceback.print_exc()
            said = str(error) if isinstance(error, LdlError) else f"{type(error).__name__}: {error}"
            os.write(self._report, json.dumps({"pid": os.getpid(), "error": said}).encode() + b"\n")
        finally:
            os._exit(code)

    def _tell_imports(self, known: set[str]) -> None:
        """What this trial had to import, for those after it; a line is written in one piece."""
        names = [n for n in sys.modules if n not in known and n.split(".")[0] in PRELOADED]
        for start in range(0, len(names), 40):
            line = json.dumps({"import": names[start : start + 40]}).encode() + b"\n"
            with suppress(BlockingIOError):
                os.write(self._report, line)

    def _hear(self) -> None:
        """Take in what trials report."""
        *lines, self._unheard = (self._unheard + os.read(self._reports, 1 << 16)).split(b"\n")
        for message in map(json.loads, lines):
            missing = [name for name in message.get("import", ()) if name not in sys.modules]
            for name in missing:
                with suppress(Exception):
                    importlib.import_module(name)
            if missing:
                gc.freeze()
            if message.get("pid") in self.children:
                self.children[message["pid"]].error = message["error"]

    def _reap(self) -> None:
        """See to the trials that have ended."""
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            with suppress(BlockingIOError):
                self._hear()
            child = self.children.pop(pid, None)
            if child is not None:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        """Say how a trial ended, or begin it again."""
        number = code - FIRST_CODE
        word = WORDS[number] if 0 <= number < len(WORDS) else None
        if word in ("ended", "taken"):
            self._done(child.task, word)
        elif self.stopping is not None:
            self._settle(child, None, "")
        elif word == "again":
            self._again(child)
        elif child.lost:
            self._done(child.task, "taken")
        else:
            ending, reason = self._cause(child, code if word is None else -signal.SIGTERM)
            tries = max(child.task.retry, 1) if ending == "killed" else child.task.retry
            if child.attempt <= tries:
                self._again(child)
            else:
                self._settle(child, ending, reason)

    def _again(self, child: Child) -> None:
        """Another attempt, before anything else."""
        self.waiting.appendleft((replace(child.task, before=None), child.attempt + 1))

    def _cause(self, child: Child, code: int) -> tuple[Ending, str]:
        """Why a trial ended that could not say it."""
        if child.late:
            return "timeout", f"took longer than {child.task.timeout:g} s and would not stop"
        if code >= 0:
            return "failed", child.error or f"its process ended with code {code}"
        if code == -signal.SIGKILL and _ooms() > child.ooms:
            return "memory", "killed by the system for want of memory"
        try:
            return "killed", f"killed by signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            return "killed", f"killed by signal {-code}"

    def _settle(self, child: Child, ending: Ending | None, reason: str) -> None:
        """In place of a dead trial: let go of its claim, and write how it ended if it has."""
        task, id, claims = child.task, child.task.trial.id, self.ledger.claims
        try:
            if not claims.take(id):
                self._done(task, "taken")
                return
            try:
                if ending is not None and self.ledger.read_outcome(id) in (None, task.before):
                    spent = time.monotonic() - child.began
                    if task.before is not None:
                        self.ledger.forget(task.before)
                    self.ledger.end(
                        outcome(self.ledger, id, ending, reason, None, child.attempt, spent)
                    )
            finally:
                claims.release(id)
        except (LdlError, OSError) as error:
            self._say({"fatal": str(error)})
        self._done(task, "ended" if ending is not None else "stopped")

    def _look_after(self) -> None:
        """An end to what runs too long."""
        now = time.monotonic()
        for pid, child in self.children.items():
            limit = child.task.timeout
            if limit is not None and now - child.began > limit + GRACE and not child.late:
                child.late = True
                _kill(pid, signal.SIGKILL)
            if self.stopping is not None and now - self.stopping > GRACE:
                _kill(pid, signal.SIGKILL)

    def _beat(self) -> None:
        """Signs of life for the trials' claims; a trial that has lost its claim must not go on."""
        for pid, child in list(self.children.items()):
            with suppress(OSError):  # a disk that is away for a while
                if not self.ledger.claims.beat(child.task.trial.id, pid):
                    child.lost = True
                    _kill(pid, signal.SIGKILL)


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _ooms() -> int:
    """How many processes the kernel has killed for want of memory since it started; Linux only."""
    try:
        lines = OOM.read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def main() -> None:
    """`python -m ldl.grid.nursery FOLDER JOBS`."""
    faulthandler.enable()
    nursery = Nursery(Path(sys.argv[1]), int(sys.argv[2]))
    gc.collect()
    gc.freeze()
    nursery.serve()


if __name__ == "__main__":
    main()
