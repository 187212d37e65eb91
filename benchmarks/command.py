"""`python -m benchmarks.command`: seconds that `ldl train` takes for one epoch, and on what.

From the start of the process to the finished folder, pictures included: `configs/denoise.yaml`
with `train.epochs=1`, on the digits that scikit-learn embeds. The breakdown comes from runs of
their own, so that its timers do not count in the total.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clean import run_clean
from benchmarks.others import Others, warning
from benchmarks.phases import STARTED

ROOT = Path(__file__).parent.parent
ARGUMENTS = ("train", "configs/denoise.yaml", "train.epochs=1", "--quiet")
TARGET = 3.0  # seconds, on two cores


def run(command: list[str], runs: Path) -> float:
    """Seconds of the command from start to end. Raises RuntimeError if its run is not complete."""
    before = set(runs.iterdir())
    start = time.perf_counter()
    environment = {**os.environ, STARTED: repr(time.time())}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    folders = [path for path in runs.iterdir() if path not in before and path.is_dir()]
    if done.returncode or len(folders) != 1:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr}")
    status = json.loads((folders[0] / "status.json").read_text(encoding="utf-8"))
    if status["status"] != "completed":
        raise RuntimeError(f"the run ended as {status['status']}")
    return seconds


def whole(repeats: int, runs: Path) -> list[float]:
    """Seconds of each of `repeats` commands, after one that fills the file caches."""
    command = [sys.executable, "cli.py", *ARGUMENTS, "--runs", str(runs)]
    run(command, runs)
    return [run(command, runs) for _ in range(repeats)]


def phases(repeats: int, runs: Path, scratch: Path) -> dict[str, float]:
    """Median seconds by phase, the longest first, over `repeats` commands with timers."""
    out = scratch / "phases.json"
    command = [sys.executable, "-m", "benchmarks.phases", str(out)]
    found: dict[str, list[float]] = {}
    for _ in range(repeats):
        run([*command, *ARGUMENTS, "--runs", str(runs)], runs)
        for phase, seconds in json.loads(out.read_text()).items():
            found.setdefault(phase, []).append(seconds)
    medians = {phase: statistics.median(seconds) for phase, seconds in found.items()}
    return dict(sorted(medians.items(), key=lambda item: -item[1]))


def main() -> None:
    """Measure, print, and write a JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="3 commands instead of 9")
    options = parser.parse_args()
    run_clean("benchmarks.command", sys.argv[1:])
    repeats = 3 if options.quick else 9
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        runs.mkdir()
        others = Others()
        times = whole(repeats, runs)
        share = others.share()
        parts = phases(repeats, runs, Path(folder))
    middle = statistics.median(times)
    print(f"ldl {' '.join(ARGUMENTS[:3])}, from process start to finished folder")
    print(f"{middle:.2f} s, median of {repeats} ({min(times):.2f} to {max(times):.2f} s); ", end="")
    print(f"{'within' if middle < TARGET else 'OVER'} the target of {TARGET:.0f} s")
    print(warning(share), end="")
    for phase, seconds in parts.items():
        print(f"  {phase:28}{seconds * 1e3:7.0f} ms{100 * seconds / sum(parts.values()):6.0f} %")
    from benchmarks.results import write

    row = {"seconds": times, "median": middle, "target": TARGET, "phases": parts}
    write("command", [{**row, "cores used by others": share}])


if __name__ == "__main__":
    main()
