"""Introspection of networks, evaluations of hidden values, and retraining."""

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
from ldl.execute.introspection import decoder_from, network_info, value_reader
from ldl.execute.retraining import retrainer
from ldl.execute.saved_run import trained_model
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


def untrained(folder: Path, text: str) -> tuple[Any, Model]:
    experiment = prepare(write(folder, text)).experiment
    return experiment, Model(experiment.graph, 1)


# --- values, shapes, decoders ----------------------------------------------------------------


def test_network_info(tmp_path: Path) -> None:
    info = network_info(untrained(tmp_path, AUTOENCODER)[0])
    assert list(info.shapes) == [
        "x", "encoder.linear1", "encoder.tanh1", "encoder.linear2", "encoder.tanh2",
        "decoder.linear1", "decoder.tanh1", "decoder.linear2", "decoder.sigmoid1", "code",
    ]  # fmt: skip
    assert info.shapes["code"] == (4,) and info.shapes["x"] == (64,)
    assert info.first_layer is not None
    assert (info.first_layer.name, info.first_layer.kind) == ("encoder.linear1", "linear")
    assert (info.first_layer.input, info.first_layer.activated) == ("x", "encoder.tanh1")
    assert info.first_layer.weight == (64, 12)


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
    first = network_info(untrained(tmp_path, text)[0]).first_layer
    assert first is not None
    assert (first.kind, first.input, first.activated) == (kind, source, activated)


def test_a_layer_named_code_has_priority(tmp_path: Path) -> None:
    text = "data: {source: digits}\nnetwork: [{linear: 3, as: code}, linear]\n"
    experiment, model = untrained(tmp_path, text)
    x = np.random.default_rng(0).random((5, 64)).astype(np.float32)
    weights = model.parameters.arrays()
    value = value_reader(experiment, model)("code", {"x": x})
    expected = x @ weights["code.weight"] + weights["code.bias"]
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    assert "code" not in network_info(untrained(tmp_path, POINTS)[0]).shapes


def test_decoders_continue_from_hidden_values(tmp_path: Path) -> None:
    experiment, model = untrained(tmp_path, AUTOENCODER)
    x = {"x": np.random.default_rng(0).random((300, 64)).astype(np.float32)}
    read, decoder = value_reader(experiment, model), decoder_from(experiment, model)
    assert read("x", x) is x["x"]
    output = model.predict(x, experiment.output)
    for name in ("code", "encoder.linear1", "decoder.tanh1"):
        decode = decoder(name)
        assert decode is not None
        np.testing.assert_allclose(decode(read(name, x)), output, rtol=1e-5, atol=1e-6)
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
    experiment, model = untrained(tmp_path, text)
    x = {"x": np.random.default_rng(0).random((4, 64)).astype(np.float32)}
    decode = decoder_from(experiment, model)("half")
    assert decode is not None
    half = value_reader(experiment, model)("half", x)
    output = model.predict(x, experiment.output)
    np.testing.assert_allclose(decode(half), output, rtol=1e-5, atol=1e-6)


def test_there_is_no_decoder_past_a_skip_connection(tmp_path: Path) -> None:
    text = """\
data: {source: digits, target: inputs}
network:
  - {linear: 64, as: half}
  - tanh
  - {add: {}, from: [tanh1, x]}
loss: mse
"""
    experiment, model = untrained(tmp_path, text)
    assert decoder_from(experiment, model)("half") is None


# --- retraining ------------------------------------------------------------------------------


def test_equal_samples_give_equal_bits_and_others_do_not(tmp_path: Path) -> None:
    prepared = prepare(write(tmp_path, POINTS))
    run = train(prepared, tmp_path / "runs")
    dataset = prepared.data()
    retrain = retrainer(prepared.experiment, dataset, run)
    parts = (dataset.train, dataset.validation, dataset.test)
    indices = [
        part.sample_indices
        for part in parts
        if part is not None and part.sample_indices is not None
    ]
    theta = trained_model(run, prepared.experiment).parameters.theta
    _, model, data = retrain(*indices)
    np.testing.assert_array_equal(model.parameters.theta, theta)
    assert data.test is not None and dataset.test is not None
    np.testing.assert_array_equal(data.test.inputs["x"], dataset.test.inputs["x"])
    _, other, data = retrain(indices[2], None, indices[0])
    assert not np.array_equal(other.parameters.theta, theta)
    assert data.validation is None and len(data.train) == 30 and data.test is not None
    assert not list(run.path.glob(".retraining-*"))


def test_the_folder_of_a_killed_process_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(write(tmp_path, POINTS))
    monkeypatch.chdir(tmp_path)
    run = train(prepared, Path("runs"))  # as the command line names it, relative
    stale = run.path / ".retraining-abc" / "checkpoints"
    stale.mkdir(parents=True)
    (result,) = evaluate(run, read_evaluations(["folds: 2"])[0]).values()
    assert result["k"] == 2 and not list(run.path.glob(".retraining-*"))


def test_retraining_starts_from_the_pretrained_weights(tmp_path: Path) -> None:
    pretrained = train(prepare(write(tmp_path, POINTS)), tmp_path / "runs")
    text = POINTS + f"start_from: {pretrained.path}\n"
    run = train(prepare(write(tmp_path, text), ["train.epochs=1"]), tmp_path / "runs")
    prepared = prepare(run.config, load_pretrained=False)
    dataset = prepared.data()
    parts = (dataset.train, dataset.validation, dataset.test)
    indices = [
        part.sample_indices
        for part in parts
        if part is not None and part.sample_indices is not None
    ]
    _, model, _ = retrainer(prepared.experiment, dataset, run)(*indices)
    theta = trained_model(run, prepared.experiment).parameters.theta
    np.testing.assert_array_equal(model.parameters.theta, theta)


def test_a_diverging_fold_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(prepare(write(tmp_path, POINTS)), tmp_path / "runs")

    def fit(trainer: Trainer) -> None:
        raise Diverged("the loss became nan")

    monkeypatch.setattr(Trainer, "fit", fit)
    with pytest.raises(RunError, match="trained again: the loss became nan"):
        evaluate(run, read_evaluations(["folds: 2"])[0])
    assert not list(run.path.glob(".retraining-*"))


def test_an_evaluations_classifier_ignores_split_counts(tmp_path: Path) -> None:
    """The counts refer to all data; the classifier has the training split."""
    denoising = "evaluate: [{denoising: {epochs: 1}}]\n"
    run = train(prepare(write(tmp_path, AUTOENCODER + denoising)), tmp_path / "runs")
    assert results(run)["denoising"]["samples"] == 80


def test_more_folds_than_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="500 folds of 120 samples"):
        prepare(write(tmp_path, POINTS + "evaluate: [{folds: 500}]\n"))


# --- problems, and all evaluations together --------------------------------------------------


@pytest.mark.parametrize(
    ("line", "location", "message"),
    [
        ("[{clustering: cod}]", "6:25", "no value is named cod; did you mean `code`?"),
        ("[embedding, {embedding: {place: linear9}}]", "6:43", "no value is named linear9"),
        ("[{latent_classifier: [{linear: 3}, add, linear]}]", "6:46", "add"),
        ("[{noise_sweep: {noises: [gaussian: 0.1], classifier: [add]}}]", "6:65", "add"),
    ],
)
def test_problems_have_locations(line: str, location: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, AUTOENCODER + f"optimizer: adam\nevaluate: {line}\n")
    with pytest.raises(ConfigError) as raised:
        prepare(path)
    assert [f"{p.line}:{p.column}" for p in raised.value.problems] == [location]
    assert message in str(raised.value)


def test_a_network_that_does_not_compile_hides_problems_of_nodes(tmp_path: Path) -> None:
    text = AUTOENCODER.replace("{linear: 12}", "add") + "evaluate: [{clustering: nowhere}]\n"
    with pytest.raises(ConfigError) as raised:
        prepare(write(tmp_path, text))
    assert "nowhere" not in str(raised.value)


def test_an_evaluation_of_a_missing_node_is_refused(tmp_path: Path) -> None:
    run = train(prepare(write(tmp_path, POINTS)), tmp_path / "runs")
    with pytest.raises(UsageError, match=r"no value is named code; .*; a value is called `code`"):
        evaluate(run, read_evaluations(["clustering"])[0])


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
    values: dict[str, Any] = json.loads(run.results.read_text())
    return values


def test_all_evaluations_together_are_repeatable(tmp_path: Path) -> None:
    path = write(tmp_path, AUTOENCODER + EVERY)
    run = train(prepare(path), tmp_path / "runs")
    first_results = results(run)
    assert list(first_results) == [
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
    assert all(result["notes"] == [] for result in first_results.values())
    before = {file: file.read_bytes() for file in run.plots.glob("*.*")}
    evaluate(run)
    assert results(run) == first_results
    assert {file: file.read_bytes() for file in run.plots.glob("*.*")} == before


def test_every_evaluation_has_a_docstring() -> None:
    for name, entry in EVALUATIONS.items():
        text = entry.__doc__ or ""
        assert len(text.splitlines()[0]) <= 100, name
