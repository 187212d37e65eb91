"""A grid in a process of its own, and checks of a grid that was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from .running import entries, leases, weights

ROOT = Path(__file__).parents[2]
CONFIG = """\
name: killed
data:
  source: digits
  scale: minmax
  split: {train: 0.6, validation: 0.2, test: 0.2}
  noise: {gaussian: 0.3}
  fresh_noise: true
network: {encoder: [{linear: 16}, tanh], decoder: mirror}
loss: {bce: sum}
optimizer: {adam: 0.002}
train: {epochs: 120, batch_size: 8, checkpoint_seconds: 0}
grid:
  objective: validation.loss
  seeds: 2
  vary:
    optimizer: [{adam: 0.002}, {adam: 0.004}, {sgd: {learning_rate: 0.02, momentum: 0.9}}]
    train.batch_size: [8, 16]
"""
TRIALS = 12


def grid(file: Path, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    """`ldl grid` as a process of its own."""
    command = [sys.executable, str(ROOT / "cli.py"), "grid", str(file), "--folder", str(folder)]
    return subprocess.Popen(
        [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.name)] = int(stat[1])
    pids = [pid]
    for ancestor in pids:
        pids += [child for child, parent in parents.items() if parent == ancestor]
    return pids


def kill(pids: list[int]) -> None:
    """Send SIGKILL to the processes that still live."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def results(folder: Path) -> dict[str, tuple[str, float, int]]:
    """Status, objective and epochs of each trial."""
    outcomes = {id: json.loads(text) for id, text in entries(folder).items()}
    return {id: (e["status"], e["objective"], e["epochs"]) for id, e in outcomes.items()}


def ended(folder: Path) -> dict[str, int]:
    """How often the training of each trial ended, by its log."""
    logs = folder.glob("trials/*/run.log")
    return {log.parent.name: log.read_text().count("training ended") for log in logs}


def check_same(folder: Path, other: Path) -> None:
    """Both grids have the same trials, objectives and bits, and no lease is left."""
    assert results(folder) == results(other)
    assert weights(folder) == weights(other)
    assert leases(folder) == [] and leases(other) == []
