"""`python -m benchmarks.phases OUT ARGUMENTS…`: run `ldl ARGUMENTS…` and write seconds by phase.

The time of a phase excludes nested phases, so the times add up to the total. Imports count for the
imported package, not for the phase that imports it first.
"""

from __future__ import annotations

import builtins
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

STARTED = "BENCHMARK_STARTED"  # the environment variable with the parent's time.time()
ROOT = Path(__file__).parent.parent
COMMAND = ("train", "configs/denoise.yaml", "train.epochs=1", "--quiet")
TARGET = 3.0  # seconds of COMMAND, from the start to the finished folder, on two cores
REPEATS = 5


class PhaseTimer:
    """Seconds by phase; time counts for the innermost open phase."""

    def __init__(self, first: str) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open = [first]
        self._since = time.perf_counter()

    def add_elapsed(self) -> None:
        """Add the time since the last call to the innermost open phase."""
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def wrap(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with its time counted for `phase`."""

        def timed(*arguments: Any, **settings: Any) -> Any:
            self.add_elapsed()
            self._open.append(phase)
            try:
                return function(*arguments, **settings)
            finally:
                self.add_elapsed()
                self._open.pop()

        return timed

    def watch_imports(self) -> None:
        """Time every first import, by the top-level package that it is part of."""
        original_import = builtins.__import__

        def timed(name: str, *rest: Any, **named: Any) -> Any:
            if name in sys.modules:  # never true for relative names, which costs a wrapper only
                return original_import(name, *rest, **named)
            scope = rest[0] if rest else named.get("globals")
            relative = (rest[3] if len(rest) > 3 else named.get("level", 0)) > 0
            top = str((scope or {}).get("__package__") if relative else name).partition(".")[0]
            package = top if top in PACKAGES else "other packages"
            return self.wrap(f"import {package}", original_import)(name, *rest, **named)

        builtins.__import__ = timed


PACKAGES = {
    "ldl", "numpy", "scipy", "sklearn", "matplotlib", "mpl_toolkits", "PIL", "yaml", "typer",
    "rich", "safetensors", "threadpoolctl", "joblib", "pandas",
}  # fmt: skip


def watch_functions(clock: PhaseTimer) -> None:
    """Time the steps of `ldl train` as phases."""
    import ldl.execute
    import ldl.plots
    import ldl.report.run_page
    from ldl.execute import preparation, run_training
    from ldl.plots import style
    from ldl.runs import RunFolder
    from ldl.train import Trainer

    for phase, owner, name in (
        ("check the configuration", ldl.execute, "prepare"),
        ("load the data", preparation, "load_data"),
        ("record the environment", run_training, "collect_environment"),
        ("make the run folder", RunFolder, "create"),
        ("plan the network", run_training, "Trainer"),
        ("train", Trainer, "fit"),
        ("evaluate", run_training, "run_evaluations"),
        ("draw the plots", ldl.plots, "draw"),
        ("write the PNGs", style, "save_png"),
        ("write the page", ldl.report.run_page, "write_run_page"),
        ("wait for the disk (fsync)", os, "fsync"),
    ):
        setattr(owner, name, clock.wrap(phase, getattr(owner, name)))


def breakdown() -> tuple[dict[str, float], str]:
    """Median seconds of a short command by phase, the longest first, and a table of them.

    The total is measured in runs without timers.
    """
    with tempfile.TemporaryDirectory() as folder:
        runs, out = str(Path(folder) / "runs"), Path(folder) / "phases.json"
        arguments = [*COMMAND, "--runs", runs]
        command = [sys.executable, "cli.py", *arguments]
        timed = [sys.executable, "-m", "benchmarks.phases", str(out), *arguments]
        _run(command)
        totals, samples = [], defaultdict(list)
        for _ in range(REPEATS):
            totals.append(_run(command))
            _run(timed)
            for phase, seconds in json.loads(out.read_text()).items():
                samples[phase].append(seconds)
    total = statistics.median(totals)
    medians = {phase: statistics.median(seconds) for phase, seconds in samples.items()}
    medians = dict(sorted(medians.items(), key=lambda item: -item[1]))
    verdict = "within" if total < TARGET else "OVER"
    lines = [f"ldl {' '.join(COMMAND[:3])}: {total:.2f} s, {verdict} the target of {TARGET:.0f} s"]
    for phase, seconds in medians.items():
        share = 100 * seconds / sum(medians.values())
        lines.append(f"  {phase:28}{seconds * 1e3:7.0f} ms{share:6.0f} %")
    return {"whole": total, **medians}, "\n".join(lines) + "\n"


def _run(command: list[str]) -> float:
    """Seconds of a command. Raises RuntimeError when it fails."""
    environment = {**os.environ, STARTED: repr(time.time())}
    start = time.perf_counter()
    completed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if completed.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {completed.stderr[-2000:]}")
    return time.perf_counter() - start


def main() -> None:
    """Time the command and write {phase: seconds}."""
    out, sys.argv[1:] = Path(sys.argv[1]), sys.argv[2:]
    clock = PhaseTimer("the command line")
    clock.seconds["start Python"] = time.time() - float(os.environ[STARTED])
    clock.watch_imports()
    watch_functions(clock)
    from ldl.cli import main as command

    try:
        command()
    finally:
        clock.add_elapsed()
        out.write_text(json.dumps(clock.seconds))


if __name__ == "__main__":
    main()
