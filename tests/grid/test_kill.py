"""Grids killed at random and resumed: no trial lost or run twice, and the same results."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest

from .killing import TRIALS, check_same, ended, family, grid, kill
from .running import entries, leases

pytestmark = pytest.mark.slow


def test_a_grid_killed_ten_times(whole: tuple[Path, Path, float], tmp_path: Path) -> None:
    """The process alone, or with all its descendants."""
    file, undisturbed, seconds = whole
    rng, folder = random.Random(1), tmp_path / "grid"
    before: dict[str, bytes] = {}
    kills = 0
    while kills < 10:
        process = grid(file, folder, "--jobs", "2")
        time.sleep(0.6 + rng.uniform(0.0, 0.04) * seconds)
        assert process.poll() is None, "there was nothing left to kill"
        kill(family(process.pid) if rng.random() < 0.5 else [process.pid])
        process.wait()
        kills += 1
        now = entries(folder)
        assert now.items() >= before.items()  # what has ended stays as it was
        before = now
    assert grid(file, folder, "--jobs", "2").wait() == 0
    check_same(folder, undisturbed)
    assert sum(ended(folder).values()) <= TRIALS + kills * 2


def test_killed_trials(whole: tuple[Path, Path, float], tmp_path: Path) -> None:
    """Each kill costs one trial an attempt, and nothing else."""
    file, undisturbed, seconds = whole
    rng, folder = random.Random(2), tmp_path / "grid"
    process = grid(file, folder, "--jobs", "2", "--retry", "100")
    kills = 0
    while process.poll() is None:
        time.sleep(rng.uniform(0.0, 0.02) * seconds)
        try:
            held = [json.loads((folder / "claims" / id).read_text()) for id in leases(folder)]
        except (OSError, ValueError):
            continue
        if held and kills < 20:
            kill([rng.choice(held)["pid"]])
            kills += 1
    assert process.wait() == 0 and kills >= 10
    check_same(folder, undisturbed)


def test_two_processes_share_a_grid(whole: tuple[Path, Path, float], tmp_path: Path) -> None:
    """Each trial is trained once."""
    file, undisturbed, _ = whole
    folder = tmp_path / "grid"
    both = [grid(file, folder, "--jobs", "1") for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    check_same(folder, undisturbed)
    assert set(ended(folder).values()) == {1}


def test_interrupted_and_called_again(whole: tuple[Path, Path, float], tmp_path: Path) -> None:
    """Ctrl-C twice: exit code 130, checkpoints, no leases."""
    file, undisturbed, seconds = whole
    folder = tmp_path / "grid"
    codes = []
    for part in (0.2, 0.3):
        process = grid(file, folder, "--jobs", "2")
        time.sleep(0.7 + part * seconds)
        process.send_signal(signal.SIGINT)
        codes.append(process.wait())
        assert leases(folder) == []
    assert codes == [130, 130]
    assert grid(file, folder, "--jobs", "2").wait() == 0
    check_same(folder, undisturbed)
    assert set(ended(folder).values()) == {1}
