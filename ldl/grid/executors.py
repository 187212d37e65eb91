"""Who carries trials out: on this computer, each in a process of its own from a nursery."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ldl.cores import worker_environment
from ldl.errors import RunError
from ldl.grid.work import Task, Word

COMMAND = ("-m", "ldl.grid.nursery")
START = 60.0  # seconds that a nursery may take to start
END = 25.0  # seconds that it may take to stop its trials
Progress = Callable[[str, int, int], None]  # of a download: what, bytes done, bytes in all


class GridError(RunError):
    """A grid cannot go on; what was done is kept, and the same command goes on from there."""


class Executor(Protocol):
    """Carries out tasks; each that was started comes back from `wait` once, with a word.

    "ended": its trial.json is there. "taken": another process is at it. "stopped": it was not
    begun, or it has left a checkpoint.
    """

    @property
    def room(self) -> int:
        """How many more tasks it takes now."""

    @property
    def running(self) -> int:
        """How many trials are under way."""

    def start(self, task: Task) -> None:
        """Begin a task, or put it at the head of a short queue."""

    def wait(self, seconds: float) -> list[tuple[str, Word]]:
        """What has come back by trial, after at most so many seconds. Raises GridError."""

    def stop(self) -> None:
        """Ask all trials to stop; `wait` still tells how each ended."""

    def close(self) -> None:
        """Let go of everything; trials still under way are stopped."""


class Local:
    """`jobs` trials at once in processes of this computer."""

    def __init__(self, folder: Path, jobs: int, progress: Progress | None = None) -> None:
        self.jobs, self._progress = jobs, progress
        self._out: set[str] = set()
        self._unread = b""
        # A group of its own: Ctrl-C reaches this process alone, which then asks trials to stop.
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, str(folder), str(jobs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
            bufsize=0,
            start_new_session=True,
        )
        until = time.monotonic() + START
        while not self._receive(1.0):
            if time.monotonic() > until:
                self._process.kill()
                raise GridError(f"no worker process came up within {START:g} s")

    @property
    def room(self) -> int:
        """So that a trial that ends is followed at once, one more for each job waits there."""
        return 2 * self.jobs - len(self._out)

    @property
    def running(self) -> int:
        """Those that do not wait."""
        return min(len(self._out), self.jobs)

    def start(self, task: Task) -> None:
        """Send a task over."""
        self._out.add(task.trial.id)
        self._send({"task": task.to_dict()})

    def wait(self, seconds: float) -> list[tuple[str, Word]]:
        """See Executor."""
        back: list[tuple[str, Word]] = []
        for message in self._receive(seconds):
            if "id" in message:
                self._out.discard(message["id"])
                back.append((message["id"], message["word"]))
            elif "fatal" in message:
                raise GridError(message["fatal"])
            elif "data" in message and self._progress is not None:
                self._progress(*message["data"])
        return back

    def stop(self) -> None:
        """See Executor."""
        self._send({"stop": True})

    def close(self) -> None:
        """The end of its input stops a nursery and its trials."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:  # a signal may cut a write short
                line = line[os.write(self._process.stdin.fileno(), line) :]
        except BrokenPipeError as error:
            raise self._gone() from error

    def _receive(self, seconds: float) -> list[dict[str, Any]]:
        """The messages that have come, after at most so many seconds."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], seconds)[0]:
            return []
        data = os.read(descriptor, 1 << 16)
        if not data:
            raise self._gone()
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _gone(self) -> GridError:
        """The nursery has died; its trials stop by themselves."""
        code = self._process.wait()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return GridError(f"the process that starts the trials {how}; the same command goes on")
