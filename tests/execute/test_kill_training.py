"""Runs that are killed with SIGKILL at random times and resumed give the same bytes."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ldl.runs.run_list import list_runs, run_folders

ROOT = Path(__file__).parents[2]
CONFIG = """\
name: killed
seed: 3
data:
  source: digits
  scale: minmax
  split: {train: 0.6, validation: 0.2, test: 0.2}
  noise: {gaussian: 0.3}
  fresh_noise: true
network:
  encoder: [{linear: 16}, tanh]
  decoder: mirror
loss: {bce: sum}
optimizer: OPTIMIZER
train:
  epochs: 40
  batch_size: 4
  checkpoint_seconds: 0
  early_stopping: {patience: 4}
evaluate: reconstruction
"""
OPTIMIZERS = {
    "adam": "{adam: 0.002}",
    "momentum": "{sgd: {learning_rate: 0.02, momentum: 0.9, nesterov: true}}",
}


def ldl(*arguments: str) -> subprocess.Popen[bytes]:
    """A process that runs `ldl …`."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, str(ROOT / "cli.py"), *arguments], **quiet)


def weights(root: Path) -> bytes:
    """The saved weights of the only run in `root`."""
    (run,) = run_folders(root)
    return (run / "model.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_killed_and_resumed_runs_give_the_same_bytes(name: str, tmp_path: Path) -> None:
    """At least ten runs per optimizer, each killed up to twice between start and end."""
    file = tmp_path / "killed.yaml"
    file.write_text(CONFIG.replace("OPTIMIZER", OPTIMIZERS[name]))
    whole = tmp_path / "whole"
    start = time.monotonic()
    assert ldl("train", str(file), "--runs", str(whole)).wait() == 0
    seconds = time.monotonic() - start
    rng = random.Random(name)
    kills = 0
    for attempt in range(30):
        if attempt >= 10 and kills >= 10:
            break
        root = tmp_path / f"runs{attempt}"
        process = ldl("train", str(file), "--runs", str(root))
        for _ in range(2):
            time.sleep(rng.uniform(0.15, 0.8) * seconds)
            alive = process.poll() is None
            kills += alive
            seconds *= 1.1 if alive else 0.7  # the speed of a shared machine varies
            process.kill()
            process.wait()
            assert all(run.status != "unreadable" for run in list_runs(root))
            command = "resume" if run_folders(root) else "train"
            target = "last" if command == "resume" else str(file)
            process = ldl(command, target, "--runs", str(root))
        assert process.wait() in (0, 2)  # 2: the run was completed, so there was nothing to resume
        assert weights(root) == weights(whole), f"attempt {attempt}"
    assert kills >= 10


@pytest.mark.slow
def test_two_runs_of_one_configuration_give_the_same_bytes(tmp_path: Path) -> None:
    """The same file and seed, the same model.safetensors."""
    file = tmp_path / "twice.yaml"
    file.write_text(CONFIG.replace("OPTIMIZER", OPTIMIZERS["adam"]).replace("40", "3"))
    saved = []
    for name in ("first", "second"):
        assert ldl("train", str(file), "--runs", str(tmp_path / name)).wait() == 0
        saved.append(weights(tmp_path / name))
    assert saved[0] == saved[1]
