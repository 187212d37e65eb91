"""`python -m benchmarks.grids`: trials a minute of one search, ours and what people use instead.

The same settings of an MLP on digits, the same epochs, two processes or threads for everyone, each
with as many threads for products as it chooses; whole commands from start to end. Ours also leaves
a run folder a trial, plots, and the winner judged.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clean import run_clean
from benchmarks.others import Others, warning

ROOT = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "scripts"
OUT = Path(__file__).parent / "out"
RATES = [round(0.0005 * 1.2**i, 6) for i in range(20)]
SIZES, HIDDEN = [32, 64, 128], [32, 64, 96, 128]
TARGET = 5.0
CONFIG = """\
name: bench
data: {{source: digits, scale: minmax, split: {{train: 0.7, validation: 0.1, test: 0.2}}}}
network: [{{mlp: {{units: [64, 32], activation: tanh}}}}, linear]
optimizer: {{adam: 0.001}}
train: {{epochs: {epochs}, batch_size: 32}}
grid:
  objective: validation.accuracy
  vary:
    optimizer.adam.learning_rate: {rates}
    train.batch_size: {sizes}
    network.0.mlp.units: {hidden}
"""


def commands(epochs: int, folder: Path) -> dict[str, list[str]]:
    """What is timed, by name."""
    file = folder / "bench.yaml"
    hidden = [[units, units // 2] for units in HIDDEN]
    file.write_text(CONFIG.format(epochs=epochs, rates=RATES, sizes=SIZES, hidden=hidden))
    words = [str(epochs), str(RATES), str(SIZES), str(HIDDEN)]
    scripts = {name: str(SCRIPTS / f"grid_{name}.py") for name in ("sklearn", "torch")}
    ours = [str(ROOT / "cli.py"), "grid", str(file), "--jobs", "2", "--quiet", "--runs"]
    return {
        "ldl grid": [*ours, str(folder / "runs")],
        "scikit-learn, GridSearchCV": [scripts["sklearn"], *words],
        "PyTorch, two loops": [scripts["torch"], *words, "loop"],
        "PyTorch, Optuna": [scripts["torch"], *words, "optuna"],
    }


def seconds(command: list[str]) -> float:
    """A command's time from start to end. Raises RuntimeError where it fails."""
    start = time.perf_counter()
    free = {name: value for name, value in os.environ.items() if not name.endswith("_THREADS")}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, env=free
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - start


def main() -> None:
    """Time each, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    epochs = parser.parse_args().epochs
    trials = len(list(itertools.product(RATES, SIZES, HIDDEN)))
    others, found = Others(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(epochs, Path(folder)).items():
            found[name] = trials / seconds(command) * 60
    best = max(rate for name, rate in found.items() if name != "ldl grid")
    print(f"{trials} trials of {epochs} epochs; trials a minute, and ldl's as a ratio")
    for name, rate in found.items():
        print(f"{name:<28} {rate:8.0f}  {found['ldl grid'] / rate:6.2f}")
    print(f"against the best of them {found['ldl grid'] / best:.2f}, target {TARGET:g}")
    if said := warning(others.share()):
        print(said)
    OUT.mkdir(exist_ok=True)
    (OUT / "grids.json").write_text(json.dumps({"epochs": epochs, "trials_a_minute": found}))


if __name__ == "__main__":
    run_clean("benchmarks.grids", sys.argv[1:])
    main()
