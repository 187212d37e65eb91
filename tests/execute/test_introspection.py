"""The inside of whole runs: evaluations of inner values, and networks trained again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.engine.model import Model
from ldl.errors import ConfigError, Diverged, RunError, UsageError
from ldl.evaluate import EVALUATIONS
from ldl.execute import evaluate, prepare, read_evaluations, train
from ldl.execute.evaluation import trained_model
from ldl.execute.introspection import decoder_from, network_info, value_reader
from ldl.execute.retraining import retrainer
from ldl.runs import RunFolder
from ldl.train import Trainer

AUTOENCODER = """\
seed: 3
data: {source: digits, scale: minmax, split: {train: 300, validation: 60, test: 80}}
network: {encoder: [{linear: 12}, tanh, {linear: 4}, tanh], decoder: mirror}
train: {epochs: 3}
"""
POINTS = """\
seed: 3
data: {source: {circles: {samples: 120}}, split: {train: 0.5, validation: 0.25, test: 0.25}}
network: [{linear: 8}, tanh, linear]
train: {epochs: 3, early_stopping: {patience: 2}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(text)
    return path


def inside(folder: Path, text: str) -> tuple[Any, Model]:
    experiment = prepare(write(folder, text)).experiment
    return experiment, Model(experiment.graph, 1)


# --- values, shapes, the way out ------------------------------------------------------------


def test_the_network_before_training(tmp_path: Path) -> None:
    known = network_info(inside(tmp_path, AUTOENCODER)[0])
    assert list(known.shapes) == [
        "x", "encoder.linear1", "encoder.tanh1", "encoder.linear2", "encoder.tanh2",
        "decoder.linear1", "decoder.tanh1", "decoder.linear2", "decoder.sigmoid1", "code",
    ]  # fmt: skip
    assert known.shapes["code"] == (4,) and known.shapes["x"] == (64,)
    assert known.first is not None
    assert (known.first.name, known.first.kind) == ("encoder.linear1", "linear")
    assert (known.first.input, known.first.activated) == ("x", "encoder.tanh1")
    assert known.first.weight == (64, 12)


@pytest.mark.parametrize(
    ("layers", "kind", "source", "activated"),
    [
        ("[flatten, {linear: 5}, relu, linear]", "linear", "x", "relu1"),
        ("[{conv2d: {out_channels: 2, kernel_size: 3}}, relu, flatten, linear]", "conv2d", "x",
         "relu1"),
        ("[{avgpool2d: 2}, flatten, {linear: 5}, linear]", "linear", None, "linear1"),
        ("[{reshape: [8, 8]}, {gru: 6}, linear]", "linear", None, "gru1"),
        ("[batch_norm, flatten, linear]", "other", "x", "batch_norm1"),
    ],
)  # fmt: skip
def test_the_first_layer_with_weights(
    layers: str, kind: str, source: str | None, activated: str, tmp_path: Path
) -> None:
    text = f"data: {{source: digits, shape: image}}\nnetwork: {layers}\n"
    first = network_info(inside(tmp_path, text)[0]).first
    assert first is not None
    assert (first.kind, first.input, first.activated) == (kind, source, activated)


def test_code_is_a_name_only_where_nothing_else_is_called_so(tmp_path: Path) -> None:
    text = "data: {source: digits}\nnetwork: [{linear: 3, as: code}, linear]\n"
    experiment, model = inside(tmp_path, text)
    x = np.random.default_rng(0).random((5, 64)).astype(np.float32)
    weights = model.parameters.arrays()
    found = value_reader(experiment, model)("code", {"x": x})
    expected = x @ weights["code.weight"] + weights["code.bias"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert "code" not in network_info(inside(tmp_path, POINTS)[0]).shapes


def test_values_are_those_on_the_way_and_the_decoder_goes_on(tmp_path: Path) -> None:
    experiment, model = inside(tmp_path, AUTOENCODER)
    x = {"x": np.random.default_rng(0).random((300, 64)).astype(np.float32)}
    read, way = value_reader(experiment, model), decoder_from(experiment, model)
    assert read("x", x) is x["x"]
    output = model.predict(x, experiment.output)
    for place in ("code", "encoder.linear1", "decoder.tanh1"):
        decode = way(place)
        assert decode is not None
        np.testing.assert_allclose(decode(read(place, x)), output, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(read("code", x), read("encoder.tanh2", x))


def test_shared_weights_are_found_under_their_first_name(tmp_path: Path) -> None:
    text = """\
data: {source: digits, target: inputs}
network:
  - {linear: 64, as: first}
  - {tanh: {}, as: half}
  - {same: first}
loss: mse
"""
    experiment, model = inside(tmp_path, text)
    x = {"x": np.random.default_rng(0).random((4, 64)).astype(np.float32)}
    decode = decoder_from(experiment, model)("half")
    assert decode is not None
    half = value_reader(experiment, model)("half", x)
    output = model.predict(x, experiment.output)
    np.testing.assert_allclose(decode(half), output, rtol=1e-5, atol=1e-6)


def test_there_is_no_way_out_where_something_leads_past(tmp_path: Path) -> None:
    text = """\
data: {source: digits, target: inputs}
network:
  - {linear: 64, as: half}
  - tanh
  - {add: {}, from: [tanh1, x]}
loss: mse
"""
    experiment, model = inside(tmp_path, text)
    assert decoder_from(experiment, model)("half") is None


# --- trained again --------------------------------------------------------------------------


def test_the_same_rows_give_the_same_bits_and_others_do_not(tmp_path: Path) -> None:
    prepared = prepare(write(tmp_path, POINTS))
    run = train(prepared, tmp_path / "runs")
    dataset = prepared.data()
    again = retrainer(prepared.experiment, dataset, run)
    parts = (dataset.train, dataset.validation, dataset.test)
    rows = [
        part.sample_indices
        for part in parts
        if part is not None and part.sample_indices is not None
    ]
    kept = trained_model(run, prepared.experiment).parameters.theta
    _, model, data = again(*rows)
    np.testing.assert_array_equal(model.parameters.theta, kept)
    assert data.test is not None and dataset.test is not None
    np.testing.assert_array_equal(data.test.inputs["x"], dataset.test.inputs["x"])
    _, other, data = again(rows[2], None, rows[0])
    assert not np.array_equal(other.parameters.theta, kept)
    assert data.validation is None and len(data.train) == 30 and data.test is not None
    assert not list(run.path.glob(".retraining-*"))


def test_what_a_killed_process_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(write(tmp_path, POINTS))
    monkeypatch.chdir(tmp_path)
    run = train(prepared, Path("runs"))  # as the command line names it, relative
    stray = run.path / ".retraining-abc" / "checkpoints"
    stray.mkdir(parents=True)
    (found,) = evaluate(run, read_evaluations(["folds: 2"])).values()
    assert found["k"] == 2 and not list(run.path.glob(".retraining-*"))


def test_a_run_that_started_from_another_is_trained_again_from_it(tmp_path: Path) -> None:
    donor = train(prepare(write(tmp_path, POINTS)), tmp_path / "runs")
    text = POINTS + f"start_from: {donor.path}\n"
    run = train(prepare(write(tmp_path, text), ["train.epochs=1"]), tmp_path / "runs")
    prepared = prepare(run.config, start=False)
    dataset = prepared.data()
    parts = (dataset.train, dataset.validation, dataset.test)
    rows = [
        part.sample_indices
        for part in parts
        if part is not None and part.sample_indices is not None
    ]
    _, model, _ = retrainer(prepared.experiment, dataset, run)(*rows)
    kept = trained_model(run, prepared.experiment).parameters.theta
    np.testing.assert_array_equal(model.parameters.theta, kept)


def test_a_fold_that_diverges_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(prepare(write(tmp_path, POINTS)), tmp_path / "runs")

    def fit(trainer: Trainer) -> None:
        raise Diverged("the loss became nan")

    monkeypatch.setattr(Trainer, "fit", fit)
    with pytest.raises(RunError, match="trained again: the loss became nan"):
        evaluate(run, read_evaluations(["folds: 2"]))
    assert not list(run.path.glob(".retraining-*"))


def test_a_classifier_of_its_own_minds_no_split_by_counts(tmp_path: Path) -> None:
    """The counts are of the whole data, the classifier has the training part."""
    denoising = "evaluate: [{denoising: {epochs: 1}}]\n"
    run = train(prepare(write(tmp_path, AUTOENCODER + denoising)), tmp_path / "runs")
    assert results(run)["denoising"]["samples"] == 80


def test_a_run_has_enough_samples_for_its_folds(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="500 folds of 120 samples"):
        prepare(write(tmp_path, POINTS + "evaluate: [{folds: 500}]\n"))


# --- mistakes, and everything at once -------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ("[{clustering: cod}]", "6:25", "no value is named cod: did you mean `code`?"),
        ("[embedding, {embedding: {place: linear9}}]", "6:43", "no value is named linear9"),
        ("[{latent_classifier: [{linear: 3}, add, linear]}]", "6:46", "add"),
        ("[{noise_sweep: {noises: [gaussian: 0.1], classifier: [add]}}]", "6:65", "add"),
    ],
)
def test_mistakes_have_their_place(line: str, place: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, AUTOENCODER + f"optimizer: adam\nevaluate: {line}\n")
    with pytest.raises(ConfigError) as raised:
        prepare(path)
    assert [f"{p.line}:{p.column}" for p in raised.value.problems] == [place]
    assert message in str(raised.value)


def test_with_a_broken_network_its_places_are_left_unsaid(tmp_path: Path) -> None:
    text = AUTOENCODER.replace("{linear: 12}", "add") + "evaluate: [{clustering: nowhere}]\n"
    with pytest.raises(ConfigError) as raised:
        prepare(write(tmp_path, text))
    assert "nowhere" not in str(raised.value)


def test_a_run_asked_for_a_place_that_it_lacks(tmp_path: Path) -> None:
    run = train(prepare(write(tmp_path, POINTS)), tmp_path / "runs")
    with pytest.raises(UsageError, match=r"no value is named code: .*; a value is called `code`"):
        evaluate(run, read_evaluations(["clustering"]))


EVERY = """\
evaluate:
  - reconstruction
  - clustering
  - clustering: x
  - clustering: {place: encoder.tanh1, part: validation}
  - compression
  - latent_classifier: {epochs: 2}
  - embedding: {samples: 40, perplexity: 8}
  - noise_sweep: {noises: [{gaussian: 0.3}, {mask: 0.5}], epochs: 2}
  - baselines
  - folds: 2
  - filters
  - activations
  - activations: {place: code, samples: 3}
"""


def results(run: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run.results.read_text())
    return found


def test_everything_at_once_leaves_its_files_and_comes_out_the_same_again(tmp_path: Path) -> None:
    path = write(tmp_path, AUTOENCODER + EVERY)
    run = train(prepare(path), tmp_path / "runs")
    found = results(run)
    assert list(found) == [
        "reconstruction", "clustering", "clustering-2", "clustering-validation", "compression",
        "latent_classifier", "embedding", "noise_sweep", "baselines", "folds", "filters",
        "activations", "activations-2",
    ]  # fmt: skip
    files = {p.name for p in (*run.plots.iterdir(), *run.contingency.iterdir())}
    assert files >= {
        "clustering.csv", "clustering-2.csv", "clustering-validation.csv", "compression.npz",
        "latent_classifier.csv", "tsne.npz", "pca.npz", "noise_sweep.csv", "noise_sheet.npz",
        "folds.csv", "filters.npz", "activations.npz", "activations-2.npz", "cluster_centres.npz",
        "cluster_centres-2.npz", "cluster_centres-validation.npz",
    }  # fmt: skip
    assert all(note == [] for note in (each["notes"] for each in found.values()))
    before = {file: file.read_bytes() for file in run.plots.glob("*.*")}
    evaluate(run)
    assert results(run) == found
    assert {file: file.read_bytes() for file in run.plots.glob("*.*")} == before


def test_every_evaluation_explains_itself() -> None:
    for name, entry in EVALUATIONS.items():
        text = entry.__doc__ or ""
        assert len(text.splitlines()[0]) <= 100, name
