"""A grid from its first trial to its last: ask the search, start trials, collect outcomes."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ldl.cores import usable_cores
from ldl.errors import Interrupted
from ldl.execute.worker_pool import TaskReport, TaskResult, WorkerPoolError
from ldl.grid.executors import EXECUTORS, TrialExecutor
from ldl.grid.grid_plan import GridCallbacks, GridOptions, GridPlan, GridProgress, GridSummary
from ldl.grid.trial import RETRYABLE, Trial, TrialOutcome
from ldl.grid.trial_store import TrialStore, write_plan
from ldl.grid.trial_worker import trial_task, worker_arguments
from ldl.signals import DeferredSignals

TICK = 0.2  # seconds between two looks at signals, and between two progress reports
LEASE_POLL = 0.5  # seconds between two looks at trials of other processes
STOP_TIMEOUT = 40.0  # seconds for trials to stop
PLAN_INTERVAL = 5.0  # seconds between two writes of the plan
MAX_LOSSES = 3  # times that a trial may be reported as finished without an entry on the disk


def run_grid(
    plan: GridPlan, folder: Path, options: GridOptions, callbacks: GridCallbacks
) -> GridSummary:
    """Run the missing trials. Other processes may share the folder.

    Raises Interrupted after a signal, when the trials have left their checkpoints, and
    WorkerPoolError where no worker process is left.
    """
    store = TrialStore(folder)
    store.leases.remove_temporary_files()
    run = GridRun(plan, store, options, callbacks)
    run.begin()
    if not run.waiting:
        return run.summary()
    with (
        DeferredSignals() as signals,
        closing(_executor(plan, store, options, callbacks)) as executor,
    ):
        run.run(executor, lambda: signals.caught is not None)
        if signals.caught is not None:
            callbacks.note("the trials have left checkpoints: the same command continues them")
            raise Interrupted(signals.caught)
    return run.summary()


def _executor(
    plan: GridPlan, store: TrialStore, options: GridOptions, callbacks: GridCallbacks
) -> TrialExecutor:
    """The executor that the options name. Raises WorkerPoolError where it cannot start."""

    def on_download(name: str, done: int, total: int) -> None:
        if done == 0:
            callbacks.note(f"{name} …")

    arguments = worker_arguments(store.folder, plan.objective, plan.keep_checkpoints)
    make = EXECUTORS["local" if options.dask is None else "dask"]
    return make(arguments, options.jobs or usable_cores() or 1, options.dask, on_download)


class GridRun:
    """The state of a grid as this process sees it."""

    def __init__(
        self, plan: GridPlan, store: TrialStore, options: GridOptions, callbacks: GridCallbacks
    ) -> None:
        self.plan, self.store, self.options, self.callbacks = plan, store, options, callbacks
        self.waiting: deque[Trial] = deque()
        self.started: dict[str, Trial] = {}  # handed to the executor
        self.leased_elsewhere: dict[str, Trial] = {}
        self.requested: dict[str, Trial] = {}  # without their configurations, which are long
        self.counts: Counter[str] = Counter()  # trials that have ended, by status
        self.ended_before = 0  # trials that had ended before this call
        self.best: tuple[float, Trial] | None = None
        self._previous: dict[str, TrialOutcome] = {}  # of failed trials that are tried again
        self._unseen: list[TrialOutcome] = []  # outcomes that the search has not been given yet
        self._losses: Counter[str] = Counter()
        self._planned = 0  # trials in the files of the plan
        now = time.monotonic()
        self._start_time = self._progress_time = self._poll_time = self._plan_time = now

    def begin(self) -> None:
        """Ask for the first trials, and count those that have ended before."""
        self._ask()
        self._write_plan()
        self._show_progress(0, force=True)

    def run(self, executor: TrialExecutor, is_stopping: Callable[[], bool]) -> None:
        """Run until all is done, a signal comes or, with fail_fast, a trial has failed."""
        try:
            self._run(executor, is_stopping)
        finally:
            self._write_plan()
        self._show_progress(0, force=True)

    def _run(self, executor: TrialExecutor, is_stopping: Callable[[], bool]) -> None:
        while self.waiting or self.started or self.leased_elsewhere:
            if is_stopping() or (self.options.fail_fast and self._failed):
                self._stop(executor)
                return
            while self.waiting and executor.free_slots > 0:
                self._start(executor, self.waiting.popleft())
            for report in executor.wait(TICK):
                self._take_back(report)
            self._poll_leases()
            idle = not (self.waiting or self.started or self.leased_elsewhere)
            starving = len(self.waiting) < executor.free_slots + executor.running
            if self._unseen and (idle or starving):
                self._ask()
            if time.monotonic() - self._plan_time > PLAN_INTERVAL:
                self._write_plan()
            self._show_progress(executor.running)

    def summary(self) -> GridSummary:
        """How the call ended."""
        return GridSummary(
            completed=self.counts["completed"],
            diverged=self.counts["diverged"],
            failed=self._failed,
            waiting=len(self.requested) - self.counts.total(),
            best=self.best[1].id if self.best else None,
            seconds=time.monotonic() - self._start_time,
        )

    @property
    def _failed(self) -> int:
        """Trials that failed, were killed, or ran out of time or memory."""
        return sum(self.counts[status] for status in RETRYABLE)

    def _ask(self) -> None:
        """Give the search the new outcomes, and queue the trials that it asks for."""
        while True:
            outcomes, self._unseen = self._unseen, []
            for trial in self.plan.search.ask(outcomes):
                if trial.id not in self.requested:
                    self.requested[trial.id] = replace(trial, yaml="")
                    self._queue(trial)
            if not self._unseen:
                return

    def _write_plan(self) -> None:
        """Write the files of the plan, if more trials have been asked for."""
        self._plan_time = time.monotonic()
        if len(self.requested) > self._planned:
            self._planned = len(self.requested)
            write_plan(self.store.folder, self.plan, list(self.requested.values()))

    def _queue(self, trial: Trial) -> None:
        """Queue a trial, or count it where it has ended."""
        outcome = self.store.read_outcome(trial.id)
        if outcome is not None:
            is_failed = self.options.retry_failed and outcome.status in RETRYABLE
            if not (is_failed or outcome.status == "system"):
                self.ended_before += 1
                self._count(trial, outcome)
                return
            self._previous[trial.id] = outcome
        self.waiting.append(trial)

    def _start(self, executor: TrialExecutor, trial: Trial) -> None:
        """Start a trial, unless another process runs it or has run it."""
        if self._has_ended(trial):
            return
        if self.store.leases.status(trial.id) == "held":
            self.leased_elsewhere[trial.id] = trial
            return
        self.started[trial.id] = trial
        options, previous = self.options, self._previous.get(trial.id)
        executor.start(trial_task(trial, previous, options.retry, options.trial_timeout))

    def _has_ended(self, trial: Trial) -> bool:
        """Whether a trial has ended by now; if so it is counted."""
        outcome = self.store.read_outcome(trial.id)
        if outcome is None or outcome == self._previous.get(trial.id):
            return False
        self._count(trial, outcome)
        self.callbacks.ended(trial, outcome)
        return True

    def _count(self, trial: Trial, outcome: TrialOutcome) -> None:
        self._previous.pop(trial.id, None)
        self.counts[outcome.status] += 1
        self._unseen.append(outcome)
        value, best = outcome.objective, self.best[0] if self.best else None
        if value is not None and self.plan.objective.is_better(value, best):
            self.best = value, trial

    def _take_back(self, report: TaskReport) -> None:
        """A trial has come back from the executor."""
        trial = self.started.pop(report.id)
        if report.result == TaskResult.LEASED_ELSEWHERE:
            self.leased_elsewhere[trial.id] = trial
            return
        if report.result == TaskResult.FINISHED:
            if self._has_ended(trial):
                return
            self._losses[trial.id] += 1
        if self._losses[trial.id] > MAX_LOSSES:
            folder = self.store.trials / trial.id
            raise WorkerPoolError(f"trial {trial.id} leaves no trial.json in {folder}")
        self.waiting.appendleft(trial)

    def _poll_leases(self) -> None:
        """Look whether trials of other processes have ended or are free again."""
        now = time.monotonic()
        if not self.leased_elsewhere or now - self._poll_time < LEASE_POLL:
            return
        self._poll_time = now
        for id, trial in list(self.leased_elsewhere.items()):
            if self._has_ended(trial):
                del self.leased_elsewhere[id]
            elif self.store.leases.status(id) != "held":
                self.waiting.appendleft(self.leased_elsewhere.pop(id))

    def _stop(self, executor: TrialExecutor) -> None:
        """Let running trials write their checkpoints; those that end by then are counted."""
        executor.stop()
        deadline = time.monotonic() + STOP_TIMEOUT
        while self.started and time.monotonic() < deadline:
            for report in executor.wait(TICK):
                trial = self.started.pop(report.id)
                if report.result == TaskResult.FINISHED:
                    self._has_ended(trial)

    def _show_progress(self, running: int, force: bool = False) -> None:
        """Report progress, a few times a second."""
        now = time.monotonic()
        if not force and now - self._progress_time < TICK:
            return
        self._progress_time = now
        done, seconds = self.counts.total(), now - self._start_time
        ended_here, left = done - self.ended_before, len(self.requested) - done
        self.callbacks.progress(
            GridProgress(
                total=len(self.requested),
                done=done,
                already_done=self.ended_before,
                running=running,
                failed=self._failed,
                best=self.best[0] if self.best else None,
                best_values=self.best[1].values if self.best else {},
                seconds=seconds,
                seconds_left=seconds / ended_here * left if ended_here else None,
            )
        )
