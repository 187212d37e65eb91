"""The fork server of a `WorkerPool`: everything imported, data in memory, a single thread.

A task starts in a forked process within milliseconds, and a process that dies affects no other.
`python -m ldl.execute.fork_server MODULE:CLASS ARGUMENTS JOBS` reads lines of JSON from stdin, each
`{"task": …}` or `{"stop": true}`, and writes lines of JSON to stdout: `ready`, `report`, `message`
and `fatal`. At the end of its input it stops its tasks, which may write checkpoints, and ends.
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
import tempfile
import time
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ldl.errors import LdlError, system_errno
from ldl.execute.worker_pool import Failure, Task, TaskReport, TaskResult, Worker

HEARTBEAT = 5.0  # seconds between two renewals of a lease
POLL = 0.5  # seconds between two checks of time limits
PRELOADED = ("numpy", "scipy", "sklearn", "safetensors", "threadpoolctl", "PIL", "yaml", "ldl")
VMSTAT = Path("/proc/vmstat")


@dataclass
class Child:
    """The process of a task."""

    task: Task
    attempt: int
    started: float
    oom_kills: int  # processes that the kernel had killed for lack of memory before the start
    result_file: IO[bytes]  # the process writes its result here, as JSON
    timed_out: bool = False  # killed because it did not stop after its time limit
    lease_lost: bool = False  # killed because another process has its lease


class ForkServer:
    """The queue of tasks and their processes."""

    def __init__(self, worker: Worker, jobs: int) -> None:
        self.worker, self.jobs = worker, jobs
        worker.notify = lambda message: self._send({"message": message})
        self.queue: deque[tuple[Task, int]] = deque()  # with the number of the attempt
        self.children: dict[int, Child] = {}
        self.stopping_since: float | None = None
        self._sigterm = False
        self._partial_line = b""
        self._selector = selectors.DefaultSelector()
        self._wakeup, wakeup = os.pipe()
        for descriptor in (self._wakeup, wakeup):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_sigterm", True))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # A timer sends heartbeats also while a large data set is read.
        signal.signal(signal.SIGALRM, lambda *_: self._heartbeat())
        signal.setitimer(signal.ITIMER_REAL, HEARTBEAT, HEARTBEAT)
        for descriptor in (0, self._wakeup):
            self._selector.register(descriptor, selectors.EVENT_READ)

    def serve(self) -> None:
        """Run tasks until a stop request, SIGTERM or the end of stdin."""
        self._send({"ready": True})
        while self.stopping_since is None or self.children:
            for key, _ in self._selector.select(self._select_timeout()):
                if key.fd == 0:
                    self._read_requests()
                else:
                    with suppress(BlockingIOError):
                        os.read(self._wakeup, 4096)
            if self._sigterm:
                self._stop()
            self._reap()
            self._enforce_time_limits()
            while self.queue and len(self.children) < self.jobs:
                self._fork(*self.queue.popleft())
            if self.queue:  # while the other tasks run
                self.worker.prefetch(self.queue[0][0])

    def _select_timeout(self) -> float:
        """Seconds until time limits must be checked even without an event."""
        limited = any(child.task.timeout for child in self.children.values())
        return POLL if self.stopping_since is not None or limited else 60.0

    # --- the pool -----------------------------------------------------------------------------

    def _send(self, message: Mapping[str, Any]) -> None:
        """Write a line to the pool. A pool that has ended is noticed at the end of stdin."""
        line = json.dumps(message).encode() + b"\n"
        with suppress(BrokenPipeError):
            while line:  # a signal may cut a write short
                line = line[os.write(1, line) :]

    def _report(self, task: Task, result: TaskResult, **details: Any) -> None:
        self._send({"report": asdict(TaskReport(task.id, result, **details))})

    def _read_requests(self) -> None:
        data = os.read(0, 1 << 16)
        if not data:
            self._selector.unregister(0)
            self._stop()
        *lines, self._partial_line = (self._partial_line + data).split(b"\n")
        for message in map(json.loads, lines):
            if "stop" in message:
                self._stop()
                continue
            task = Task(**message["task"])
            if self.stopping_since is None:
                self.queue.append((task, 1))
            else:
                self._report(task, TaskResult.INTERRUPTED)

    def _stop(self) -> None:
        """Send SIGTERM to all processes and report the tasks that wait."""
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            for task, _ in self.queue:
                self._report(task, TaskResult.INTERRUPTED)
            self.queue.clear()
            for pid in self.children:
                _kill(pid, signal.SIGTERM)

    # --- the processes ------------------------------------------------------------------------

    def _fork(self, task: Task, attempt: int) -> None:
        """Start the process of a task."""
        self.worker.prefetch(task)
        result_file, oom_kills = _anonymous_file(), _oom_kills()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
        if pid == 0:
            self._run_task(task, attempt, result_file)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self.children[pid] = Child(task, attempt, time.monotonic(), oom_kills, result_file)

    def _run_task(self, task: Task, attempt: int, result_file: IO[bytes]) -> None:
        """Run the task in the forked process; does not return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGALRM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1):
                os.dup2(null, standard)
            modules = set(sys.modules)
            result, value = self.worker.run(task, attempt)
            imports = _imports(modules)
            _write_result(result_file, {"result": result, "value": value, "imports": imports})
            code = 0
        except BaseException as error:
            if not isinstance(
                error, LdlError | OSError
            ):  # their messages suffice without a traceback
                traceback.print_exc()
            text = str(error) if isinstance(error, LdlError) else f"{type(error).__name__}: {error}"
            kind = "system" if system_errno(error) else "failed"
            _write_result(result_file, {"error": text, "kind": kind})
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Handle the processes that have ended."""
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child is not None:
                self._handle_exit(child, os.waitstatus_to_exitcode(status))

    def _handle_exit(self, child: Child, code: int) -> None:
        """Report a task whose process has ended, or start it again."""
        outcome = _read_result(child.result_file)
        self._import_modules(outcome.get("imports", ()))
        result, seconds = outcome.get("result"), time.monotonic() - child.started
        if result in (TaskResult.FINISHED, TaskResult.LEASED_ELSEWHERE):
            self._report(child.task, result, value=outcome["value"], seconds=seconds)
        elif self.stopping_since is not None:
            self._report_death(child, None, code)
        elif result == TaskResult.RETRY:
            self._retry(child)
        elif child.lease_lost:
            self._report(child.task, TaskResult.LEASED_ELSEWHERE)
        else:
            if result is not None:  # a signal from elsewhere has stopped it
                code = -signal.SIGTERM
            failure = self._failure(child, code, outcome)
            task, attempts = child.task, child.task.retry
            if failure.kind == "killed":
                attempts = max(task.retry, task.retry_killed)
            if child.attempt <= attempts:
                self._retry(child)
            else:
                self._report_death(child, failure, code)

    def _retry(self, child: Child) -> None:
        """Queue another attempt before all other tasks."""
        self.queue.appendleft((child.task, child.attempt + 1))

    def _failure(self, child: Child, code: int, outcome: Mapping[str, Any]) -> Failure:
        """Why a process ended without a result, from its code and what it wrote."""
        if child.timed_out:
            return Failure(
                "timeout", f"took longer than {child.task.timeout:g} s and would not stop"
            )
        if code >= 0:
            reason = outcome.get("error") or f"its process ended with code {code}"
            return Failure(outcome.get("kind", "failed"), reason)
        if code == -signal.SIGKILL and _oom_kills() > child.oom_kills:
            return Failure("memory", "killed by the system for lack of memory")
        try:
            name = f" ({signal.Signals(-code).name})"
        except ValueError:
            name = ""
        return Failure("killed", f"killed by signal {-code}{name}")

    def _report_death(self, child: Child, failure: Failure | None, code: int) -> None:
        """Clean up after a process without a result, and report its task."""
        seconds = time.monotonic() - child.started
        try:
            result = self.worker.process_died(child.task, failure, child.attempt, seconds)
        except (LdlError, OSError) as error:
            self._send({"fatal": str(error)})
            result = TaskResult.FINISHED if failure else TaskResult.INTERRUPTED
        reason = failure.reason if failure else ""
        self._report(child.task, result, error=reason, exit_code=code, seconds=seconds)

    def _import_modules(self, names: Iterable[str]) -> None:
        """Import the modules that a process had to import, so that later processes inherit them."""
        missing = [name for name in names if name not in sys.modules]
        for name in missing:
            with suppress(Exception):
                importlib.import_module(name)
        if missing:
            gc.freeze()

    def _enforce_time_limits(self) -> None:
        """Kill the processes that still run after their time limit, or after a stop request."""
        now, grace = time.monotonic(), self.worker.grace
        for pid, child in self.children.items():
            limit = child.task.timeout
            if limit is not None and now - child.started > limit + grace and not child.timed_out:
                child.timed_out = True
                _kill(pid, signal.SIGKILL)
            if self.stopping_since is not None and now - self.stopping_since > grace:
                _kill(pid, signal.SIGKILL)

    def _heartbeat(self) -> None:
        """Renew all leases; a process that has lost its lease must not go on."""
        for pid, child in list(self.children.items()):
            with suppress(OSError):  # the disk may be out of reach for a while
                if not self.worker.heartbeat(child.task, pid):
                    child.lease_lost = True
                    _kill(pid, signal.SIGKILL)


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _oom_kills() -> int:
    """How many processes the kernel has killed for lack of memory since its start; Linux only."""
    try:
        lines = VMSTAT.read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _imports(before: set[str]) -> list[str]:
    """The modules of PRELOADED packages that are imported and not in `before`."""
    return [n for n in sys.modules if n not in before and n.split(".")[0] in PRELOADED]


def _anonymous_file() -> IO[bytes]:
    """A file without a name, in memory on Linux."""
    if sys.platform == "linux":
        return open(os.memfd_create("result"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _write_result(file: IO[bytes], content: Mapping[str, Any]) -> None:
    file.write(json.dumps(content).encode())


def _read_result(file: IO[bytes]) -> dict[str, Any]:
    """The content of a result file; empty where the process died before it was complete."""
    with file:
        file.seek(0)
        try:
            content: dict[str, Any] = json.loads(file.read())
        except ValueError:
            return {}
    return content


def main() -> None:
    """Serve one pool."""
    faulthandler.enable()
    module, _, name = sys.argv[1].partition(":")
    try:
        worker: Worker = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    except (LdlError, OSError) as error:
        os.write(1, json.dumps({"fatal": str(error)}).encode() + b"\n")
        sys.exit(1)
    server = ForkServer(worker, int(sys.argv[3]))
    gc.collect()
    gc.freeze()
    server.serve()


if __name__ == "__main__":
    main()
