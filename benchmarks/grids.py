"""`python -m benchmarks.grids`: trials per minute of one grid search, ldl and other tools.

The same settings of an MLP on digits, the same epochs, two processes or threads for each tool, each
with as many BLAS threads as it chooses; whole commands from start to end. ldl also writes a run
folder per trial, plots, and the evaluation of the best trial.
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

from benchmarks.clean_process import run_in_clean_process
from benchmarks.machine_load import MachineLoad, load_warning

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
    """The timed commands, by name."""
    file = folder / "bench.yaml"
    hidden = [[units, units // 2] for units in HIDDEN]
    file.write_text(CONFIG.format(epochs=epochs, rates=RATES, sizes=SIZES, hidden=hidden))
    arguments = [str(epochs), str(RATES), str(SIZES), str(HIDDEN)]
    scripts = {name: str(SCRIPTS / f"grid_{name}.py") for name in ("sklearn", "torch")}
    ldl_command = [str(ROOT / "cli.py"), "grid", str(file), "--jobs", "2", "--quiet", "--runs"]
    return {
        "ldl grid": [*ldl_command, str(folder / "runs")],
        "scikit-learn, GridSearchCV": [scripts["sklearn"], *arguments],
        "PyTorch, two loops": [scripts["torch"], *arguments, "loop"],
        "PyTorch, Optuna": [scripts["torch"], *arguments, "optuna"],
    }


def seconds(command: list[str]) -> float:
    """Seconds of a command from start to end. Raises RuntimeError when it fails."""
    start = time.perf_counter()
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_THREADS")
    }
    completed = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    if completed.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {completed.stderr[-2000:]}")
    return time.perf_counter() - start


def main() -> None:
    """Time all commands, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=30)
    epochs = parser.parse_args().epochs
    trials = len(list(itertools.product(RATES, SIZES, HIDDEN)))
    load, rates = MachineLoad(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands(epochs, Path(folder)).items():
            rates[name] = trials / seconds(command) * 60
    best = max(rate for name, rate in rates.items() if name != "ldl grid")
    print(f"{trials} trials of {epochs} epochs; trials per minute, and the ratio of ldl's")
    for name, rate in rates.items():
        print(f"{name:<28} {rate:8.0f}  {rates['ldl grid'] / rate:6.2f}")
    print(f"against the best of the others {rates['ldl grid'] / best:.2f}, target {TARGET:g}")
    if message := load_warning(load.foreign_cores()):
        print(message)
    OUT.mkdir(exist_ok=True)
    (OUT / "grids.json").write_text(json.dumps({"epochs": epochs, "trials_a_minute": rates}))


if __name__ == "__main__":
    run_in_clean_process("benchmarks.grids", sys.argv[1:])
    main()
