"""A trial's folder after a power cut, and the data sets that trials share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.grid.trial_training import TrialFolder, TrialInputs, _remove_inconsistent_files

from .running import TEXT, trial


@pytest.mark.parametrize(
    ("rows", "epoch", "status", "kept"),
    [
        (3, 2, "running", True),
        (2, 2, "running", True),  # the checkpoint is as far as the rows
        (1, 2, "running", False),  # rows that the checkpoint had are lost
        (0, 1, "running", False),
        (2, None, "running", True),  # no checkpoint yet
        (2, 2, "damaged", False),
        (2, 2, None, True),  # a status is written anew
        (2, None, None, True),  # not begun
    ],
)
def test_files_that_a_power_cut_left_without_each_other_are_removed(
    rows: int, epoch: int | None, status: str | None, kept: bool, tmp_path: Path
) -> None:
    run = TrialFolder(tmp_path)
    if status == "running":
        run.set_status("running")
    elif status is not None:
        run.status.write_text("{")
    run.metrics.write_text("epoch\n" + "".join(f"{i + 1}\n" for i in range(rows)))
    if epoch is not None:
        state = {"epoch": epoch, "reason": None, "stopped": False}
        run.save_checkpoint("last", {"w": np.ones(2)}, state)
    run.config.write_text("")
    before = sorted(path.name for path in tmp_path.iterdir())
    _remove_inconsistent_files(run)
    after = sorted(path.name for path in tmp_path.iterdir())
    assert after == (before if kept else ["config.yaml"])


@pytest.mark.parametrize(
    ("kind", "reason", "stopped", "written"),
    [
        ("last", "all epochs are done", False, False),
        ("last", "all epochs are done", True, True),
        ("last", None, False, True),
        ("best", "all epochs are done", False, True),
    ],
)
def test_a_training_that_has_ended_needs_no_checkpoint(
    kind: Any, reason: str | None, stopped: bool, written: bool, tmp_path: Path
) -> None:
    """Unless another trial continues it."""
    state = {"epoch": 3, "reason": reason, "stopped": stopped}
    for name, run in (("a", TrialFolder(tmp_path / "a")), ("b", TrialFolder(tmp_path / "b", True))):
        run.path.mkdir()
        run.save_checkpoint(kind, {"w": np.ones(2)}, state)
        assert (run.load_checkpoint(kind) is not None) == (written or name == "b")


def test_the_oldest_data_sets_leave_a_full_cache() -> None:
    inputs = TrialInputs()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert inputs._max_bytes <= memory / 4
    first, second = (trial(text=TEXT.replace("train: 200", f"train: {n}")) for n in (200, 210))
    cached = []
    for wanted in (first, second):
        inputs.prefetch(wanted)
        cached.append(inputs.data(inputs.prepared(wanted, False))[0])
    inputs.prefetch(first)
    assert inputs.data(inputs.prepared(first, False))[0] is cached[0]
    inputs._max_bytes = inputs._bytes() * 1.2
    inputs.prefetch(trial(text=TEXT.replace("train: 200", "train: 220")))
    for wanted, data in zip((first, second), cached, strict=True):
        kept = inputs.data(inputs.prepared(wanted, False))[0] is data
        assert kept == (wanted is first)  # it was used last
