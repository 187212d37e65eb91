"""The estimated cost of a grid: batches are timed in as many processes as will run at once."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any, Final

from ldl.data import split_sizes
from ldl.engine.streams import stream
from ldl.errors import LdlError
from ldl.execute.worker_pool import Task, TaskResult, Worker, run_tasks
from ldl.grid.block import Halving, Tpe
from ldl.grid.candidates import Candidate
from ldl.grid.objective import Objective
from ldl.grid.planning import CheckedGrid
from ldl.grid.searches import continues, survivors
from ldl.grid.sections import FIELDS
from ldl.grid.space import draw

if TYPE_CHECKING:
    from ldl.compile import Experiment
    from ldl.data import Dataset
    from ldl.engine.model import Model

MAX_TIMED: Final = 12  # groups of candidates that are timed
TIMING_SECONDS: Final = 0.15  # for the batches of one candidate
TRIAL_OVERHEAD: Final = 0.04  # seconds of a trial beside its training and its evaluation
FILE_BYTES: Final = 40_000  # of a trial's folder beside weights and metrics, in disk blocks
CHECKPOINT_COPIES: Final = 6  # of the weights, in a trial that others continue
ROW_BYTES: Final = 110  # of an epoch in metrics.csv

Group = tuple[object, ...]


@dataclass(frozen=True)
class TrialTiming:
    """The measured costs of one candidate."""

    step_seconds: float  # of one batch
    validation_seconds: float  # after an epoch
    evaluation_seconds: float  # of the objective's evaluation
    memory_bytes: int  # the largest resident size of the process
    weight_bytes: int


@dataclass(frozen=True)
class CostEstimate:
    """What the trials that are not finished will take."""

    seconds: float
    memory: int  # bytes, of all workers together
    disk: int  # bytes


@dataclass(frozen=True)
class _Share:
    """Trials of one candidate, which may be a fraction on average."""

    candidate: Candidate
    trials: float
    epochs: int  # of the training
    new_epochs: int  # of these, how many do not come from a checkpoint


def estimate_cost(
    grid: CheckedGrid, new: Mapping[int, int] | None, jobs: int
) -> CostEstimate | None:
    """The cost of a grid with `jobs` workers; None where no candidate could be timed.

    `new` is how many trials of a candidate, by its number, are yet to be trained; None: all.
    """
    candidates = grid.candidates or _drawn(grid)
    timings = _time_groups(grid, candidates, jobs)
    if not timings:
        return None
    experiment = grid.base.experiment
    samples = split_sizes(experiment.config.data.split, experiment.info).train
    copies = CHECKPOINT_COPIES if isinstance(grid.block.search, Halving) else 1
    seconds, disk = 0.0, 0
    for share in _shares(grid, candidates, new):
        timing = timings.get(_group(share.candidate)) or _typical(share.candidate, timings)
        size = share.candidate.config.train.batch_size
        batches = -(-samples // size) if isinstance(size, int) else 1
        epoch = batches * timing.step_seconds + timing.validation_seconds
        trial = share.new_epochs * epoch + timing.evaluation_seconds + TRIAL_OVERHEAD
        seconds += share.trials * trial
        files = FILE_BYTES + ROW_BYTES * share.epochs + copies * timing.weight_bytes
        disk += round(share.trials * files)
    workers = max(1, jobs)
    memory = workers * max(timing.memory_bytes for timing in timings.values())
    return CostEstimate(seconds / workers, memory + _peak_memory(), disk)


def _time_groups(
    grid: CheckedGrid, candidates: Sequence[Candidate], jobs: int
) -> dict[Group, TrialTiming]:
    """The timings of one candidate of each group, of at most MAX_TIMED groups."""
    firsts: dict[Group, Candidate] = {}
    for candidate in candidates:
        firsts.setdefault(_group(candidate), candidate)
    groups = list(firsts)
    if len(groups) > MAX_TIMED:
        rng = stream(0, "grid", "timing")
        groups = [groups[i] for i in sorted(rng.choice(len(groups), MAX_TIMED, replace=False))]
    timings = measure([firsts[g].yaml(grid.seeds[0]) for g in groups], grid.objective, jobs)
    return {group: timing for group, timing in zip(groups, timings, strict=True) if timing}


def _group(candidate: Candidate) -> Group:
    """What candidates share whose batches take equally long: all but rates and epochs."""
    config, texts = candidate.config, dict(zip(FIELDS, candidate.texts, strict=True))
    sections = [texts[key] for key in ("data", "blocks", "network", "loss")]
    return config.train.batch_size, type(config.optimizer), *sections


def _typical(candidate: Candidate, timings: Mapping[Group, TrialTiming]) -> TrialTiming:
    """For a group that was not timed: the median of those with its batch size, or of all."""
    size = candidate.config.train.batch_size
    same_size = [timing for group, timing in timings.items() if group[0] == size]
    known = same_size or list(timings.values())
    return TrialTiming(
        median(timing.step_seconds for timing in known),
        median(timing.validation_seconds for timing in known),
        median(timing.evaluation_seconds for timing in known),
        max(timing.memory_bytes for timing in known),
        round(mean(timing.weight_bytes for timing in known)),
    )


def _drawn(grid: CheckedGrid) -> list[Candidate]:
    """Some candidates of a search that does not list them."""
    assignments = enumerate(draw(grid.space, 0))
    resolved = (grid.resolver.resolve(i, assignment) for i, assignment in assignments)
    return [candidate for candidate in islice(resolved, MAX_TIMED) if candidate is not None]


def _shares(
    grid: CheckedGrid, candidates: Sequence[Candidate], new: Mapping[int, int] | None
) -> list[_Share]:
    """All trials that are yet to be trained."""
    search, seeds = grid.block.search, grid.block.seeds
    epochs_of = [candidate.config.train.epochs for candidate in candidates]
    if isinstance(search, Tpe):
        trials = seeds * (search.trials + len(grid.candidates)) / max(len(candidates), 1)
        return [_Share(c, trials, n, n) for c, n in zip(candidates, epochs_of, strict=True)]
    if isinstance(search, Halving):
        shares, done = [], 0
        first = 1.0 if new is None else sum(new.values()) / (seeds * len(candidates))
        for i, epochs in enumerate(grid.round_epochs):
            trials = seeds * survivors(i, len(candidates), search.eta) / len(candidates)
            for candidate in candidates:
                before = done if continues(candidate) else 0
                missing = trials * (1.0 if i else first)  # `new` counts the first round alone
                shares.append(_Share(candidate, missing, epochs, epochs - before))
            done = epochs
        return shares
    return [
        _Share(c, seeds if new is None else new.get(c.number, 0), n, n)
        for c, n in zip(candidates, epochs_of, strict=True)
    ]


# --- timing ---------------------------------------------------------------------------------


def measure(yamls: Sequence[str], objective: Objective, jobs: int) -> list[TrialTiming | None]:
    """Time each configuration in `jobs` processes at once, as trials will share the cores.

    The slowest process counts. None for a configuration that cannot be trained.
    """
    payload = {"yamls": list(yamls), "objective": objective.to_dict()}
    tasks = [Task(str(i), payload) for i in range(max(1, jobs))]
    reports = run_tasks("ldl.grid.cost:TimingWorker", {}, tasks, len(tasks))
    measured = [report.value for report in reports if report.value]
    return [_slowest([timings[i] for timings in measured if timings[i]]) for i in range(len(yamls))]


class TimingWorker(Worker):
    """Times the configurations of a task, one after the other, without the output of libraries."""

    def run(self, task: Task, attempt: int) -> tuple[TaskResult, list[dict[str, Any] | None]]:
        """A timing as a dict for each configuration; None where it cannot be trained."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        objective = Objective.from_dict(task.payload["objective"])
        timings: list[dict[str, Any] | None] = []
        evaluation_seconds: float | None = None
        for yaml in task.payload["yamls"]:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    timing = _time_config(yaml, objective, Path(folder), evaluation_seconds)
                except LdlError:
                    timings.append(None)
                    continue
            evaluation_seconds = timing.evaluation_seconds
            timings.append(asdict(timing))
        return TaskResult.FINISHED, timings


def _slowest(timings: Sequence[dict[str, Any]]) -> TrialTiming | None:
    """The largest of each measurement."""
    if not timings:
        return None
    return TrialTiming(**{key: max(timing[key] for timing in timings) for key in timings[0]})


def _time_config(
    yaml: str, objective: Objective, folder: Path, evaluation_seconds: float | None
) -> TrialTiming:
    """Time some batches, the validation and the evaluation of one configuration.

    Medians leave out the moments in which another process takes the core. An evaluation takes
    long, and equally long for all candidates: it is skipped where `evaluation_seconds` is known.
    """
    from ldl.execute.preparation import prepare_text
    from ldl.runs import RunFolder
    from ldl.train import EpochMetrics, Trainer
    from ldl.train.validation import validate

    prepared = prepare_text(yaml, "config.yaml")
    experiment, dataset = prepared.experiment, prepared.data()
    trainer = Trainer(experiment, dataset, RunFolder(folder))
    timer = _BatchTimer()
    with suppress(_EnoughError):
        while True:
            trainer.loop.run_epoch(1, EpochMetrics(), timer)
    model, arrays, validation = trainer.model, trainer.validation, 0.0
    if arrays is not None:
        validation = median(_seconds(lambda: validate(model, experiment, arrays)) for _ in range(3))
    if evaluation_seconds is None:
        evaluation_seconds = _time_evaluation(objective, experiment, model, dataset, folder)
    weights = model.parameters.theta.nbytes
    return TrialTiming(timer.step_seconds, validation, evaluation_seconds, _peak_memory(), weights)


def _time_evaluation(
    objective: Objective, experiment: Experiment, model: Model, dataset: Dataset, folder: Path
) -> float:
    """The seconds of the evaluation that computes the objective, if there is one."""
    from ldl.execute.evaluation import run_evaluations
    from ldl.runs import RunFolder

    evaluation = objective.evaluation_for(experiment.config)
    evaluations = [evaluation] if evaluation else []
    run = RunFolder(folder)
    return _seconds(
        lambda: run_evaluations(experiment, model, dataset, run, evaluations, lambda stage: None)
    )


def _peak_memory() -> int:
    """The largest resident size of this process so far, in bytes; Linux counts in units of 1024."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


class _EnoughError(Exception):
    """Enough batches have been timed."""


class _BatchTimer:
    """Called after each batch; raises _EnoughError after TIMING_SECONDS."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def __call__(self, metrics: object) -> None:
        self.times.append(time.perf_counter())
        if self.times[-1] - self.times[0] > TIMING_SECONDS:
            raise _EnoughError

    @property
    def step_seconds(self) -> float:
        """The median of a batch; the first one allocates buffers, so it counts only if alone."""
        steps = [after - before for before, after in pairwise(self.times)]
        return median(steps[1:] or steps)
