"""A task's race: the same numbers from all, each one's best settings, then interleaved rounds."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from benchmarks.clean import THREADS
from benchmarks.contenders import COMPILED, CONTENDERS, EAGER, OURS, entered
from benchmarks.others import Others
from benchmarks.tasks import Task, Weights, multiply_adds, weight_count
from benchmarks.worker import Failed, Numbers, Worked, Worker, close

PAUSE, LONGEST = 0.01, 1.0  # seconds between looks whether a process rests, and until we go on
ENOUGH, FEWEST = 3.0, 3  # seconds, and rounds, after which a slow contender is known well enough
TOLERANCE = 1e-5  # of a gradient's norm; sums of a thousand float32 products differ by about 1e-6
EPOCH_TOLERANCE = 5e-4  # of the mean loss of an epoch's steps; where ε stands in Adam differs
DISAGREES = "computes something else"
# Of the whole norm: below it the tolerance would be finer than a rounding of the whole. The bias of
# attention's keys has a gradient of 0, and nothing but that rounding.
NOUGHT = float(np.finfo(np.float32).eps) / TOLERANCE
CHECKED = 16  # samples of the comparison: in a large batch some rounding tips a maximum or a relu


@dataclass(frozen=True)
class Pace:
    """How long is measured: rounds, and seconds a round."""

    rounds: int = 11
    seconds: float = 0.05
    trials: int = 3  # rounds in which a contender finds its best settings


QUICK = Pace(3, 0.02, 1)


@dataclass
class Figures:
    """One contender on one task."""

    seconds: float | None = None  # a step, the median of the rounds
    quartiles: tuple[float, float] | None = None
    settings: str = ""
    memory: int | None = None  # bytes, the most while it trained, without libraries
    build: float = 0.0  # seconds to make and compile all its variants
    fault: str = ""  # why it has no figure


@dataclass
class Row:
    """A task's result."""

    task: Task
    figures: dict[str, Figures]
    others: float | None  # cores that other programs used meanwhile
    peak: float  # multiply-adds a second that this machine reaches in a large product
    work: int = field(init=False)
    weights: int = field(init=False)

    def __post_init__(self) -> None:
        self.work, self.weights = multiply_adds(self.task), weight_count(self.task)

    def seconds(self, name: str) -> float | None:
        """A step's, or None where the contender has no figure."""
        found = self.figures.get(name)
        return found.seconds if found else None

    def ratio(self, name: str) -> float | None:
        """The contender's time over ours: above 1 we are faster."""
        theirs, ours = self.seconds(name), self.seconds(OURS)
        return theirs / ours if theirs and ours else None

    @property
    def fastest(self) -> str | None:
        """The peer with the shortest step."""
        times = {name: self.seconds(name) for name in self.figures if CONTENDERS[name].peer}
        known = {name: seconds for name, seconds in times.items() if seconds}
        return min(known, key=known.__getitem__) if known else None

    @property
    def lead(self) -> float | None:
        """The fastest peer's time over ours."""
        return self.ratio(self.fastest) if self.fastest else None

    @property
    def short(self) -> bool:
        """Whether a peer is ahead of us."""
        return self.lead is not None and self.lead < 1.0

    @property
    def share(self) -> float | None:
        """Our part of the machine's peak."""
        ours = self.seconds(OURS)
        return self.work / ours / self.peak if ours else None


def race(task: Task, asked: tuple[str, ...], pace: Pace, peak: float) -> Row:
    """One task, all sides; whoever computes other numbers than the first is not timed."""
    names = entered(task, asked)
    workers = {name: Worker(name, task) for name in names}
    figures = {name: Figures() for name in names}
    try:
        ready = prepared(task, workers, figures)
        ready = choose(ready, figures, pace)
        others, before = Others(), computed(ready)
        rounds(ready, figures, pace)
        return Row(task, figures, others.share(computed(ready) - before), peak)
    finally:
        close(workers.values())


def prepared(
    task: Task, workers: Mapping[str, Worker], figures: Mapping[str, Figures]
) -> dict[str, Worker]:
    """Build all variants at once, then let each learn by itself; those that can be timed."""
    checked = min(CHECKED, task.batch)
    chosen = np.random.default_rng(3).permutation(task.batch * task.batches)[:checked]
    made: dict[str, Worked] = {}
    built = []
    for worker in workers.values():
        worker.tell("build", chosen)
    for name, worker in workers.items():
        try:
            worker.hear()
            worker.hear()
            built.append(name)
        except Failed as failed:
            figures[name].fault = str(failed)
    for name in built:
        try:
            made[name] = workers[name].ask("learn")
        except Failed as failed:
            figures[name].fault = str(failed)
    differing = compare({name: worked.numbers for name, worked in made.items()})
    ready = {}
    for name, worked in made.items():
        mine = figures[name]
        mine.build, mine.fault = worked.build, differing.get(name, "")
        if mine.fault:
            continue
        if worked.numbers.keys() - worked.slow.keys():
            ready[name] = workers[name]
        elif worked.slow:
            fastest = min(worked.slow, key=worked.slow.__getitem__)
            mine.settings, mine.seconds = f"{fastest}, one epoch", worked.slow[fastest]
        else:
            mine.fault = next(iter(worked.faults.values()))
    return ready


def choose(
    workers: Mapping[str, Worker], figures: Mapping[str, Figures], pace: Pace
) -> dict[str, Worker]:
    """Each in turn finds its best settings; those that did."""
    ready = {}
    for name, worker in workers.items():
        try:
            figures[name].settings = worker.ask("choose", pace.seconds, pace.trials)
            rest(worker)
            ready[name] = worker
        except Failed as failed:
            figures[name].fault = str(failed)
    return ready


def rounds(workers: Mapping[str, Worker], figures: Mapping[str, Figures], pace: Pace) -> None:
    """All take part in every round, each time in another order; the slowest in the first few."""
    names = list(workers)
    spent = dict.fromkeys(names, 0.0)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(pace.rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            if spent[name] > ENOUGH and turn >= FEWEST:
                continue
            start = time.perf_counter()
            times[name].append(workers[name].ask("run", pace.seconds))
            spent[name] += time.perf_counter() - start
            rest(workers[name])
    for name, found in times.items():
        low, high = np.quantile(found, (0.25, 0.75))
        figures[name].seconds = statistics.median(found)
        figures[name].quartiles = float(low), float(high)
        figures[name].memory = workers[name].ask("bytes")


def rest(worker: Worker) -> None:
    """Wait until it computes no more: idle threads of BLAS and OpenMP spin on for up to 0.1 s."""
    start, before = time.perf_counter(), -1.0
    while (
        now := worker.ask("cpu")
    ) > before + 0.1 * PAUSE and time.perf_counter() < start + LONGEST:
        before = now
        time.sleep(PAUSE)


def computed(workers: Mapping[str, Worker]) -> float:
    """Seconds that all processes together have computed so far."""
    seconds: list[float] = [worker.ask("cpu") for worker in workers.values()]
    return sum(seconds)


def compare(found: Mapping[str, Mapping[str, Numbers]]) -> dict[str, str]:
    """Contenders of which some variant computes or learns something else than the first."""
    faults: dict[str, str] = {}
    every = [(name, numbers) for name, made in found.items() for numbers in made.values()]
    for name, theirs in every[1:]:
        mine = every[0][1]
        apart = {
            "loss": abs(mine.loss - theirs.loss) / abs(mine.loss) / TOLERANCE,
            "gradient": distance(mine.gradient, theirs.gradient) / TOLERANCE,
            "mean loss of an epoch": abs(mine.epoch / theirs.epoch - 1.0) / EPOCH_TOLERANCE,
        }
        worst = max(apart, key=apart.__getitem__)
        if not apart[worst] <= 1.0:
            words = f"{worst} is {apart[worst]:.1f} times the tolerance from {every[0][0]}'s"
            faults[name] = f"{DISAGREES}: {words}"
    return faults


def distance(mine: Weights | None, theirs: Weights | None) -> float:
    """The largest ‖a − b‖ / ‖b‖ over the weights; 0 where a gradient is hidden."""
    if mine is None or theirs is None:
        return 0.0
    if mine.keys() != theirs.keys():
        raise ValueError(f"weights {sorted(mine)} and {sorted(theirs)}")
    norms = {name: norm(array) for name, array in mine.items()}
    floor = NOUGHT * norm(list(norms.values()))
    apart = [norm(theirs[name] - array) / max(norms[name], floor) for name, array in mine.items()]
    return max(apart)


def norm(values: object) -> float:
    """‖a‖ in float64."""
    return float(np.linalg.norm(np.asarray(values, np.float64)))


def compile_ahead(tasks: Sequence[Task], asked: tuple[str, ...]) -> None:
    """Fill PyTorch's cache of compiled graphs, two tasks at a time: nothing is timed yet."""
    waiting = [task for task in tasks if COMPILED in entered(task, asked)]
    print(f"compiling {len(waiting)} networks ahead …", file=sys.stderr)
    for i in range(0, len(waiting), THREADS):
        workers = [Worker(COMPILED, task) for task in waiting[i : i + THREADS]]
        for worker, task in zip(workers, waiting[i:], strict=False):
            worker.tell("build", np.arange(task.batch))
        for worker in workers:
            with suppress(Failed):  # the race reports it
                worker.hear()
                worker.hear()
        close(workers)


def race_all(tasks: Sequence[Task], asked: tuple[str, ...], pace: Pace, peak: float) -> list[Row]:
    """Every task's row, those that fall short first; a line on stderr tells how far we are."""
    compile_ahead(tasks, asked)
    rows = []
    for i, task in enumerate(tasks, 1):
        start = time.perf_counter()
        print(f"{i}/{len(tasks)}  {task.title} …", end="", file=sys.stderr, flush=True)
        rows.append(race(task, asked, pace, peak))
        print(f" {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return sorted(rows, key=lambda row: row.lead if row.short and row.lead else 1.0)


def eager_ratios(rows: Sequence[Row]) -> list[float]:
    """PyTorch eager's time over ours, where both are known."""
    return [ratio for row in rows if (ratio := row.ratio(EAGER))]
