"""Timing of all implementations of a task: equal results first, then interleaved rounds."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from benchmarks.clean_process import THREADS
from benchmarks.implementations import COMPILED, EAGER, IMPLEMENTATIONS, LDL, implementations_for
from benchmarks.machine_load import MachineLoad
from benchmarks.tasks import Task, Weights, multiply_adds, weight_count
from benchmarks.worker import ImplementationFailed, LossAndGradient, Worker, stop_workers

IDLE_INTERVAL, MAX_WAIT = 0.01, 1.0  # seconds between checks that a process is idle, and in all
ENOUGH_SECONDS, MIN_ROUNDS = 3.0, 3  # after both, a slow implementation is not timed again
TOLERANCE = 1e-5  # of a gradient's norm; sums of a thousand float32 products differ by about 1e-6
EPOCH_TOLERANCE = 5e-4  # of an epoch's mean loss; implementations of Adam add ε in other places
DISAGREES = "computes something else"
# A floor for norms, relative to the whole gradient: below it the tolerance would be finer than the
# rounding of the whole. The gradient of attention's key bias is 0 up to that rounding.
NORM_FLOOR = float(np.finfo(np.float32).eps) / TOLERANCE
CHECKED_SAMPLES = 16  # in a large batch, rounding changes the sign at some relu or the maximum


@dataclass(frozen=True)
class TimingBudget:
    """How long is measured: rounds, seconds per round, and rounds to choose a variant."""

    rounds: int = 11
    seconds: float = 0.05
    trials: int = 3


QUICK = TimingBudget(3, 0.02, 1)


@dataclass
class Measurement:
    """One implementation on one task."""

    seconds: float | None = None  # per step, the median of the rounds
    quartiles: tuple[float, float] | None = None
    settings: str = ""
    memory: int | None = None  # bytes, the peak while it trained, without libraries
    build: float = 0.0  # seconds to build and compile all its variants
    error: str = ""  # why it has no time


@dataclass
class TaskRow:
    """The measurements of a task, by implementation."""

    task: Task
    measurements: dict[str, Measurement]
    foreign_cores: float | None  # cores that other programs used meanwhile
    peak: float  # multiply-adds per second of this machine in a large product
    multiply_adds: int = field(init=False)
    weights: int = field(init=False)

    def __post_init__(self) -> None:
        self.multiply_adds, self.weights = multiply_adds(self.task), weight_count(self.task)

    def seconds(self, name: str) -> float | None:
        """Seconds per step; None where the implementation has no time."""
        measurement = self.measurements.get(name)
        return measurement.seconds if measurement else None

    def ratio(self, name: str) -> float | None:
        """The implementation's time over ldl's: above 1 ldl is faster."""
        peer_seconds, ldl_seconds = self.seconds(name), self.seconds(LDL)
        return peer_seconds / ldl_seconds if peer_seconds and ldl_seconds else None

    @property
    def fastest(self) -> str | None:
        """The peer with the shortest step."""
        peers = [name for name in self.measurements if IMPLEMENTATIONS[name].peer]
        times = {name: seconds for name in peers if (seconds := self.seconds(name))}
        return min(times, key=times.__getitem__) if times else None

    @property
    def fastest_peer_ratio(self) -> float | None:
        """The fastest peer's time over ldl's."""
        return self.ratio(self.fastest) if self.fastest else None

    @property
    def is_slower(self) -> bool:
        """Whether a peer is faster than ldl."""
        return self.fastest_peer_ratio is not None and self.fastest_peer_ratio < 1.0

    @property
    def peak_fraction(self) -> float | None:
        """ldl's multiply-adds per second over the machine's peak."""
        seconds = self.seconds(LDL)
        return self.multiply_adds / seconds / self.peak if seconds else None


def time_task(task: Task, selected: tuple[str, ...], budget: TimingBudget, peak: float) -> TaskRow:
    """Time all implementations of a task but those whose results differ from the first one's."""
    names = implementations_for(task, selected)
    workers = {name: Worker(name, task) for name in names}
    measurements = {name: Measurement() for name in names}
    try:
        ready = build_and_compare(task, workers, measurements)
        ready = choose_variants(ready, measurements, budget)
        load, cpu_before = MachineLoad(), cpu_seconds(ready)
        run_rounds(ready, measurements, budget)
        foreign_cores = load.foreign_cores(cpu_seconds(ready) - cpu_before)
        return TaskRow(task, measurements, foreign_cores, peak)
    finally:
        stop_workers(workers.values())


def build_and_compare(
    task: Task, workers: Mapping[str, Worker], measurements: Mapping[str, Measurement]
) -> dict[str, Worker]:
    """Build all variants concurrently, then train each for an epoch; return those to be timed."""
    checked = min(CHECKED_SAMPLES, task.batch)
    samples = np.random.default_rng(3).permutation(task.batch * task.batches)[:checked]
    for worker in workers.values():
        worker.send("build", samples)
    built = []
    for name, worker in workers.items():
        try:
            worker.receive()
            worker.receive()
            built.append(name)
        except ImplementationFailed as error:
            measurements[name].error = str(error)
    results = {}
    for name in built:
        try:
            results[name] = workers[name].call("learn")
        except ImplementationFailed as error:
            measurements[name].error = str(error)
    differing = disagreements({name: result.values for name, result in results.items()})
    ready = {}
    for name, result in results.items():
        measurement = measurements[name]
        measurement.build, measurement.error = result.build, differing.get(name, "")
        if measurement.error:
            continue
        slow = result.slow_variants
        if result.values.keys() - slow.keys():
            ready[name] = workers[name]
        elif slow:
            fastest = min(slow, key=slow.__getitem__)
            measurement.settings, measurement.seconds = f"{fastest}, one epoch", slow[fastest]
        else:
            measurement.error = next(iter(result.errors.values()))
    return ready


def choose_variants(
    workers: Mapping[str, Worker], measurements: Mapping[str, Measurement], budget: TimingBudget
) -> dict[str, Worker]:
    """Let each implementation choose its fastest variant; return those that did not fail."""
    ready = {}
    for name, worker in workers.items():
        try:
            measurements[name].settings = worker.call("choose", budget.seconds, budget.trials)
            wait_until_idle(worker)
            ready[name] = worker
        except ImplementationFailed as error:
            measurements[name].error = str(error)
    return ready


def run_rounds(
    workers: Mapping[str, Worker], measurements: Mapping[str, Measurement], budget: TimingBudget
) -> None:
    """Time all implementations in every round, each round in another order.

    Slow ones take part in the first rounds only.
    """
    names = list(workers)
    spent = dict.fromkeys(names, 0.0)
    times: dict[str, list[float]] = {name: [] for name in names}
    for i in range(budget.rounds):
        shift = i % len(names)
        for name in names[shift:] + names[:shift]:
            if spent[name] > ENOUGH_SECONDS and i >= MIN_ROUNDS:
                continue
            start = time.perf_counter()
            times[name].append(workers[name].call("run", budget.seconds))
            spent[name] += time.perf_counter() - start
            wait_until_idle(workers[name])
    for name, seconds in times.items():
        low, high = np.quantile(seconds, (0.25, 0.75))
        measurements[name].seconds = statistics.median(seconds)
        measurements[name].quartiles = float(low), float(high)
        measurements[name].memory = workers[name].call("bytes")


def wait_until_idle(worker: Worker) -> None:
    """Wait until the process uses no CPU: threads of BLAS and OpenMP spin for up to 0.1 s."""
    start, previous = time.perf_counter(), -1.0
    while (current := worker.call("cpu")) > previous + 0.1 * IDLE_INTERVAL:
        if time.perf_counter() >= start + MAX_WAIT:
            return
        previous = current
        time.sleep(IDLE_INTERVAL)


def cpu_seconds(workers: Mapping[str, Worker]) -> float:
    """CPU seconds that all processes together have used so far."""
    seconds: list[float] = [worker.call("cpu") for worker in workers.values()]
    return sum(seconds)


def disagreements(values: Mapping[str, Mapping[str, LossAndGradient]]) -> dict[str, str]:
    """Implementations with a variant whose results differ from the first one's, and how."""
    errors: dict[str, str] = {}
    (reference_name, reference), *others = [
        (name, result) for name, variants in values.items() for result in variants.values()
    ]
    for name, result in others:
        differences = {
            "loss": abs(reference.loss - result.loss) / abs(reference.loss) / TOLERANCE,
            "gradient": gradient_distance(reference.gradient, result.gradient) / TOLERANCE,
            "mean loss of an epoch": abs(reference.epoch / result.epoch - 1.0) / EPOCH_TOLERANCE,
        }
        worst = max(differences, key=differences.__getitem__)
        if not differences[worst] <= 1.0:
            factor = f"{differences[worst]:.1f} times the tolerance"
            errors[name] = f"{DISAGREES}: {worst} is {factor} from {reference_name}'s"
    return errors


def gradient_distance(reference: Weights | None, gradient: Weights | None) -> float:
    """The largest ‖a − b‖ / ‖b‖ over the weight arrays; 0 where a gradient is not available."""
    if reference is None or gradient is None:
        return 0.0
    if reference.keys() != gradient.keys():
        raise ValueError(f"weights {sorted(reference)} and {sorted(gradient)}")
    norms = {name: norm(array) for name, array in reference.items()}
    floor = NORM_FLOOR * norm(list(norms.values()))
    return max(
        norm(gradient[name] - array) / max(norms[name], floor) for name, array in reference.items()
    )


def norm(values: object) -> float:
    """‖a‖ in float64."""
    return float(np.linalg.norm(np.asarray(values, np.float64)))


def compile_ahead(tasks: Sequence[Task], selected: tuple[str, ...]) -> None:
    """Fill PyTorch's cache of compiled graphs, two tasks at a time, before anything is timed."""
    compiled = [task for task in tasks if COMPILED in implementations_for(task, selected)]
    print(f"compiling {len(compiled)} networks ahead …", file=sys.stderr)
    for i in range(0, len(compiled), THREADS):
        workers = [Worker(COMPILED, task) for task in compiled[i : i + THREADS]]
        for worker, task in zip(workers, compiled[i:], strict=False):
            worker.send("build", np.arange(task.batch))
        for worker in workers:
            with suppress(ImplementationFailed):  # time_task reports it
                worker.receive()
                worker.receive()
        stop_workers(workers)


def time_tasks(
    tasks: Sequence[Task], selected: tuple[str, ...], budget: TimingBudget, peak: float
) -> list[TaskRow]:
    """The row of every task, those where ldl is slower first; progress goes to stderr."""
    compile_ahead(tasks, selected)
    rows = []
    for i, task in enumerate(tasks, 1):
        start = time.perf_counter()
        print(f"{i}/{len(tasks)}  {task.title} …", end="", file=sys.stderr, flush=True)
        rows.append(time_task(task, selected, budget, peak))
        print(f" {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return sorted(rows, key=lambda row: min(row.fastest_peer_ratio or 1.0, 1.0))


def eager_ratios(rows: Sequence[TaskRow]) -> list[float]:
    """PyTorch eager's time over ldl's, where both are known."""
    return [ratio for row in rows if (ratio := row.ratio(EAGER))]
