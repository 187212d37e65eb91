"""`start_from`: pretrained weights, copied by name where the shapes match."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ldl.errors import ConfigError, UsageError
from ldl.execute import Callbacks, evaluate, prepare, read_evaluations, resume, train
from ldl.runs import RunFolder, load_tensors, read_json
from ldl.runs.run_list import run_folders

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
    assert [path.name for path in run_folders(tmp_path / "runs")] == [pretrained.name]


def test_a_damaged_donor_is_refused(pretrained: RunFolder, tmp_path: Path) -> None:
    """A flipped bit."""
    data = bytearray(pretrained.model.read_bytes())
    data[-1] ^= 1
    pretrained.model.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match=r"model\.safetensors"):
        prepare(tmp_path / "first.yaml", [f"start_from={pretrained.path}"])


OVERLAP = {"test": 23, "validation": 12}  # of 30 and 15; the rows of seed 0 against those of seed 1


def overlap_of(one: RunFolder, other: RunFolder) -> dict[str, int]:
    """Counted from the files of both runs."""
    seen, rows = (np.load(run.path / "split.npz") for run in (one, other))
    known = {*seen["train"], *seen["validation"]}
    test = sum(row in known for row in rows["test"])
    return {"test": test, "validation": sum(row in seen["train"] for row in rows["validation"])}


@pytest.mark.parametrize("known_by", ["its own split", "what it started from", "its start_from"])
def test_weights_that_know_the_test_split_are_refused(
    known_by: str, pretrained: RunFolder, tmp_path: Path
) -> None:
    """With the number of samples, at the key; also through a run between them, old or new."""
    file = tmp_path / "first.yaml"
    other = ["data.split.seed=1", "train.epochs=1"]
    (tmp_path / "second.yaml").write_text(f"{FIRST}start_from: {pretrained.path}\n")
    second = train(prepare(tmp_path / "second.yaml"), tmp_path / "runs")  # the same split: sound
    plain = train(prepare(file, other), tmp_path / "plain")
    assert overlap_of(second, plain) == OVERLAP
    if known_by != "its start_from":
        shutil.rmtree(pretrained.path)
    if known_by != "what it started from":
        (second.path / "start_samples.safetensors").unlink()
    if known_by != "its own split":
        (second.path / "split.npz").unlink()
    before = run_folders(tmp_path / "runs")
    file.write_text(f"{FIRST}start_from: {second.path}\n")
    with pytest.raises(ConfigError) as raised:
        train(prepare(file, other), tmp_path / "runs")
    (problem,) = raised.value.problems
    assert "23 of 30 test samples and 12 of 15 validation samples" in problem.message
    assert (problem.line, "allow_overlap: true" in problem.hint) == (5, True)
    assert run_folders(tmp_path / "runs") == before


def test_weights_that_know_the_inputs_without_their_targets_are_refused(tmp_path: Path) -> None:
    """An autoencoder that was trained on the samples which a classifier is evaluated on."""
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(tmp_path / "data.npz", x=x, label=np.arange(60) % 2)
    data = "data: {{source: {{npz: {{path: data.npz{}}}}}{}}}\nnetwork: [linear]\n"
    (tmp_path / "first.yaml").write_text(data.format("", ", target: inputs"))
    run = train(prepare(tmp_path / "first.yaml", ["train.epochs=1"]), tmp_path / "runs")
    (tmp_path / "second.yaml").write_text(
        f"{data.format(', target: label', '')}start_from: {run.path}\n"
    )
    with pytest.raises(ConfigError, match="of 12 test samples"):
        train(prepare(tmp_path / "second.yaml", ["data.split.seed=1"]), tmp_path / "runs")
    same_split = ["data.split.stratify=false", "train.epochs=1"]
    train(prepare(tmp_path / "second.yaml", same_split), tmp_path / "runs")


def test_an_allowed_overlap_stands_with_every_result(pretrained: RunFolder, tmp_path: Path) -> None:
    """In results.json, also of later evaluations, and of a run that starts from this one."""
    (tmp_path / "second.yaml").write_text(
        f"{FIRST}start_from: {{run: runs/{pretrained.name}, allow_overlap: true}}\n"
        "evaluate: [classification, {folds: 2}]\n"
    )
    prepared = prepare(tmp_path / "second.yaml", ["data.split.seed=1", "train.epochs=1"])
    (tmp_path / "third.yaml").write_text(f"{FIRST}start_from: runs/{pretrained.name}\n")
    third = prepare(tmp_path / "third.yaml", ["start_from.allow_overlap=true"])
    assert third.experiment.config.start_from == prepared.experiment.config.start_from
    run = train(prepared, tmp_path / "runs")
    results = read_json(run.results)
    assert results["classification"]["seen_samples"] == OVERLAP
    assert results["folds"]["seen_samples"] == {**OVERLAP, "folds": 120}
    note = "23 of 30 test samples and 12 of 15 validation samples were used to train"
    assert all(note in str(result["notes"]) for result in results.values())
    shutil.rmtree(pretrained.path)
    assert evaluate(run)["classification"]["seen_samples"] == OVERLAP
    assert prepare(run.config, load_pretrained=False).yaml == prepared.yaml


def test_folds_do_not_start_from_weights_that_know_them(
    pretrained: RunFolder, tmp_path: Path
) -> None:
    """Though the run's own test split is unknown to them; other data is no reason to refuse."""
    file = tmp_path / "first.yaml"
    start = f"start_from={pretrained.path}"
    with pytest.raises(ConfigError, match="folds hold 120 samples") as raised:
        train(prepare(file, [start, "evaluate=[classification, {folds: 2}]"]), tmp_path / "runs")
    assert len(raised.value.problems) == 1
    run = train(prepare(file, [start]), tmp_path / "runs")
    with pytest.raises(UsageError, match="folds hold 120 samples"):
        evaluate(run, read_evaluations(["{folds: 2}"])[0])
    notes: list[str] = []
    wine = ["data.source=wine", "data.split.seed=1", "evaluate=[{folds: 2}]", "train.epochs=1"]
    train(prepare(file, [start, *wine]), tmp_path / "runs", Callbacks(note=notes.append))
    assert [note.partition(":")[0] for note in notes] == ["start_from"]  # arrays, no warning


def test_splits_that_cannot_be_read_give_a_warning(pretrained: RunFolder, tmp_path: Path) -> None:
    """The run is trained and its results say so; one that starts from it warns as well."""
    (pretrained.path / "split.npz").write_bytes(b"PK")
    for _ in range(2):
        notes: list[str] = []
        prepared = prepare(tmp_path / "first.yaml", [f"start_from={pretrained.path}"])
        pretrained = train(prepared, tmp_path / "runs", Callbacks(note=notes.append))
        assert "may know the test samples" in str(read_json(pretrained.results))
        assert any("its weights may know the test samples" in note for note in notes)
