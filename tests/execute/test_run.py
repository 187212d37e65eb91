"""Whole runs through the library: prepare, train, evaluate, predict, resume."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml

from ldl.data import SOURCES
from ldl.errors import ConfigError, DataError, RunError, RunFolderError, system_errno
from ldl.execute import Callbacks, evaluate, predict, prepare, read_evaluations, resume, train
from ldl.report.run_page import with_run_page
from ldl.runs import RunFolder, read_metrics
from ldl.runs.run_list import list_runs

TEXT = """\
seed: 4
data: {source: {csv: {path: table.csv, target: kind}}, scale: standard}
network: [{linear: 6}, tanh, linear]
train: {epochs: 4, batch_size: 8}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration and its CSV file: two classes separated by a line, labels as words."""
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(90, 3)).round(4)
    lines = [f"{a},{b},{c},{'oak' if a + b > 6 else 'elm'}" for a, b, c in x]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,c,kind", *lines]) + "\n")
    path = tmp_path / "trees.yaml"
    path.write_text(TEXT)
    return path


def test_the_default_name_is_that_of_the_file(file: Path) -> None:
    """The default evaluation is that of the task."""
    config = prepare(file).experiment.config
    assert config.name == "trees"
    assert [type(e).__name__ for e in config.evaluate or []] == ["Classification"]


def test_prepare_loads_no_data_and_writes_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Problems are found before any data is loaded."""
    from ldl.execute import preparation as module

    monkeypatch.setattr(module, "load_data", lambda *_: pytest.fail("data was loaded"))
    prepare(file)
    with pytest.raises(ConfigError):
        prepare(file, ["network.1=add"])
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", "trees.yaml"}


def test_the_resolved_configuration_repeats_the_run(file: Path, tmp_path: Path) -> None:
    """`config.yaml` gives the same bytes in any folder, without the overrides."""
    run = train(prepare(file, ["train.epochs=2", "optimizer={sgd: 0.1}"]), tmp_path / "runs")
    assert yaml.safe_load(run.overrides.read_text()) == ["train.epochs=2", "optimizer={sgd: 0.1}"]
    again = train(prepare(run.config), tmp_path / "elsewhere" / "runs")
    assert again.model.read_bytes() == run.model.read_bytes()
    assert again.config.read_bytes() == run.config.read_bytes()
    assert again.name.split("-")[1:] == run.name.split("-")[1:]
    assert len(read_metrics(again.metrics)) == 2


@pytest.mark.parametrize("scale", ["standard", "zca"])
def test_predictions_are_those_of_the_evaluation(file: Path, tmp_path: Path, scale: str) -> None:
    """Predictions for the whole file give the accuracies of the three splits."""
    from ldl.data import load_data

    prepared = prepare(file, [f"data.scale={scale}"])
    run = train(prepared, tmp_path / "runs")
    experiment, outputs = predict(run, tmp_path / "table.csv")
    names = [line.rsplit(",", 1)[1] for line in (tmp_path / "table.csv").read_text().split()[1:]]
    class_names = experiment.info.target.names
    correct = experiment.predicted_classes(outputs) == [class_names.index(n) for n in names]
    data = load_data(prepared.experiment.config.data, 4)
    parts = [part for part in (data.train, data.validation, data.test) if part]
    correct_count = 0.0
    for part, name in zip(parts, ("train", "validation", "test"), strict=True):
        evaluations, _ = read_evaluations([f"classification: {{part: {name}}}"])
        (result,) = evaluate(run, evaluations).values()
        assert result["samples"] == len(part)
        correct_count += result["accuracy"] * len(part)
    assert correct_count == pytest.approx(correct.sum())


def test_stages_are_reported(file: Path, tmp_path: Path) -> None:
    """Each evaluation, by name, and the plots."""
    stages: list[str] = []
    train(prepare(file), tmp_path / "runs", Callbacks(stage=stages.append))
    assert stages == ["classification", "plots"]


def test_concurrent_runs(file: Path, tmp_path: Path) -> None:
    """Runs that start in the same second have folders of their own; both are completed."""
    prepared = [prepare(file), prepare(file)]
    errors: list[BaseException] = []

    def work(index: int) -> None:
        try:
            train(prepared[index], tmp_path / "runs")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    summaries = list_runs(tmp_path / "runs")
    assert [run.status for run in summaries] == ["completed", "completed"]
    one, two = (run.path / "model.safetensors" for run in summaries)
    assert one.read_bytes() == two.read_bytes()


def test_a_failure_is_recorded(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in an evaluation: status failed, the traceback in the log; resume completes it."""
    from ldl.evaluate.classification import Classification

    def fail(*_: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(Classification, "run", fail)
        with pytest.raises(RunError, match="no space"):
            train(prepare(file), tmp_path / "runs")
    (summary,) = list_runs(tmp_path / "runs")
    assert summary.status == "failed" and "no space" in summary.reason
    run = RunFolder.open(summary.path)
    assert "Traceback" in run.log.read_text()
    whole = train(prepare(file), tmp_path / "whole")
    resume(run)
    assert run.read_status().status == "completed"
    assert run.model.read_bytes() == whole.model.read_bytes()
    assert run.results.read_bytes() == whole.results.read_bytes()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_for_good_leaves_a_run_to_resume(
    number: int, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the folder; the status is written where that needs no space."""

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        fails = Callbacks(training=lambda _: patched.setattr(os, "fsync", fail))
        with pytest.raises(RunError) as raised:
            train(prepare(file), tmp_path / "runs", fails)
    (path,) = (tmp_path / "runs").glob("2*")
    assert raised.value.folder == str(path) and system_errno(raised.value) == number
    assert RunFolder.open(path).read_status().status == "failed"
    whole = train(prepare(file), tmp_path / "whole")
    assert resume(RunFolder.open(path)).model.read_bytes() == whole.model.read_bytes()


def test_a_locked_run_is_not_evaluated(file: Path, tmp_path: Path) -> None:
    """The error says that another process uses the run."""
    run = train(prepare(file), tmp_path / "runs")
    with run.lock(), pytest.raises(RunFolderError, match="in use"):
        evaluate(run)


def test_changed_data_is_not_evaluated(file: Path, tmp_path: Path) -> None:
    """The splits would hold other samples."""
    run = train(prepare(file), tmp_path / "runs")
    before = run.results.read_bytes()
    table = tmp_path / "table.csv"
    table.write_text(table.read_text() + "1,1,1,elm\n")
    with pytest.raises(RunFolderError, match="data has changed"):
        evaluate(run)
    assert run.results.read_bytes() == before


def test_weights_of_another_network_are_refused(file: Path, tmp_path: Path) -> None:
    """A model file that does not fit its configuration."""
    run = train(prepare(file), tmp_path / "runs")
    other = train(prepare(file, ["network.0.linear=5"]), tmp_path / "runs")
    for name in ("model.safetensors", "model.safetensors.sha256"):
        (run.path / name).write_bytes((other.path / name).read_bytes())
    with pytest.raises(RunFolderError, match="does not fit"):
        predict(run, tmp_path / "table.csv")


def test_new_samples_have_the_delimiter_of_the_training_file(file: Path, tmp_path: Path) -> None:
    """Another delimiter is refused."""
    table = (tmp_path / "table.csv").read_text()
    (tmp_path / "new.csv").write_text(table)
    (tmp_path / "table.csv").write_text(table.replace(",", ";"))
    run = train(prepare(file, ['data.source.csv.delimiter=";"']), tmp_path / "runs")
    assert len(predict(run, tmp_path / "table.csv")[1]) == 90
    with pytest.raises(DataError, match='replace it by ";"'):
        predict(run, tmp_path / "new.csv")


def test_logits_of_an_autoencoder_become_values_in_source_units(file: Path, tmp_path: Path) -> None:
    """The sigmoid of bce_with_logits, then the inverse scaling: within the range of the data."""
    text = "data: {source: iris, scale: minmax}\nloss: bce_with_logits\ntrain: {epochs: 2}\n"
    file.write_text(text + "network: {encoder: [{linear: 2}], decoder: [linear]}\n")
    run = train(prepare(file), tmp_path / "runs")
    x = SOURCES["iris"]().read(0).inputs["x"]
    np.savez(tmp_path / "x.npz", x=x)
    _, outputs = predict(run, tmp_path / "x.npz")
    assert (outputs > x.min(axis=0)).all() and (outputs < x.max(axis=0)).all()
    scaled = (x - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    predictions = (outputs - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0))
    test_indices = np.load(run.path / "split.npz")["test"]
    mse = ((predictions - scaled)[test_indices] ** 2).mean()
    assert json.loads(run.results.read_text())["reconstruction"]["mse"] == pytest.approx(mse, 0.05)


def test_saturated_outputs_are_classified_as_in_training(file: Path, tmp_path: Path) -> None:
    """Probabilities that float32 rounds to 1 are not ties."""
    text = (
        "data: {source: digits}\nnetwork: [linear]\nloss: bce_with_logits\noptimizer: {sgd: 0.1}\n"
    )
    file.write_text(text + "train: {epochs: 1}\nevaluate: [{classification: {part: validation}}]\n")
    run = train(prepare(file), tmp_path / "runs")
    (row,) = read_metrics(run.metrics)
    result = json.loads(run.results.read_text())["classification-validation"]
    assert result["accuracy"] == pytest.approx(row["validation_accuracy"])


def test_results_are_strict_json(file: Path, tmp_path: Path) -> None:
    """Even when a class is never predicted."""
    run = train(prepare(file, ["train.epochs=1", "optimizer={sgd: 1e-30}"]), tmp_path / "runs")

    def refuse(name: str) -> float:
        raise AssertionError(name)

    for path in run.path.glob("*.json"):
        json.loads(path.read_text(), parse_constant=refuse)


@pytest.mark.parametrize("shape", ["flat", "image"])
def test_the_training_file_can_be_predicted(tmp_path: Path, shape: str) -> None:
    """Several inputs, one of them images, whichever shape the network reads."""
    rng = np.random.default_rng(0)
    arrays = {"a": rng.random((60, 4)), "b": rng.random((60, 6, 5, 2)), "y": np.arange(60) % 2}
    np.savez(tmp_path / "two.npz", **arrays)  # type: ignore[arg-type]
    path = tmp_path / "two.yaml"
    path.write_text(
        f"data: {{source: {{npz: {{path: two.npz, inputs: [a, b]}}}}, shape: {shape}}}\n"
        "network: [{linear: 3, from: a, as: h}, {flatten: {}, from: b}, {linear: 3, as: g}, "
        "{add: {}, from: [h, g]}, linear]\ntrain: {epochs: 1}\n"
    )
    run = train(prepare(path), tmp_path / "runs")
    assert len(predict(run, tmp_path / "two.npz")[1]) == 60


def test_a_path_that_is_not_utf_8(tmp_path: Path) -> None:
    """The page shows the bytes as escapes."""
    folder = tmp_path / os.fsdecode(b"\xe9t\xe9")
    folder.mkdir()
    (folder / "flowers.yaml").write_text(IRIS)
    run = with_run_page(lambda: train(prepare(folder / "flowers.yaml"), folder / "runs"))
    assert run.report.exists() and "<h1" in run.report.read_text()


def test_a_missing_data_file_has_the_location_of_its_path(file: Path) -> None:
    """The command line, if the path is an override."""
    with pytest.raises(ConfigError) as raised:
        prepare(file, ["data.source.csv.path=gone.csv"])
    (problem,) = raised.value.problems
    assert problem.file == "command line" and "no such file" in problem.message


IRIS = "data: {source: iris}\nnetwork: [linear]\ntrain: {epochs: 1}\n"
