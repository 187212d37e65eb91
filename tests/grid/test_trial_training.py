"""A trial's folder after a power cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ldl.grid.trial_training import TrialFolder, _remove_inconsistent_files


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
