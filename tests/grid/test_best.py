"""When best/ counts as complete."""

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


def test_best_outlives_its_pretrained_run(tmp_path: Path) -> None:
    """It is not trained again because the pretrained weights are gone."""
    file = tmp_path / "some.yaml"
    file.write_text(TEXT)
    pretrained = train(prepare(file), tmp_path / "runs")
    made = train(prepare(file, [f"start_from={pretrained.path}"]), tmp_path / "runs")
    (tmp_path / "grid").mkdir()
    made.path.rename(tmp_path / "grid" / "best")
    shutil.rmtree(pretrained.path)
    assert find_best(tmp_path / "grid") is not None
    (tmp_path / "grid" / "best" / "results.json").unlink()
    assert find_best(tmp_path / "grid") is None
