"""What counts as a whole best/."""

from __future__ import annotations

import shutil
from pathlib import Path

from ldl.execute import prepare, train
from ldl.grid.best import find_best

TEXT = """\
data: {source: iris, scale: standard}
network: [{linear: 3}, tanh, linear]
train: {epochs: 2}
"""


def test_it_outlives_the_run_that_it_started_from(tmp_path: Path) -> None:
    """Nothing is trained again for want of weights that it has had."""
    file = tmp_path / "some.yaml"
    file.write_text(TEXT)
    donor = train(prepare(file), tmp_path / "runs")
    made = train(prepare(file, [f"start_from={donor.path}"]), tmp_path / "runs")
    (tmp_path / "grid").mkdir()
    made.path.rename(tmp_path / "grid" / "best")
    shutil.rmtree(donor.path)
    assert find_best(tmp_path / "grid") is not None
    (tmp_path / "grid" / "best" / "results.json").unlink()
    assert find_best(tmp_path / "grid") is None
