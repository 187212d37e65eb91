"""A pool of worker processes on this computer, which runs tasks and reports their results.

The pool starts one fork server (`ldl.execute.fork_server`), which forks a process for each task.
Retries, time limits and lack of memory are handled there, for all users of a pool.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Literal

from ldl.cores import worker_environment
from ldl.errors import RunError

COMMAND = ("-m", "ldl.execute.fork_server")
START_TIMEOUT = 60.0  # seconds until the fork server must be ready
CLOSE_TIMEOUT = 45.0  # seconds until a closed fork server is killed; longer than any `grace`

FailureKind = Literal["failed", "killed", "timeout", "memory", "system"]


class WorkerPoolError(RunError):
    """No worker process is left. Finished work is kept, and the same command continues it."""


class TaskResult(StrEnum):
    """How a task ended."""

    FINISHED = "finished"  # its result, or its failure, is recorded
    LEASED_ELSEWHERE = "leased_elsewhere"  # another process works on it
    INTERRUPTED = "interrupted"  # a signal stopped it, or it was not started
    RETRY = "retry"  # it failed and has attempts left; never reported to the caller of the pool


@dataclass(frozen=True)
class Task:
    """One call of `Worker.run`, in a process of its own; plain data, for it is sent as JSON."""

    id: str
    payload: Mapping[str, Any] = field(repr=False)
    retry: int = 0  # further attempts after a failure
    retry_killed: int = 0  # further attempts after the process was killed, where that is more
    timeout: float | None = None  # seconds


@dataclass(frozen=True)
class TaskReport:
    """The result of a task and of its last process."""

    id: str
    result: TaskResult
    value: Any = None  # from `Worker.run`
    error: str = ""  # why its process failed
    exit_code: int = 0  # of its process; −n where signal n killed it
    seconds: float = 0.0  # from start to end of its last process

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> TaskReport:
        """The report that `dataclasses.asdict` gave."""
        return cls(**{**fields, "result": TaskResult(fields["result"])})


@dataclass(frozen=True)
class Failure:
    """Why a process ended without a result."""

    kind: FailureKind
    reason: str


class Worker:
    """The work of a pool on one task. `WorkerPool` takes a subclass as text, `module:Class`.

    The fork server makes one instance, with keyword arguments that JSON can hold, and calls all
    methods; `run` is called in the forked process of a task.
    """

    grace: ClassVar[float] = 15.0  # seconds from SIGTERM to SIGKILL

    def __init__(self, **arguments: Any) -> None:
        self.notify: Callable[[Any], None] = lambda message: None  # to the pool's `on_message`

    def prefetch(self, task: Task) -> None:
        """Load the data of the next task, whose process inherits the memory. Must not raise."""

    def run(self, task: Task, attempt: int) -> tuple[TaskResult, Any]:
        """Do a task; `attempt` counts from 1. Gives its result and a value that JSON can hold."""
        raise NotImplementedError

    def heartbeat(self, task: Task, pid: int) -> bool:
        """Renew the lease of a process, every few seconds; False where the lease is lost."""
        return True

    def process_died(
        self, task: Task, failure: Failure | None, attempt: int, seconds: float
    ) -> TaskResult:
        """Clean up after a process that ended without a result; record its failure if it has one.

        Without a failure the task was interrupted.
        """
        return TaskResult.INTERRUPTED if failure is None else TaskResult.FINISHED


class WorkerPool:
    """`jobs` processes at a time, each with one task; each started task is reported once."""

    def __init__(
        self,
        worker: str,
        arguments: Mapping[str, Any],
        jobs: int,
        on_message: Callable[[Any], None] | None = None,
    ) -> None:
        """`worker` is `module:Class` of a Worker, made with `arguments`. Raises WorkerPoolError."""
        self.jobs, self._on_message = jobs, on_message
        self._unreported: set[str] = set()
        self._partial_line = b""
        # In another session, so that Ctrl-C reaches this process alone, which then stops the tasks.
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, worker, json.dumps(arguments), str(jobs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=worker_environment(),
            bufsize=0,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not (messages := self._receive(1.0)):
            if time.monotonic() > deadline:
                self._process.kill()
                raise WorkerPoolError(f"no worker process started within {START_TIMEOUT:g} s")
        if "fatal" in messages[0]:
            self.close()
            raise WorkerPoolError(messages[0]["fatal"])

    @property
    def free_slots(self) -> int:
        """How many more tasks to start now.

        The queue holds twice as many tasks as there are jobs, so that no process waits.
        """
        return 2 * self.jobs - len(self._unreported)

    @property
    def running(self) -> int:
        """How many tasks have a process."""
        return min(len(self._unreported), self.jobs)

    def start(self, task: Task) -> None:
        """Queue a task."""
        self._unreported.add(task.id)
        self._send({"task": asdict(task)})

    def wait(self, seconds: float) -> list[TaskReport]:
        """The reports of ended tasks, after at most `seconds`. Raises WorkerPoolError."""
        reports = []
        for message in self._receive(seconds):
            if "report" in message:
                report = TaskReport.from_dict(message["report"])
                self._unreported.discard(report.id)
                reports.append(report)
            elif "fatal" in message:
                raise WorkerPoolError(message["fatal"])
            elif "message" in message and self._on_message is not None:
                self._on_message(message["message"])
        return reports

    def stop(self) -> None:
        """Ask all tasks to stop; `wait` reports each of them."""
        self._send({"stop": True})

    def close(self) -> None:
        """End the fork server and its tasks: the end of its input stops it."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:  # a signal may cut a write short
                line = line[os.write(self._process.stdin.fileno(), line) :]
        except BrokenPipeError as error:
            raise self._server_died() from error

    def _receive(self, seconds: float) -> list[dict[str, Any]]:
        """The messages of the fork server, after at most `seconds`."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], seconds)[0]:
            return []
        data = os.read(descriptor, 1 << 16)
        if not data:
            raise self._server_died()
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def _server_died(self) -> WorkerPoolError:
        """The error for a fork server that has died; its tasks stop by themselves."""
        code = self._process.wait()
        ending = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return WorkerPoolError(
            f"the process that starts the workers {ending}; the same command continues"
        )


def run_tasks(
    worker: str, arguments: Mapping[str, Any], tasks: Sequence[Task], jobs: int
) -> list[TaskReport]:
    """Run all tasks in a pool of their own; the reports in the order in which the tasks ended."""
    reports: list[TaskReport] = []
    with closing(WorkerPool(worker, arguments, jobs)) as pool:
        for task in tasks:
            pool.start(task)
        while len(reports) < len(tasks):
            reports += pool.wait(60.0)
    return reports


def stop_when_orphaned() -> Callable[[object], None]:
    """A callback of training that sends SIGTERM to this process once its parent has died."""
    parent = os.getppid()
    sent = False

    def check_parent(progress: object) -> None:
        nonlocal sent
        if os.getppid() != parent and not sent:
            sent = True
            os.kill(os.getpid(), signal.SIGTERM)

    return check_parent
