"""What a grid will cost: a few batches are timed, by as many processes at once as there will be."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

from ldl.cores import worker_environment
from ldl.data import split_sizes
from ldl.engine.streams import stream
from ldl.errors import LdlError
from ldl.grid.block import Halving, Tpe
from ldl.grid.objective import Objective
from ldl.grid.planning import CheckedGrid
from ldl.grid.resolve import Candidate
from ldl.grid.searches import drawn, kept_in, steady
from ldl.grid.sections import FIELDS

TIMED: Final = 12  # kinds of settings that are timed
LONG: Final = 0.15  # seconds for the batches of one
OVERHEAD: Final = 0.04  # seconds a trial beside its training and judging
FILES: Final = 40_000  # bytes of a trial's folder beside weights and metrics, in whole disk blocks
CHECKPOINT: Final = 6  # sizes of the weights that a trial keeps where others go on from it
ROW: Final = 110  # bytes of an epoch in metrics.csv


@dataclass(frozen=True)
class TrialTiming:
    """What was measured of one setting."""

    step: float  # seconds of a batch
    validation: float  # seconds of the validation after an epoch
    judging: float  # seconds of the objective's evaluation
    memory: int  # bytes of the process, at most
    weights: int  # bytes of the weights


@dataclass(frozen=True)
class CostEstimate:
    """What the trials that are new will take; None where nothing could be timed."""

    seconds: float
    memory: int  # bytes, of all workers together
    disk: int  # bytes


def estimate_cost(
    grid: CheckedGrid, new: Mapping[int, int] | None, jobs: int
) -> CostEstimate | None:
    """The cost of a grid with so many workers.

    `new` is how many trials of a setting, by its number, are yet to be trained; None: all.
    """
    settings = grid.candidates or _drawn(grid)
    groups: dict[tuple[object, ...], list[Candidate]] = {}
    for setting in settings:
        groups.setdefault(_kind(setting), []).append(setting)
    chosen = list(groups)
    if len(chosen) > TIMED:
        rng = stream(0, "grid", "timing")
        chosen = [chosen[i] for i in sorted(rng.choice(len(chosen), TIMED, replace=False))]
    firsts = [groups[each][0] for each in chosen]
    found = measure([s.yaml(grid.seeds[0]) for s in firsts], grid.objective, jobs)
    timed = {kind: timing for kind, timing in zip(chosen, found, strict=True) if timing}
    if not timed:
        return None
    everything = list(timed.values())
    samples = split_sizes(grid.base.experiment.config.data.split, grid.base.experiment.info).train
    copies = CHECKPOINT if isinstance(grid.block.search, Halving) else 1
    total, disk = 0.0, 0
    for setting, trials, epochs, fresh in _work(grid, settings, new):
        timing = timed.get(_kind(setting)) or _nearest(setting, timed)
        batches = (
            1
            if not isinstance(setting.train.batch_size, int)
            else -(-samples // setting.train.batch_size)
        )
        epoch = batches * timing.step + timing.validation
        total += trials * (fresh * epoch + timing.judging + OVERHEAD)
        disk += round(trials * (FILES + ROW * epochs + copies * timing.weights))
    workers = max(1, jobs)
    memory = workers * max(each.memory for each in everything)
    return CostEstimate(total / workers, memory + _peak(), disk)


def _kind(setting: Candidate) -> tuple[object, ...]:
    """What settings have in common that take as long for a batch: all but rates and epochs."""
    texts = dict(zip(FIELDS, setting.texts, strict=True))
    rule = re.search(r"\w+", texts["optimizer"].removeprefix("optimizer:"))
    parts = [texts[key] for key in ("data", "blocks", "network", "loss")]
    return setting.train.batch_size, rule and rule.group(), *parts


def _nearest(setting: Candidate, timed: Mapping[tuple[object, ...], TrialTiming]) -> TrialTiming:
    """For a kind that was not timed, the middle of those with its batch size, or of all."""
    alike = [timing for kind, timing in timed.items() if kind[0] == setting.train.batch_size]
    known = alike or list(timed.values())
    return TrialTiming(
        median(each.step for each in known),
        median(each.validation for each in known),
        median(each.judging for each in known),
        max(each.memory for each in known),
        round(mean(each.weights for each in known)),
    )


def _drawn(grid: CheckedGrid) -> list[Candidate]:
    """Some settings of a search that does not list them."""
    name = grid.base.experiment.config.name
    found = (grid.settler.settle(i, each, name) for i, each in enumerate(drawn(grid.space, 0)))
    return [setting for setting in islice(found, TIMED) if setting is not None]


def _work(
    grid: CheckedGrid, settings: Sequence[Candidate], new: Mapping[int, int] | None
) -> list[tuple[Candidate, float, int, int]]:
    """(setting, trials of it, its epochs, those that are trained): all there is to do."""
    search, seeds = grid.block.search, grid.block.seeds
    if isinstance(search, Tpe):
        share = seeds * (search.trials + len(grid.candidates)) / max(len(settings), 1)
        return [(each, share, each.train.epochs, each.train.epochs) for each in settings]
    if isinstance(search, Halving):
        done, found = 0, []
        left = 1.0 if new is None else sum(new.values()) / (seeds * len(settings))  # of round 1
        for i, epochs in enumerate(grid.lengths):
            share = seeds * kept_in(i, len(settings), search.eta) / len(settings)
            for each in settings:
                before = done if steady(each.schedule) else 0
                found.append((each, share * (1.0 if i else left), epochs, epochs - before))
            done = epochs
        return found
    return [
        (each, seeds if new is None else new.get(each.number, 0), each.train.epochs,
         each.train.epochs)
        for each in settings
    ]  # fmt: skip


def measure(yamls: Sequence[str], objective: Objective, jobs: int) -> list[TrialTiming | None]:
    """Each configuration timed by `jobs` processes at once; the slowest counts, for all wait.

    None for one that could not be trained.
    """
    task = json.dumps({"yamls": list(yamls), "objective": objective.to_dict()})
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "ldl.grid.cost"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=worker_environment(),
        )
        for _ in range(max(1, jobs))
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(task)
        worker.stdin.close()
    answers = []
    for worker in workers:
        with worker:
            assert worker.stdout is not None
            answers.append(worker.stdout.read())
    found = [json.loads(answer) for answer in answers if answer]
    if not found:
        return [None] * len(yamls)
    return [_slowest([each[i] for each in found if each[i]]) for i in range(len(yamls))]


def _slowest(found: Sequence[dict[str, Any]]) -> TrialTiming | None:
    if not found:
        return None
    return TrialTiming(**{key: max(each[key] for each in found) for key in found[0]})


def _time(yaml: str, objective: Objective, folder: Path, judging: float | None) -> TrialTiming:
    """Some batches, a validation and a judgement of one configuration.

    Middle times, for another process that takes the core for a moment is no part of them. The
    judgement is left out where it is known from another setting: it takes long, and about as long.
    """
    from ldl.execute import prepare
    from ldl.execute.evaluation import run_evaluations
    from ldl.runs import RunFolder
    from ldl.train import EpochMetrics, Trainer
    from ldl.train.validation import validate

    file = folder / "config.yaml"
    file.write_text(yaml, encoding="utf-8")
    prepared = prepare(file)
    experiment, dataset = prepared.experiment, prepared.data()
    trainer = Trainer(experiment, dataset, RunFolder(folder))
    batches = _Batches()
    with suppress(_EnoughError):
        while True:
            trainer.loop.run_epoch(1, EpochMetrics(), batches)
    validations, arrays = [0.0], trainer.validation
    if arrays is not None:
        validations = [
            _seconds(lambda: validate(trainer.model, experiment, arrays)) for _ in range(3)
        ]
    if judging is None:
        evaluation = objective.evaluation_for(experiment.config)
        asked = [evaluation] if evaluation else []
        run = RunFolder(folder)
        judging = _seconds(
            lambda: run_evaluations(
                experiment, trainer.model, dataset, run, asked, lambda stage: None
            )
        )
    weights = trainer.model.parameters.theta.nbytes
    return TrialTiming(batches.middle, median(validations), judging, _peak(), weights)


def _peak() -> int:
    """The most memory of this process so far, in bytes; Linux counts in units of 1024."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class _EnoughError(Exception):
    """Enough batches have been timed."""


class _Batches:
    """Times batches for LONG seconds; the first one, which makes buffers, only if it is alone."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def __call__(self, totals: Any) -> None:
        self.times.append(time.perf_counter())
        if self.times[-1] - self.times[0] > LONG:
            raise _EnoughError

    @property
    def middle(self) -> float:
        """Seconds of a batch."""
        taken = [after - before for before, after in pairwise(self.times)]
        return median(taken[1:] or taken)


def _main() -> None:
    """Read configurations from stdin, write what they take to stdout."""
    task = json.load(sys.stdin)
    objective = Objective.from_dict(task["objective"])
    found: list[dict[str, Any] | None] = []
    judging: float | None = None
    for yaml in task["yamls"]:
        with tempfile.TemporaryDirectory() as folder:
            try:
                timing = _time(yaml, objective, Path(folder), judging)
            except LdlError:
                found.append(None)
            else:
                judging = timing.judging
                found.append(asdict(timing))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    _main()
