"""`python -m benchmarks.commands`: seconds of whole commands, `ldl train` and PyTorch scripts.

Both are timed from the start of the process, for the same training on the same files: until the
weights are saved, and until the process ends. By then ldl has also evaluated the test split, drawn
its plots and written its page; the script has printed one metric of the test split. The script
runs on one or two threads, whichever is faster.

The phases of a short `ldl train` are measured in separate runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.clean_process import THREADS, run_in_clean_process
from benchmarks.machine_load import MachineLoad, load_warning

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
TARGET = 3.0  # the script's time over ldl's, until the weights are saved


@dataclass(frozen=True)
class Case:
    """A configuration with overrides, the script of the same training, and the data they read."""

    name: str
    config: str
    overrides: tuple[str, ...]
    script: str
    data: str = ""  # a file that must exist


ALL_EPOCHS = "train.early_stopping=null"
MNIST = "train-images-idx3-ubyte.gz"
CASES = (
    Case("digits, MLP 64-64-32-10, 200 epochs", "classify_digits", (ALL_EPOCHS,), "digits_mlp"),
    Case("digits, denoising autoencoder, 500 epochs", "denoise", ("evaluate=reconstruction",),
         "denoise"),
    Case("MNIST, MLP 784-256-128-10, 5 epochs", "mnist_mlp", (ALL_EPOCHS, "train.epochs=5"),
         "mnist_mlp", MNIST),
    Case("5,000 of MNIST, LeNet-5, 5 epochs", "lenet5",
         ("data.split.train=5000", "data.split.validation=1000"), "lenet5", MNIST),
    Case("USPS, conv1d 32, 5 epochs", "conv1d_usps", ("train.epochs=5",), "conv1d_usps",
         "usps.npz"),
)  # fmt: skip


@dataclass(frozen=True)
class Times:
    """Seconds from the start of a process."""

    weights: float  # until the weights are saved
    whole: float  # until it ends


def timed(command: list[str], folder: Path, weights: str, environment: Mapping[str, str]) -> Times:
    """Time a command that saves `weights`, a glob pattern in `folder`. Raises RuntimeError."""
    wall_time, start = time.time(), time.perf_counter()
    completed = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    whole = time.perf_counter() - start
    saved = list(folder.glob(weights))
    if completed.returncode or not saved:
        raise RuntimeError(f"{' '.join(command)} failed: {completed.stderr[-2000:]}")
    return Times(saved[0].stat().st_mtime - wall_time, whole)


class CommandPair:
    """The two commands of a case."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.threads = THREADS

    def run_ldl(self) -> Times:
        """Time `ldl train` as on the command line."""
        with tempfile.TemporaryDirectory() as runs:
            command = [sys.executable, "cli.py", "train", f"configs/{self.case.config}.yaml"]
            command += [*self.case.overrides, "--runs", runs]
            return timed(command, Path(runs), "*/model.safetensors", {})

    def run_script(self) -> Times:
        """Time the PyTorch script."""
        with tempfile.TemporaryDirectory() as scratch:
            script = str(SCRIPTS / f"{self.case.script}.py")
            command = [sys.executable, script, str(self.folder), f"{scratch}/weights.pt"]
            threads = {"OMP_NUM_THREADS": str(self.threads)}
            return timed(command, Path(scratch), "weights.pt", threads)

    def warm_up(self) -> None:
        """Fill the file caches, and find the script's faster number of threads."""
        self.run_ldl()
        seconds = {}
        for self.threads in range(1, THREADS + 1):
            seconds[self.threads] = self.run_script().weights
        self.threads = min(seconds, key=seconds.__getitem__)


def median(times: list[Times]) -> Times:
    """The median of each time."""
    return Times(
        statistics.median(t.weights for t in times), statistics.median(t.whole for t in times)
    )


def measure(case: Case, folder: Path, repeats: int) -> dict[str, Any]:
    """One row: both commands alternately, after a warm-up."""
    pair = CommandPair(case, folder)
    pair.warm_up()
    load = MachineLoad()
    pairs = [(pair.run_ldl(), pair.run_script()) for _ in range(repeats)]
    foreign_cores = load.foreign_cores()
    ldl, script = (median(list(times)) for times in zip(*pairs, strict=True))
    return {
        "case": case.name,
        "command": ["ldl", "train", f"configs/{case.config}.yaml", *case.overrides],
        "script": f"benchmarks/scripts/{case.script}.py",
        "ldl": asdict(ldl),
        "PyTorch": asdict(script),
        "PyTorch threads": pair.threads,
        "ratio": script.weights / ldl.weights,
        "whole ratio": script.whole / ldl.whole,
        "cores used by others": foreign_cores,
    }


def data_folder(case: Case) -> Path | None:
    """The folder of the case's data; None if it is not on this machine."""
    from ldl.data.data_folders import data_folders

    folders = data_folders()
    return next((folder for folder in folders if (folder / case.data).exists()), None)


def report(rows: list[dict[str, Any]], skipped: list[Case]) -> str:
    """The table in Markdown; rows below the target first."""
    from benchmarks.tables import geometric_mean, markdown

    head = ["training", "ldl s", "PyTorch s", "ratio", "ldl whole s", "PyTorch whole s", "ratio"]
    body = [
        [
            row["case"],
            f"{row['ldl']['weights']:.2f}", f"{row['PyTorch']['weights']:.2f}",
            f"{row['ratio']:.2f}",
            f"{row['ldl']['whole']:.2f}", f"{row['PyTorch']['whole']:.2f}",
            f"{row['whole ratio']:.2f}",
        ]
        for row in sorted(rows, key=lambda row: min(row["ratio"], TARGET))
    ]  # fmt: skip
    below_target = sum(row["ratio"] < TARGET for row in rows)
    mean = geometric_mean([row["ratio"] for row in rows]) or 0.0
    lines = [
        "Seconds from the start of the process until the weights are saved, and until it ends.\n",
        markdown([head, *body]),
        f"\n{below_target} of {len(rows)} below the target of {TARGET:.0f}; "
        f"geometric mean {mean:.2f}",
        *(f"skipped: {case.name}: {case.data} is missing" for case in skipped),
        load_warning(max((row["cores used by others"] or 0.0 for row in rows), default=None)),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write a JSON file and a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one run per command, and no phases")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    run_in_clean_process("benchmarks.commands", sys.argv[1:])
    from benchmarks.output_files import write_results
    from benchmarks.phases import breakdown

    rows, skipped = [], []
    for case in CASES:
        if options.only not in case.name:
            continue
        folder = data_folder(case)
        if folder is None:
            skipped.append(case)
            continue
        print(f"{case.name} …", file=sys.stderr)
        rows.append(measure(case, folder, 1 if options.quick else 3))
    text = report(rows, skipped)
    print(text)
    if options.quick or options.only:
        return
    seconds, breakdown_text = breakdown()
    print(breakdown_text)
    write_results("commands", {"rows": rows, "phases": seconds}, f"{text}\n{breakdown_text}")


if __name__ == "__main__":
    main()
