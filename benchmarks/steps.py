"""`python -m benchmarks.steps`: microseconds a training step; the engine, by hand, and PyTorch.

All on the same data in memory, the same starting weights and 2 threads, after a check that they
compute the same loss and gradient. PyTorch runs with the fastest of its settings. `ldl` is the
loop of `ldl train`, which also takes the gradient's norm and looks for NaN; `engine` is that
loop without them, which is what `hand` and PyTorch do.
"""

from __future__ import annotations

import argparse
import gc
import sys
from dataclasses import dataclass
from typing import Any

from benchmarks.clean import run_clean
from benchmarks.others import Others
from benchmarks.tasks import TASKS, Task

SIDES = ("ldl", "engine", "hand", "torch")


@dataclass(frozen=True)
class Row:
    """A task's result: seconds a step of each side, and the settings that PyTorch ran with."""

    task: Task
    seconds: dict[str, float]
    quartiles: dict[str, list[float]]
    settings: str
    others: float | None  # cores that other programs used meanwhile

    def ratio(self, side: str, to: str) -> float:
        """Time of `side` over time of `to`."""
        return self.seconds[side] / self.seconds[to]

    @property
    def short(self) -> bool:
        """Whether a promise is missed: the ratio to `hand`, or being ahead of PyTorch."""
        missed = self.task.target is not None and self.ratio("engine", "hand") > self.task.target
        return missed or self.ratio("torch", "ldl") < 1.0

    def record(self) -> dict[str, Any]:
        """For the JSON file."""
        return {
            "task": self.task.name,
            "batch": self.task.batch,
            "optimizer": self.task.optimizer,
            "microseconds": {side: self.seconds[side] * 1e6 for side in SIDES},
            "quartiles": {side: [t * 1e6 for t in self.quartiles[side]] for side in SIDES},
            "torch settings": self.settings,
            "cores used by others": self.others,
            "engine / hand": self.ratio("engine", "hand"),
            "ldl / hand": self.ratio("ldl", "hand"),
            "torch / ldl": self.ratio("torch", "ldl"),
            "target for engine / hand": self.task.target,
            "falls short": self.short,
        }


def fastest_eager(task: Task, rounds: int) -> tuple[Any, str]:
    """PyTorch with its fastest thread count and optimizer loop for this task."""
    from benchmarks.eager import VARIANTS, Eager
    from benchmarks.measure import interleaved, medians

    tried = {f"{threads} threads, {loop}": (threads, loop) for threads, loop in VARIANTS}
    sides = {name: Eager(task, *settings) for name, settings in tried.items()}
    seconds = medians(interleaved(sides, rounds))
    best = min(seconds, key=seconds.__getitem__)
    return Eager(task, *tried[best]), best


def measure(task: Task, rounds: int) -> Row:
    """One task, all sides."""
    import numpy as np

    from benchmarks.hand import Hand
    from benchmarks.measure import check_agreement, interleaved, medians
    from benchmarks.ours import Engine, Trainer

    eager, settings = fastest_eager(task, max(3, rounds // 5))
    sides = {"ldl": Trainer(task), "engine": Engine(task), "hand": Hand(task), "torch": eager}
    check_agreement(task, sides)
    gc.collect()
    others = Others()
    times = interleaved(sides, rounds)
    quartiles = {side: list(np.quantile(times[side], (0.25, 0.75))) for side in SIDES}
    return Row(task, medians(times), quartiles, settings, others.share())


def main() -> None:
    """Measure, print, and write a JSON file and a plot."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds: ratios to about 10 %%")
    parser.add_argument("--only", default="", help="tasks whose name contains this")
    options = parser.parse_args()
    run_clean("benchmarks.steps", sys.argv[1:])
    rows = []
    for task in TASKS:
        if options.only in task.name:
            print(f"{task.name}, batch {task.batch}, {task.optimizer} …", file=sys.stderr)
            rows.append(measure(task, 9 if options.quick else 31))
    rows.sort(key=lambda row: not row.short)
    from benchmarks.results import plot, table, write

    print(table(rows))
    if rows and not options.only:
        write("steps", [row.record() for row in rows])
        plot("steps", rows)


if __name__ == "__main__":
    main()
