"""`python -m benchmarks.steps`: microseconds a training step of ldl and of its peers.

All train on the same data in memory from the same weights on 2 threads, each in a process of its
own, after a check that they compute the same loss and gradient and learn alike over an epoch.
Every peer runs with the fastest of its settings. `ldl` is the loop of `ldl train`, which also
takes the gradient's norm and looks for NaN.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.clean import run_clean
from benchmarks.contenders import CONTENDERS
from benchmarks.race import DISAGREES, QUICK, Pace, Row, race_all
from benchmarks.tasks import TASKS


def record(row: Row) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "task": row.task.name,
        "batch": row.task.batch,
        "optimizer": row.task.optimizer,
        "weights": row.weights,
        "multiply-adds a step": row.work,
        "contenders": {name: asdict(found) for name, found in row.figures.items()},
        "their time over ours": {name: row.ratio(name) for name in row.figures},
        "fastest peer": row.fastest,
        "its time over ours": row.lead,
        "share of the peak": row.share,
        "falls short": row.short,
        "cores used by others": row.others,
    }


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a smoke test: few and short rounds")
    made.add_argument("--only", default="", help="rows whose title contains this")
    made.add_argument("--with", default="", dest="names", help=f"of {', '.join(CONTENDERS)}")
    return made


def main() -> int:
    """Measure, print, and write a JSON file, a table and a plot; 1 where a contender disagrees."""
    options = parser().parse_args()
    run_clean("benchmarks.steps", sys.argv[1:])
    from benchmarks.out import write
    from benchmarks.peak import measured_peak
    from benchmarks.plots import plot_steps
    from benchmarks.tables import steps_report

    tasks = [task for task in TASKS if options.only in task.title]
    asked = tuple(name for name in options.names.split(",") if name)
    peak = measured_peak()
    rows = race_all(tasks, asked, QUICK if options.quick else Pace(), peak)
    text = f"{steps_report(rows)}\nmeasured peak: {2e-9 * peak:.0f} GFLOP/s in float32\n"
    print(text)
    if not options.only and not asked:
        content = {"peak multiply-adds a second": peak, "rows": [record(row) for row in rows]}
        write("steps", content, text)
        plot_steps(rows)
    return any(f.fault.startswith(DISAGREES) for row in rows for f in row.figures.values())


if __name__ == "__main__":
    sys.exit(main())
