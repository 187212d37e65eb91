"""`python -m benchmarks.phases OUT ARGUMENTS…`: run `ldl ARGUMENTS…` and write where time went.

The time of a phase leaves out the phases within it, so that all add up to the whole. Imports
count to the package that is imported, not to the phase that needed it first.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

STARTED = "BENCHMARK_STARTED"  # the environment variable with the parent's time.time()


class Clock:
    """Seconds by phase; the innermost phase that is open gets the time."""

    def __init__(self, first: str) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open = [first]
        self._since = time.perf_counter()

    def turn(self) -> None:
        """Give the time since the last turn to the open phase."""
        now = time.perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def wrap(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, with its time given to `phase`."""

        def timed(*arguments: Any, **settings: Any) -> Any:
            self.turn()
            self._open.append(phase)
            try:
                return function(*arguments, **settings)
            finally:
                self.turn()
                self._open.pop()

        return timed

    def watch_imports(self) -> None:
        """Time every first import, by the top-level package that it is part of."""
        plain = builtins.__import__

        def timed(name: str, *rest: Any, **named: Any) -> Any:
            if name in sys.modules:  # relative names never are: they cost a wrapper, no more
                return plain(name, *rest, **named)
            scope = rest[0] if rest else named.get("globals")
            relative = (rest[3] if len(rest) > 3 else named.get("level", 0)) > 0
            top = str((scope or {}).get("__package__") if relative else name).partition(".")[0]
            package = top if top in PACKAGES else "the rest"
            return self.wrap(f"import {package}", plain)(name, *rest, **named)

        builtins.__import__ = timed


PACKAGES = {
    "ldl", "numpy", "scipy", "sklearn", "matplotlib", "mpl_toolkits", "PIL", "yaml", "typer",
    "rich", "safetensors", "threadpoolctl", "joblib", "pandas",
}  # fmt: skip


def watch_functions(clock: Clock) -> None:
    """Give the parts of `ldl train` their phases."""
    import ldl.execute
    import ldl.plots
    from ldl.execute import preparing, running
    from ldl.plots import style
    from ldl.runs import RunFolder
    from ldl.train import Trainer

    for phase, owner, name in (
        ("check the configuration", ldl.execute, "prepare"),
        ("load the data", preparing, "load_data"),
        ("record the environment", running, "environment"),
        ("make the run folder", RunFolder, "create"),
        ("plan the network", running, "Trainer"),
        ("train", Trainer, "fit"),
        ("judge", running, "judge"),
        ("make the pictures", ldl.plots, "draw"),
        ("write the PNGs", style, "save"),
        ("wait for the disk (fsync)", os, "fsync"),
    ):
        setattr(owner, name, clock.wrap(phase, getattr(owner, name)))


def main() -> None:
    """Time the command and write {phase: seconds}."""
    out, sys.argv[1:] = Path(sys.argv[1]), sys.argv[2:]
    clock = Clock("the command line")
    clock.seconds["start Python"] = time.time() - float(os.environ[STARTED])
    clock.watch_imports()
    watch_functions(clock)
    from ldl.cli import main as command

    try:
        command()
    finally:
        clock.turn()
        out.write_text(json.dumps(clock.seconds))


if __name__ == "__main__":
    main()
