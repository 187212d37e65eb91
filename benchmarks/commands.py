"""`python -m benchmarks.commands`: seconds of whole commands, `ldl train` and a PyTorch script.

Both from the start of the process, on the same training with the same files: until the weights
are saved, and until the process ends. By then ldl has also judged the test part, drawn its
pictures and written its page; the script has printed one figure of the test part. The script
runs on one or two threads, whichever is faster.

Then where a short `ldl train` spends its time, from runs of their own.
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

from benchmarks.clean import THREADS, run_clean
from benchmarks.others import Others, warning

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
TARGET = 3.0  # the script's time over ours, until the weights are saved


@dataclass(frozen=True)
class Case:
    """A configuration with its overrides, the script of the same training, the data they read."""

    name: str
    config: str
    overrides: tuple[str, ...]
    script: str
    data: str = ""  # a file that has to be there


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


def timed(command: list[str], folder: Path, weights: str, more: Mapping[str, str]) -> Times:
    """Run a command that saves `weights`, a pattern in `folder`. Raises RuntimeError."""
    clock, start = time.time(), time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True
    )
    whole = time.perf_counter() - start
    saved = list(folder.glob(weights))
    if done.returncode or not saved:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return Times(saved[0].stat().st_mtime - clock, whole)


class Pair:
    """The two commands of a case."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.folder = case, folder
        self.threads = THREADS

    def ours(self) -> Times:
        """`ldl train`, as a person calls it, its output to a file."""
        with tempfile.TemporaryDirectory() as runs:
            command = [sys.executable, "cli.py", "train", f"configs/{self.case.config}.yaml"]
            command += [*self.case.overrides, "--runs", runs]
            return timed(command, Path(runs), "*/model.safetensors", {})

    def theirs(self) -> Times:
        """The script."""
        with tempfile.TemporaryDirectory() as scratch:
            script = str(SCRIPTS / f"{self.case.script}.py")
            command = [sys.executable, script, str(self.folder), f"{scratch}/weights.pt"]
            threads = {"OMP_NUM_THREADS": str(self.threads)}
            return timed(command, Path(scratch), "weights.pt", threads)

    def warm_up(self) -> None:
        """Fill the file caches, and find the script's better number of threads."""
        self.ours()
        seconds = {}
        for self.threads in range(1, THREADS + 1):
            seconds[self.threads] = self.theirs().weights
        self.threads = min(seconds, key=seconds.__getitem__)


def median(times: list[Times]) -> Times:
    """Of each."""
    return Times(
        statistics.median(t.weights for t in times), statistics.median(t.whole for t in times)
    )


def measure(case: Case, folder: Path, repeats: int) -> dict[str, Any]:
    """One row: both in turns."""
    pair = Pair(case, folder)
    pair.warm_up()
    others = Others()
    turns = [(pair.ours(), pair.theirs()) for _ in range(repeats)]
    share = others.share()
    ours, theirs = (median(list(side)) for side in zip(*turns, strict=True))
    return {
        "case": case.name,
        "command": ["ldl", "train", f"configs/{case.config}.yaml", *case.overrides],
        "script": f"benchmarks/scripts/{case.script}.py",
        "ldl": asdict(ours),
        "PyTorch": asdict(theirs),
        "PyTorch threads": pair.threads,
        "ratio": theirs.weights / ours.weights,
        "whole ratio": theirs.whole / ours.whole,
        "cores used by others": share,
    }


def data_folder(case: Case) -> Path | None:
    """Where the case's data lie; None where they are not on this machine."""
    from ldl.data.data_folders import data_folders

    folders = data_folders()
    return next((folder for folder in folders if (folder / case.data).exists()), None)


def report(rows: list[dict[str, Any]], absent: list[Case]) -> str:
    """The table in Markdown; rows that fall short of the target first."""
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
    short = sum(row["ratio"] < TARGET for row in rows)
    mean = geometric_mean([row["ratio"] for row in rows]) or 0.0
    lines = [
        "Seconds from the start of the process until the weights are saved, and until it ends.\n",
        markdown([head, *body]),
        f"\n{short} of {len(rows)} below the target of {TARGET:.0f}; geometric mean {mean:.2f}",
        *(f"left out: {case.name}: {case.data} is not here" for case in absent),
        warning(max((row["cores used by others"] or 0.0 for row in rows), default=None)),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write a JSON file and a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one command each, and no phases")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    options = parser.parse_args()
    run_clean("benchmarks.commands", sys.argv[1:])
    from benchmarks.out import write
    from benchmarks.phases import breakdown

    rows, absent = [], []
    for case in CASES:
        if options.only not in case.name:
            continue
        folder = data_folder(case)
        if folder is None:
            absent.append(case)
            continue
        print(f"{case.name} …", file=sys.stderr)
        rows.append(measure(case, folder, 1 if options.quick else 3))
    text = report(rows, absent)
    print(text)
    if options.quick or options.only:
        return
    found, told = breakdown()
    print(told)
    write("commands", {"rows": rows, "phases": found}, f"{text}\n{told}")


if __name__ == "__main__":
    main()
