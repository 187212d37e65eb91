"""The work on a trial: acquire its lease, train, evaluate, record the outcome."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ldl.errors import (
    Diverged,
    Interrupted,
    InUse,
    LdlError,
    RunFolderError,
    system_errno,
)
from ldl.execute.worker_pool import Failure, Task, TaskResult, Worker
from ldl.grid.objective import Objective
from ldl.grid.trial import RETRYABLE, Trial, TrialOutcome, TrialStatus
from ldl.grid.trial_store import TrialStore
from ldl.grid.trial_training import TrialInputs, train_trial
from ldl.runs.environment import collect_environment
from ldl.signals import DeferredSignals, interrupt_on_signal

TRIAL_WORKER: Final = "ldl.grid.trial_worker:TrialWorker"


def worker_arguments(
    folder: Path, objective: Objective, keep_checkpoints: bool = False
) -> dict[str, Any]:
    """The arguments of a `TrialWorker`, in JSON's types."""
    return {
        "folder": str(folder.absolute()),
        "objective": objective.to_dict(),
        "keep_checkpoints": keep_checkpoints,
    }


def trial_task(
    trial: Trial,
    previous: TrialOutcome | None = None,
    retry: int = 0,
    timeout: float | None = None,
) -> Task:
    """A trial as a task. `previous` is its outcome of an earlier call, to be replaced.

    A trial that failed is tried `retry` times more, one that was killed at least once more.
    """
    payload = {"trial": trial.to_dict(), "previous": previous.to_dict() if previous else None}
    return Task(trial.id, payload, retry, max(retry, 1), timeout)


class TrialWorker(Worker):
    """Runs the trials of one grid folder."""

    def __init__(self, folder: str, objective: Mapping[str, Any], keep_checkpoints: bool) -> None:
        super().__init__()
        self.store = TrialStore(Path(folder))
        self.objective, self.keep_checkpoints = Objective.from_dict(objective), keep_checkpoints
        self._inputs = TrialInputs(lambda *progress: self.notify(progress))
        self._environment = collect_environment(sys.argv, 0)

    def prefetch(self, task: Task) -> None:
        """Prepare the configuration and load the data of the next trial."""
        self._inputs.prefetch(Trial.from_dict(task.payload["trial"]))

    def heartbeat(self, task: Task, pid: int) -> bool:
        """Renew the lease of a trial."""
        return self.store.leases.heartbeat(task.id, pid)

    def run(self, task: Task, attempt: int) -> tuple[TaskResult, None]:
        """Run a trial, unless another process does so.

        Needs a process of its own: it handles signals and changes the arrays of the data set.
        """
        with DeferredSignals() as signals:  # outside of training they wait for the outcome's entry
            return self._run(task, attempt, signals), None

    def _run(self, task: Task, attempt: int, signals: DeferredSignals) -> TaskResult:
        store, id = self.store, task.id
        if not store.leases.acquire(id):
            return TaskResult.LEASED_ELSEWHERE
        try:
            outcome = store.read_outcome(id)
            if outcome is not None and outcome != _previous(task):
                return TaskResult.FINISHED
            if outcome is not None:
                store.delete_outcome(outcome)
            started = time.monotonic()
            if signals.caught is not None:
                return TaskResult.INTERRUPTED
            with _time_limit(task.timeout) as timed_out:
                status, reason, value = self._attempt(Trial.from_dict(task.payload["trial"]))
            if not store.leases.is_held(id):
                return TaskResult.LEASED_ELSEWHERE
            if status is None:
                if not timed_out():
                    return TaskResult.INTERRUPTED
                status, reason = "timeout", f"took longer than {task.timeout:g} s"
            if status in RETRYABLE and attempt <= task.retry:
                return TaskResult.RETRY
            seconds = time.monotonic() - started
            store.write_outcome(self._outcome(id, status, reason, value, attempt, seconds))
            return TaskResult.FINISHED
        except InUse:  # a process whose lease had expired still lives
            return TaskResult.LEASED_ELSEWHERE
        finally:
            store.leases.release(id)

    def _attempt(self, trial: Trial) -> tuple[TrialStatus | None, str, float | None]:
        """Train a trial: its status, the reason and the objective; no status after a signal.

        Raises InUse.
        """
        try:
            with interrupt_on_signal():
                reason, value = train_trial(
                    self.store, trial, self.objective, self._inputs, self._environment,
                    self.keep_checkpoints,
                )  # fmt: skip
        except Interrupted as error:
            return None, str(error), None
        except Diverged as error:
            return "diverged", str(error), None
        except InUse:
            raise
        except MemoryError as error:
            return "memory", str(error) or "out of memory", None
        except Exception as error:
            number = system_errno(error)
            is_known = isinstance(error, LdlError)
            reason = str(error) if is_known else f"{type(error).__name__}: {error}"
            if number is None:
                return "failed", reason, None
            return "memory" if number == errno.ENOMEM else "system", reason, None
        return "completed", reason, value

    def process_died(
        self, task: Task, failure: Failure | None, attempt: int, seconds: float
    ) -> TaskResult:
        """Release the lease of a trial whose process died, and record a failure as its outcome."""
        store, id, previous = self.store, task.id, _previous(task)
        if not store.leases.acquire(id):
            return TaskResult.LEASED_ELSEWHERE
        try:
            if failure is None:
                return TaskResult.INTERRUPTED
            if store.read_outcome(id) in (None, previous):
                if previous is not None:
                    store.delete_outcome(previous)
                store.write_outcome(
                    self._outcome(id, failure.kind, failure.reason, None, attempt, seconds)
                )
            return TaskResult.FINISHED
        finally:
            store.leases.release(id)

    def _outcome(
        self, id: str, status: TrialStatus, reason: str, value: float | None, attempt: int,
        seconds: float,
    ) -> TrialOutcome:  # fmt: skip
        """How a trial ended; `seconds` are this attempt's, unless its folder says more."""
        epochs, worker = 0, f"{os.uname().nodename}:{os.getpid()}"
        with suppress(RunFolderError):
            run_status = self.store.run_folder(id).read_status()
            epochs, seconds = run_status.epoch or 0, run_status.seconds or seconds
        return TrialOutcome(id, status, reason, value, epochs, round(seconds, 3), attempt, worker)


def _previous(task: Task) -> TrialOutcome | None:
    """The outcome of an earlier call that this task replaces."""
    fields = task.payload["previous"]
    return TrialOutcome.from_dict(fields) if fields else None


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[Callable[[], bool]]:
    """Send SIGTERM to this process after so many seconds; gives whether that has happened."""
    expired = False

    def expire(number: int, frame: FrameType | None) -> None:
        nonlocal expired
        expired = True
        os.kill(os.getpid(), signal.SIGTERM)

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds or 0.0)
    try:
        yield lambda: expired
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)
