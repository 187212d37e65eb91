"""`python -m benchmarks.steps`: microseconds per training step of ldl and other libraries.

All train on the same data in memory from the same weights on 2 threads, each in its own process,
after a check that they compute the same loss and gradient and the same mean loss of an epoch. Every
peer runs with its fastest settings. `ldl` is the loop of `ldl train`, which also computes the norm
of the gradient and checks for NaN.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.clean_process import run_in_clean_process
from benchmarks.implementations import IMPLEMENTATIONS
from benchmarks.tasks import TASKS
from benchmarks.timing import DISAGREES, QUICK, TaskRow, TimingBudget, time_tasks


def record(row: TaskRow) -> dict[str, Any]:
    """A row of the JSON file."""
    return {
        "task": row.task.name,
        "batch": row.task.batch,
        "optimizer": row.task.optimizer,
        "weights": row.weights,
        "multiply-adds a step": row.multiply_adds,
        "contenders": {name: asdict(values) for name, values in row.measurements.items()},
        "their time over ours": {name: row.ratio(name) for name in row.measurements},
        "fastest peer": row.fastest,
        "its time over ours": row.fastest_peer_ratio,
        "share of the peak": row.peak_fraction,
        "falls short": row.is_slower,
        "cores used by others": row.foreign_cores,
    }


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--quick", action="store_true", help="a smoke test: few and short rounds")
    options.add_argument("--only", default="", help="rows whose title contains this")
    options.add_argument(
        "--with", default="", dest="names", help=f"of {', '.join(IMPLEMENTATIONS)}"
    )
    return options


def main() -> int:
    """Measure, print, and write a JSON file, a table and a plot; 1 if results disagree."""
    options = parser().parse_args()
    run_in_clean_process("benchmarks.steps", sys.argv[1:])
    from benchmarks.output_files import write_results
    from benchmarks.peak_speed import measured_peak
    from benchmarks.steps_plot import plot_steps
    from benchmarks.tables import steps_report

    tasks = [task for task in TASKS if options.only in task.title]
    selected = tuple(name for name in options.names.split(",") if name)
    peak = measured_peak()
    rows = time_tasks(tasks, selected, QUICK if options.quick else TimingBudget(), peak)
    text = f"{steps_report(rows)}\nmeasured peak: {2e-9 * peak:.0f} GFLOP/s in float32\n"
    print(text)
    if not options.only and not selected:
        content = {"peak multiply-adds a second": peak, "rows": [record(row) for row in rows]}
        write_results("steps", content, text)
        plot_steps(rows)
    return any(m.error.startswith(DISAGREES) for row in rows for m in row.measurements.values())


if __name__ == "__main__":
    sys.exit(main())
