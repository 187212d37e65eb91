"""kill -9 at any moment: the folder is readable, its checkpoint verifies, its rows complete."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ldl.runs.metrics_file import read_metrics
from ldl.runs.run_folder import CheckpointKind, RunFolder
from ldl.runs.run_list import find_run, list_runs

WRITER = Path(__file__).with_name("killed_writer.py")
SIZE = 20_000
EPOCHS = 4


class Writers:
    """Starts the writers of `killed_writer.py`, one after another."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self.server = server

    def start(self, root: Path, epochs: int = 0, event: int = 0) -> int:
        """Start a writer and return its pid."""
        assert self.server.stdin is not None
        self.server.stdin.write(f"{root} {epochs} {event}\n")
        self.server.stdin.flush()
        return self.read()

    def read(self) -> int:
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())

    def run(self, root: Path, event: int = 0) -> int:
        """Run a writer to its end; return 0 or the signal that ended it."""
        self.start(root, EPOCHS, event)
        return self.read()


@pytest.fixture
def writers() -> Iterator[Writers]:
    command = [sys.executable, str(WRITER)]
    environment = {**os.environ, "PYTHONPATH": str(WRITER.parents[2])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as server:
        yield Writers(server)


@pytest.mark.parametrize("least", [5, pytest.param(30, marks=pytest.mark.slow)])
def test_kill_at_random_moments(least: int, tmp_path: Path, writers: Writers) -> None:
    delays, reached = random.Random(2), 0
    for kills in itertools.count(1):
        pid = writers.start(tmp_path)
        time.sleep(delays.uniform(0.0, 0.03 + kills / 200))  # a busy machine gets more time
        os.kill(pid, signal.SIGKILL)
        assert writers.read() == signal.SIGKILL, "the writer failed"
        reached = check(tmp_path, reached)
        if kills >= least and reached > least:
            break


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_kill_before_system_calls_and_resume_to_the_same_bytes(
    step: int, tmp_path: Path, writers: Writers
) -> None:
    assert writers.run(tmp_path / "whole") == 0
    expected = contents(find_run(tmp_path / "whole", "last"))
    for event in range(1, 1000, step):
        root = tmp_path / str(event)
        root.mkdir()
        if writers.run(root, event) == 0:
            break
        check(root)
        assert writers.run(root, event + 7) in (0, signal.SIGKILL)
        check(root)
        assert writers.run(root) == 0
        assert contents(find_run(root, "last")) == expected
        shutil.rmtree(root)
    assert 80 < event < 999


def contents(run: RunFolder) -> dict[str, bytes]:
    """The bytes of every file but the status, which holds times and a pid."""
    files = [path for path in run.path.rglob("*") if path.is_file() and path != run.status]
    assert run.read_status().status == "completed"
    return {
        str(path.relative_to(run.path)): path.read_bytes()
        for path in files
        if path.suffix != ".sha256"
    }


def check(root: Path, reached: int = 0) -> int:
    """Read every run; return the epoch of the checkpoint, which never decreases."""
    for summary in list_runs(root):
        assert summary.status != "unreadable", summary.reason
        run = RunFolder.open(summary.path)
        epochs = {kind: checkpoint_epoch(run, kind) for kind in ("last", "best")}
        rows = read_metrics(run.metrics) if run.metrics.exists() else []
        assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
        assert epochs["last"] <= len(rows) <= epochs["last"] + 1
        assert epochs["best"] in (epochs["last"] - epochs["last"] % 2, epochs["last"] + 1)
        if run.status.exists():
            assert run.config.read_text() == "a: 1"
            assert summary.status == "completed" or summary.reason == "killed"
            assert epochs["last"] >= reached
            reached = epochs["last"]
    return reached


def checkpoint_epoch(run: RunFolder, kind: CheckpointKind) -> int:
    checkpoint = run.load_checkpoint(kind)
    if checkpoint is None:
        return 0
    arrays, state = checkpoint
    assert np.array_equal(arrays["w"], np.full(SIZE, state["epoch"], np.float32))
    assert np.array_equal(arrays["m"], np.full(3, state["epoch"]))
    return int(state["epoch"])
