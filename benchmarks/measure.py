"""Fair timing: the same numbers first, then medians of interleaved rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import numpy as np

from benchmarks.contender import Contender
from benchmarks.tasks import BATCHES, Task
from ldl.engine.memory import Array

ROUND_SECONDS = 0.06
PAUSE = 0.03  # idle threads of one BLAS or OpenMP pool spin for up to 25 ms and slow the next side
TOLERANCE = 1e-5  # of the norm; sums of a thousand float32 products differ by about 1e-6


def check_agreement(task: Task, contenders: Mapping[str, Contender]) -> None:
    """All contenders give one loss and one gradient. Raises ValueError where one differs."""
    chosen = np.random.default_rng(3).permutation(task.batch * BATCHES)[: task.batch]
    results = {name: side.gradient(chosen) for name, side in contenders.items()}
    (first, (loss, grads)), *others = results.items()
    for name, (other_loss, other_grads) in others:
        worst = max(
            distance(mine, theirs)
            for pair, other in zip(grads, other_grads, strict=True)
            for mine, theirs in zip(pair, other, strict=True)
        )
        if abs(loss - other_loss) > TOLERANCE * abs(loss) or worst > TOLERANCE:
            raise ValueError(
                f"{task.name}: {first} and {name} disagree: losses {loss} and {other_loss}, "
                f"gradients apart by {worst:.1e} of their norm"
            )


def distance(a: Array, b: Array) -> float:
    """‖a − b‖ / ‖b‖."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-30))


def seconds_a_step(side: Contender, epochs: int) -> float:
    """Mean over `epochs` epochs run without a break."""
    start = time.perf_counter()
    for _ in range(epochs):
        side.epoch()
    return (time.perf_counter() - start) / (epochs * BATCHES)


def interleaved(contenders: Mapping[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Seconds a step in each round. All take part in every round, each time in another order."""
    names = list(contenders)
    epochs = {}
    for name, side in contenders.items():
        seconds_a_step(side, 1)
        one = seconds_a_step(side, 1) * BATCHES
        epochs[name] = max(1, round(ROUND_SECONDS / one))
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            time.sleep(PAUSE)
            if epochs[name] > 1:
                contenders[name].epoch()
            times[name].append(seconds_a_step(contenders[name], epochs[name]))
    return times


def medians(times: Mapping[str, list[float]]) -> dict[str, float]:
    """The median round of each."""
    return {name: statistics.median(values) for name, values in times.items()}
