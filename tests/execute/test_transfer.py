"""`start_from`: pretrained weights, copied by name where the shapes match."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError
from ldl.execute import Callbacks, evaluate, prepare, resume, train
from ldl.runs import RunFolder, load_tensors

FIRST = """\
name: first
data: {source: iris, scale: standard}
network: [{linear: 5}, tanh, {linear: 4}, tanh, linear]
train: {epochs: 2}
"""
CHANGES = ["train.freeze=[linear1]", "train.epochs=3", "network.2.linear=6"]


@pytest.fixture
def pretrained(tmp_path: Path) -> RunFolder:
    """A completed run."""
    (tmp_path / "first.yaml").write_text(FIRST)
    return train(prepare(tmp_path / "first.yaml"), tmp_path / "runs")


def weights(run: RunFolder) -> dict[str, np.ndarray]:
    """The saved weights, by name."""
    return load_tensors(run.model)[0]


def test_matching_arrays_are_copied_and_the_others_listed(
    pretrained: RunFolder, tmp_path: Path
) -> None:
    """A frozen layer keeps the pretrained bits; a layer of another shape is initialised."""
    notes: list[str] = []
    prepared = prepare(tmp_path / "first.yaml", [*CHANGES, f"start_from={pretrained.path}"])
    run = train(prepared, tmp_path / "runs", Callbacks(note=notes.append))
    for name in ("linear1.weight", "linear1.bias"):
        np.testing.assert_array_equal(weights(run)[name], weights(pretrained)[name])
    assert notes == [
        "start_from: 3 of 6 arrays copied; "
        "another shape: linear2.weight, linear2.bias, linear3.weight"
    ]


def test_frozen_weights_that_were_not_copied_give_a_note(
    pretrained: RunFolder, tmp_path: Path
) -> None:
    """They keep their random initial values, which is unlikely to be intended."""
    notes: list[str] = []
    changes = ["train.freeze=[linear2]", "network.2.linear=6", "train.epochs=1"]
    prepared = prepare(tmp_path / "first.yaml", [*changes, f"start_from={pretrained.path}"])
    train(prepared, tmp_path / "runs", Callbacks(note=notes.append))
    assert notes[1] == "freeze keeps weights that were not copied: linear2.bias, linear2.weight"


def test_a_run_does_not_need_its_pretrained_run_again(
    pretrained: RunFolder, tmp_path: Path
) -> None:
    """It has a copy: restarted without a checkpoint it gives the same bytes, and is evaluated."""
    prepared = prepare(tmp_path / "first.yaml", [*CHANGES, f"start_from={pretrained.path}"])
    run = train(prepared, tmp_path / "runs")
    before = run.model.read_bytes()
    shutil.rmtree(pretrained.path)
    shutil.rmtree(run.checkpoints)
    run.model.unlink()
    run.set_status("interrupted")
    resume(run)
    assert run.model.read_bytes() == before
    assert evaluate(run)


@pytest.mark.parametrize("folder_name", ["nowhere", "unfinished"])
def test_a_folder_without_weights_is_refused(
    folder_name: str, pretrained: RunFolder, tmp_path: Path
) -> None:
    """The problem has the location of the setting; no folder is created."""
    (tmp_path / "unfinished").mkdir()
    with pytest.raises(ConfigError) as raised:
        prepare(tmp_path / "first.yaml", [f"start_from={tmp_path / folder_name}"])
    (problem,) = raised.value.problems
    assert problem.column == 12 and folder_name in problem.message
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [pretrained.name]


def test_a_damaged_donor_is_refused(pretrained: RunFolder, tmp_path: Path) -> None:
    """A flipped bit."""
    data = bytearray(pretrained.model.read_bytes())
    data[-1] ^= 1
    pretrained.model.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        prepare(tmp_path / "first.yaml", [f"start_from={pretrained.path}"])
