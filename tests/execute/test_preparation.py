"""Configurations of runs made before splits had a seed of their own, and content keys."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import yaml

from ldl.errors import Interrupted
from ldl.execute import Callbacks, evaluate, predict, prepare, resume, train
from ldl.execute.verification import verify
from ldl.runs import RunFolder
from ldl.train import TrainProgress

TEXT = """\
seed: 3
data: {source: digits, scale: minmax, noise: {gaussian: 0.2}, split: {train: 40, test: 20}}
network: {encoder: [{linear: 4}, sigmoid], decoder: mirror}
train: {epochs: 3, checkpoint_seconds: 0}
evaluate: [reconstruction, {folds: 2}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An autoencoder on a few digits with noise, seed 3."""
    path = tmp_path / "old.yaml"
    path.write_text(TEXT)
    return path


def test_a_run_without_split_seed_was_split_by_its_own(file: Path, tmp_path: Path) -> None:
    """Its folder lacks the key: rows, evaluations, replay and resumed weights stay the same."""

    def interrupt(progress: TrainProgress) -> None:
        if progress.row is not None and progress.epoch == 2:
            raise Interrupted(signal.SIGTERM)

    prepared = prepare(file, ["data.split.seed=3"])
    whole = train(prepared, tmp_path / "whole")
    with pytest.raises(Interrupted) as error:
        train(prepared, tmp_path / "part", Callbacks(training=interrupt))
    part = RunFolder(Path(str(error.value.folder)))
    for run in (whole, part):
        config = yaml.safe_load(run.config.read_text())
        assert config["data"]["split"].pop("seed") == 3
        run.config.write_text(yaml.safe_dump(config, sort_keys=False))
    # As the revisions before drew and named them.
    assert whole.name.endswith("-old-48193f")
    rows = np.load(whole.path / "split.npz")["test"]
    assert rows[:6].tolist() == [1558, 1460, 56, 1034, 500, 404]
    assert prepare(whole.config).yaml == prepared.yaml
    assert resume(part).model.read_bytes() == whole.model.read_bytes()
    assert part.results.read_bytes() == whole.results.read_bytes()
    results = whole.results.read_bytes()
    evaluate(whole)
    assert whole.results.read_bytes() == results
    assert verify(whole, Callbacks()).identical
    again = train(prepare(whole.config), tmp_path / "again")
    assert again.model.read_bytes() == whole.model.read_bytes()
    assert again.results.read_bytes() == results
    np.savez(tmp_path / "new.npz", x=np.zeros((2, 64), np.float32))
    assert predict(whole, tmp_path / "new.npz")[1].shape == (2, 64)


def test_keys_leave_out_a_split_seed_that_is_the_seed(file: Path) -> None:
    """So the runs that were split by their own seed keep their keys; others differ."""
    text = prepare(file, ["data.split.seed=3"]).key_text
    assert "pooled: false}" in text and "split seed" not in text
    keys = {prepare(file, [f"data.split.seed={seed}"]).key_text for seed in (0, 1, 3)}
    assert len(keys) == 3
    assert prepare(file, ["seed=0"]).key_text == text.replace("seed: 3", "seed: 0")
