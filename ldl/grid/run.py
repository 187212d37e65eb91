"""A grid from its first trial to its last: ask the search, hand out tasks, count what returns."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ldl.cores import usable_cores
from ldl.errors import Interrupted
from ldl.grid.executors import Executor, GridError, Local
from ldl.grid.grid_plan import GridCallbacks, GridOptions, GridPlan, GridProgress, GridSummary
from ldl.grid.trial import Trial, TrialOutcome
from ldl.grid.trial_store import RETRIED, TrialStore, write_plan
from ldl.grid.work import Task, Word
from ldl.train.signals import DeferredSignals

TICK = 0.2  # seconds between two looks at signals, and between two reports
LOOK = 0.5  # seconds between two looks at trials of other processes
PATIENCE = 40.0  # seconds for trials to stop
RECORD = 5.0  # seconds between two writings of the plan
LOST = 3  # times that a trial may come back as ended without a word of it on the disk


def run_grid(
    plan: GridPlan, folder: Path, options: GridOptions, watch: GridCallbacks
) -> GridSummary:
    """Do what is missing of a grid in its folder, which may be another process's too at that time.

    Raises Interrupted after a signal, when the trials have left their checkpoints, and GridError
    where there is nobody left to do the work.
    """
    ledger = TrialStore(folder)
    ledger.claims.sweep()
    grid = Grid(plan, ledger, options, watch)
    grid.begin()
    if not grid.waiting:
        return grid.summary()
    with DeferredSignals() as signals, closing(executor(ledger, options, watch)) as workers:
        grid.go(workers, lambda: signals.caught is not None)
        if signals.caught is not None:
            watch.note("the trials have left checkpoints: the same command goes on from there")
            raise Interrupted(signals.caught)
    return grid.summary()


def executor(ledger: TrialStore, options: GridOptions, watch: GridCallbacks) -> Executor:
    """The workers that the options ask for. Raises GridError where they cannot be had."""
    jobs = options.jobs or usable_cores() or 1
    if options.dask is not None:
        from ldl.grid.dask_executor import Cluster

        return Cluster(ledger.folder, options.dask, jobs)

    def download(what: str, done: int, total: int) -> None:
        if done == 0:
            watch.note(f"{what} …")

    return Local(ledger.folder, jobs, download)


class Grid:
    """How a grid stands, in this process's eyes."""

    def __init__(
        self, plan: GridPlan, ledger: TrialStore, options: GridOptions, watch: GridCallbacks
    ) -> None:
        self.plan, self.ledger, self.options, self.watch = plan, ledger, options, watch
        self.waiting: deque[Trial] = deque()
        self.out: dict[str, Trial] = {}  # handed out
        self.aside: dict[str, Trial] = {}  # taken by other processes
        self.asked: dict[str, Trial] = {}  # without their configurations, which are long
        self.counts: Counter[str] = Counter()  # trials that have ended, by how
        self.found = 0  # of those, how many had ended before
        self.best: tuple[float, Trial] | None = None
        self._before: dict[str, TrialOutcome] = {}  # failed earlier, to be tried again
        self._untold: list[TrialOutcome] = []  # outcomes that the search has not heard of
        self._lost: Counter[str] = Counter()
        self._recorded = 0
        self._began = self._shown = self._looked = self._written = time.monotonic()

    def begin(self) -> None:
        """Ask for the first trials, and count those that have ended before."""
        self._ask()
        self._record()
        self._show(0, True)

    def go(self, workers: Executor, asked_to_stop: Callable[[], bool]) -> None:
        """Until all is done, a signal comes or, with fail_fast, a trial has failed."""
        try:
            self._go(workers, asked_to_stop)
        finally:
            self._record()
        self._show(0, True)

    def _go(self, workers: Executor, asked_to_stop: Callable[[], bool]) -> None:
        while self.waiting or self.out or self.aside:
            if asked_to_stop() or self._failed_fast():
                self._stop(workers)
                return
            while self.waiting and workers.room > 0:
                self._start(workers, self.waiting.popleft())
            for id, word in workers.wait(TICK):
                self._back(id, word)
            self._look_aside()
            idle = not (self.waiting or self.out or self.aside)
            if self._untold and (idle or len(self.waiting) < workers.room + workers.running):
                self._ask()
            if time.monotonic() - self._written > RECORD:
                self._record()
            self._show(workers.running)

    def summary(self) -> GridSummary:
        """How it ended."""
        counts = self.counts
        return GridSummary(
            completed=counts["completed"],
            diverged=counts["diverged"],
            failed=sum(counts[ending] for ending in RETRIED),
            waiting=len(self.asked) - counts.total(),
            best=self.best[1].id if self.best else None,
            seconds=time.monotonic() - self._began,
        )

    def _ask(self) -> None:
        """Take what the search wants next, and look which of that there is already."""
        while True:
            told, self._untold = self._untold, []
            for trial in self.plan.search.ask(told):
                if trial.id not in self.asked:
                    self.asked[trial.id] = replace(trial, yaml="")
                    self._sort(trial)
            if not self._untold:
                return

    def _record(self) -> None:
        """Write down what was asked for, if there is more of it."""
        self._written = time.monotonic()
        if len(self.asked) > self._recorded:
            self._recorded = len(self.asked)
            write_plan(self.ledger.folder, self.plan, list(self.asked.values()))

    def _sort(self, trial: Trial) -> None:
        """A trial that was asked for: done, or to be done."""
        found = self.ledger.read_outcome(trial.id)
        if found is not None and not (self.options.retry_failed and found.status in RETRIED):
            self.found += 1
            self._count(trial, found)
            return
        if found is not None:
            self._before[trial.id] = found
        self.waiting.append(trial)

    def _start(self, workers: Executor, trial: Trial) -> None:
        """Hand a trial out, unless another process has it or has done it."""
        if not self._done(trial):
            if self.ledger.claims.standing(trial.id) == "held":
                self.aside[trial.id] = trial
                return
            self.out[trial.id] = trial
            options = self.options
            workers.start(
                Task(
                    trial,
                    self.plan.objective,
                    options.retry,
                    options.trial_timeout,
                    self.plan.keep_checkpoints,
                    self._before.get(trial.id),
                )
            )

    def _done(self, trial: Trial) -> bool:
        """Whether a trial has ended by now; if so it is counted."""
        outcome = self.ledger.read_outcome(trial.id)
        if outcome is None or outcome == self._before.get(trial.id):
            return False
        self._count(trial, outcome)
        self.watch.ended(trial, outcome)
        return True

    def _count(self, trial: Trial, outcome: TrialOutcome) -> None:
        self._before.pop(trial.id, None)
        self.counts[outcome.status] += 1
        self._untold.append(outcome)
        best = self.best[0] if self.best else None
        figure = outcome.objective
        if figure is not None and self.plan.objective.is_better(figure, best):
            self.best = figure, trial

    def _back(self, id: str, word: Word) -> None:
        """A trial that was handed out has come back."""
        trial = self.out.pop(id)
        if word == "taken":
            self.aside[id] = trial
        elif word == "ended" and self._done(trial):
            return
        else:
            self._lost[id] += word == "ended"
            if self._lost[id] > LOST:
                raise GridError(f"trial {id} leaves no trial.json in {self.ledger.trials / id}")
            self.waiting.appendleft(trial)

    def _look_aside(self) -> None:
        """See to the trials of other processes: done, or free again."""
        now = time.monotonic()
        if not self.aside or now - self._looked < LOOK:
            return
        self._looked = now
        for id, trial in list(self.aside.items()):
            if self._done(trial):
                del self.aside[id]
            elif self.ledger.claims.standing(id) != "held":
                self.waiting.appendleft(self.aside.pop(id))

    def _failed_fast(self) -> bool:
        failed = sum(self.counts[ending] for ending in RETRIED)
        return self.options.fail_fast and failed > 0

    def _stop(self, workers: Executor) -> None:
        """Let the trials under way write their checkpoints; they count where they end by then."""
        workers.stop()
        until = time.monotonic() + PATIENCE
        while self.out and time.monotonic() < until:
            for id, word in workers.wait(TICK):
                trial = self.out.pop(id)
                if word == "ended":
                    self._done(trial)

    def _show(self, running: int, certainly: bool = False) -> None:
        """Tell how it stands, a few times a second."""
        now = time.monotonic()
        if not certainly and now - self._shown < TICK:
            return
        self._shown = now
        done, spent = self.counts.total(), now - self._began
        here, left = done - self.found, len(self.asked) - done
        self.watch.progress(
            GridProgress(
                total=len(self.asked),
                done=done,
                already_done=self.found,
                running=running,
                failed=sum(self.counts[ending] for ending in RETRIED),
                best=self.best[0] if self.best else None,
                best_values=self.best[1].values if self.best else {},
                seconds=spent,
                seconds_left=spent / here * left if here else None,
            )
        )
