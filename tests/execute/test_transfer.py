"""`start_from`: another run's weights, by name where the shapes fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError
from ldl.execute import Watchers, evaluate, prepare, resume, train
from ldl.runs import RunFolder, load_tensors

FIRST = """\
name: first
data: {source: iris, scale: standard}
network: [{linear: 5}, tanh, {linear: 4}, tanh, linear]
train: {epochs: 2}
"""
CHANGES = ["train.freeze=[linear1]", "train.epochs=3", "network.2.linear=6"]


@pytest.fixture
def donor(tmp_path: Path) -> RunFolder:
    """A finished run."""
    (tmp_path / "first.yaml").write_text(FIRST)
    return train(prepare(tmp_path / "first.yaml"), tmp_path / "runs")


def weights(run: RunFolder) -> dict[str, np.ndarray]:
    """The saved network."""
    return load_tensors(run.model)[0]


def test_what_fits_is_taken_and_the_rest_is_told(donor: RunFolder, tmp_path: Path) -> None:
    """A frozen layer keeps the donor's bits; a layer of another size starts by its initialiser."""
    notes: list[str] = []
    prepared = prepare(tmp_path / "first.yaml", [*CHANGES, f"start_from={donor.path}"])
    run = train(prepared, tmp_path / "runs", Watchers(note=notes.append))
    for name in ("linear1.weight", "linear1.bias"):
        np.testing.assert_array_equal(weights(run)[name], weights(donor)[name])
    assert notes == [
        "start_from: 3 of 6 taken; of another shape: linear2.weight, linear2.bias, linear3.weight"
    ]


def test_frozen_weights_that_were_not_taken_are_told(donor: RunFolder, tmp_path: Path) -> None:
    """They stay as they were drawn, which nobody means."""
    notes: list[str] = []
    changes = ["train.freeze=[linear2]", "network.2.linear=6", "train.epochs=1"]
    prepared = prepare(tmp_path / "first.yaml", [*changes, f"start_from={donor.path}"])
    train(prepared, tmp_path / "runs", Watchers(note=notes.append))
    assert notes[1] == "freeze keeps weights that were not taken: linear2.bias, linear2.weight"


def test_a_run_outlives_the_one_that_it_started_from(donor: RunFolder, tmp_path: Path) -> None:
    """It has its own copy: begun again from nothing it gives the same bytes, and can be judged."""
    prepared = prepare(tmp_path / "first.yaml", [*CHANGES, f"start_from={donor.path}"])
    run = train(prepared, tmp_path / "runs")
    before = run.model.read_bytes()
    shutil.rmtree(donor.path)
    shutil.rmtree(run.checkpoints)
    run.model.unlink()
    run.set_status("interrupted")
    resume(run)
    assert run.model.read_bytes() == before
    assert evaluate(run)


@pytest.mark.parametrize("place", ["nowhere", "unfinished"])
def test_no_weights_to_start_from(place: str, donor: RunFolder, tmp_path: Path) -> None:
    """Said at the setting, before anything is made."""
    (tmp_path / "unfinished").mkdir()
    with pytest.raises(ConfigError) as caught:
        prepare(tmp_path / "first.yaml", [f"start_from={tmp_path / place}"])
    (problem,) = caught.value.problems
    assert problem.column == 12 and place in problem.message
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [donor.name]


def test_a_damaged_donor_is_refused(donor: RunFolder, tmp_path: Path) -> None:
    """A flipped bit."""
    data = bytearray(donor.model.read_bytes())
    data[-1] ^= 1
    donor.model.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        prepare(tmp_path / "first.yaml", [f"start_from={donor.path}"])
