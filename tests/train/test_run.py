"""The metrics of a run, the best weights, when and why training stops."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.data import load_data
from ldl.engine.model import Model
from ldl.train import EpochMetrics, TrainLoop, TrainProgress

from .helpers import CLASSES, column, prepared, rows, same, saved, trained

REGRESSION = "data: {source: {line: {samples: 60}}}\nnetwork: [linear]\n"
AUTOENCODER = (
    "data: {source: {gaussians: {samples: 60}}}\n"
    "network: {encoder: [{linear: 2}], decoder: [linear]}\n"
)
COLUMNS = {
    CLASSES: "train_loss,validation_loss,train_accuracy,validation_accuracy",
    REGRESSION: "train_loss,validation_loss,validation_r2",
    AUTOENCODER: "train_loss,validation_loss",
}


@pytest.mark.parametrize("text", COLUMNS, ids=["classes", "values", "inputs"])
def test_a_row_for_each_epoch(text: str, tmp_path: Path) -> None:
    """The columns of the task, the epochs in order, every cell a finite number."""
    run = trained(tmp_path, text, "train.epochs=3")
    header = run.metrics.read_text().splitlines()[0]
    assert header == f"epoch,{COLUMNS[text]},learning_rate,gradient_norm,seconds"
    table = rows(run)
    assert [row["epoch"] for row in table] == [1, 2, 3]
    assert all(v is not None and math.isfinite(v) for row in table for v in row.values())


def test_without_a_validation_split_there_are_no_such_columns(tmp_path: Path) -> None:
    """The best epoch is the one with the least training loss."""
    text = CLASSES + "train: {epochs: 2}\n"
    run = trained(tmp_path, text, "data.split.validation=0")
    assert "validation" not in run.metrics.read_text()
    best = run.read_status().best
    assert best is not None and best["train_loss"] == min(column(run, "train_loss"))


def replay(
    folder: Path, text: str, *overrides: str
) -> tuple[list[dict[str, Array]], list[float], list[float]]:
    """Weights, validation loss and accuracy after each epoch, without the trainer."""
    experiment = prepared(folder, text, *overrides).experiment
    config = experiment.config
    data = load_data(config.data, config.seed)
    assert data.validation is not None and data.validation.targets is not None
    model = Model(experiment.graph, config.seed)
    arrays = experiment.arrays(data.train)
    loop = TrainLoop(model, config.optimizer, arrays, experiment.batch_size, config.seed)
    weights, losses, accuracies = [], [], []
    truth = data.validation.targets
    for epoch in range(1, config.train.epochs + 1):
        loop.run_epoch(epoch, EpochMetrics())
        arrays = {name: array.copy() for name, array in model.parameters.arrays().items()}
        wide = {name: array.astype(np.float64) for name, array in arrays.items()}
        hidden = np.tanh(
            data.validation.inputs["x"] @ wide["linear1.weight"] + wide["linear1.bias"]
        )
        logits = hidden @ wide["linear2.weight"] + wide["linear2.bias"]
        top = logits.max(1, keepdims=True)
        total = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
        losses.append(float((total - logits[np.arange(len(truth)), truth]).mean()))
        accuracies.append(float((logits.argmax(1) == truth).mean()))
        weights.append(arrays)
    return weights, losses, accuracies


OVERFITS = ("optimizer.adam.learning_rate=0.3", "train.batch_size=7", "train.epochs=40")


def test_early_stopping_restores_the_best_weights(tmp_path: Path) -> None:
    """It stops `patience` epochs after the best one and saves that one's weights, bit for bit."""
    run = trained(tmp_path, CLASSES, *OVERFITS, "train.early_stopping.patience=4")
    weights, losses, _ = replay(tmp_path, CLASSES, *OVERFITS)
    values = column(run, "validation_loss")
    best = next(e for e in range(len(losses)) if all(x >= losses[e] for x in losses[e + 1 : e + 5]))
    assert values == pytest.approx(losses[: len(values)], rel=1e-4)
    assert len(values) == best + 1 + 4 < 40
    assert same(saved(run), weights[best])
    assert not same(saved(run), weights[len(values) - 1])
    status = run.read_status()
    assert status.status == "completed" and status.epoch == best + 5
    assert status.best == {"epoch": best + 1, "validation_loss": values[best]}
    assert "validation_loss" in status.reason and "4 epochs" in status.reason


def test_early_stopping_by_accuracy(tmp_path: Path) -> None:
    """The larger the better; the first of equals is kept."""
    stopping = "train.early_stopping={patience: 5, monitor: accuracy}"
    run = trained(tmp_path, CLASSES, *OVERFITS, stopping)
    weights, _, accuracies = replay(tmp_path, CLASSES, *OVERFITS)
    values = column(run, "validation_accuracy")
    assert values == accuracies[: len(values)]
    best = values.index(max(values))
    assert len(values) == best + 6
    assert same(saved(run), weights[best])


def test_min_delta_is_the_least_improvement(tmp_path: Path) -> None:
    """With a large one only the first epoch counts."""
    stopping = "train.early_stopping={patience: 3, min_delta: 100}"
    run = trained(tmp_path, CLASSES, "train.epochs=9", stopping)
    assert len(rows(run)) == 4
    assert (run.read_status().best or {})["epoch"] == 1


def test_the_best_weights_are_kept_without_early_stopping(tmp_path: Path) -> None:
    """`keep: best` is the default; `keep: last` keeps the last."""
    weights, losses, _ = replay(tmp_path, CLASSES, *OVERFITS)
    best = losses.index(min(losses))
    assert best < 39
    assert same(saved(trained(tmp_path, CLASSES, *OVERFITS)), weights[best])
    assert same(saved(trained(tmp_path, CLASSES, *OVERFITS, "train.keep=last")), weights[-1])


def test_training_stops_below_a_gradient_norm(tmp_path: Path) -> None:
    """After the first epoch whose mean norm is below."""
    norms = column(trained(tmp_path, REGRESSION, "optimizer={gd: 0.2}"), "gradient_norm")
    limit = 0.01
    first = next(e for e, norm in enumerate(norms, 1) if norm < limit)
    assert 1 < first < 100
    stopped = trained(
        tmp_path, REGRESSION, "optimizer={gd: 0.2}", f"train.gradient_tolerance={limit}"
    )
    assert column(stopped, "gradient_norm") == norms[:first]
    assert "0.01" in stopped.read_status().reason


def test_the_gradient_norm_is_that_of_the_gradient(tmp_path: Path) -> None:
    """Of one step of gd, computed by hand: ∂/∂(a, b) of the mean of (a·x + b − y)²."""
    run = trained(tmp_path, REGRESSION, "optimizer={gd: 0.2}", "train.epochs=1", "train.keep=last")
    experiment = prepared(tmp_path, REGRESSION)
    data = load_data(experiment.experiment.config.data, 0)
    assert data.train.targets is not None
    x, y = data.train.inputs["x"][:, 0].astype(float), data.train.targets[:, 0].astype(float)
    start = Model(experiment.experiment.graph, 0).parameters.arrays()
    a, b = float(start["linear1.weight"][0, 0]), float(start["linear1.bias"][0])
    d = a * x + b - y
    da, db = 2 * (d * x).mean(), 2 * d.mean()
    assert column(run, "gradient_norm") == pytest.approx([math.hypot(da, db)], rel=1e-5)
    assert column(run, "train_loss") == pytest.approx([(d * d).mean()], rel=1e-5)
    weights = saved(run)
    assert weights["linear1.weight"][0, 0] == pytest.approx(a - 0.2 * da, rel=1e-5)
    assert weights["linear1.bias"][0] == pytest.approx(b - 0.2 * db, rel=1e-5)


@pytest.mark.parametrize(
    ("settings", "batches"),
    [
        (("optimizer=gd",), [45]),
        (("train.batch_size=full",), [45]),
        (("train.batch_size=1000",), [45]),
        (("train.batch_size=20",), [20, 20, 5]),
        (("train.batch_size=45",), [45]),
        (("train.batch_size=44",), [44, 1]),
        ((), [32, 13]),
    ],
)
def test_batch_sizes(settings: tuple[str, ...], batches: list[int], tmp_path: Path) -> None:
    """gd and `full` take all samples; the last batch holds the rest; 32 by default."""
    experiment = prepared(
        tmp_path, REGRESSION, "data.split={train: 45, validation: 5, test: 5}", *settings
    ).experiment
    data = load_data(experiment.config.data, 0)
    sizes: list[int] = []
    loop = TrainLoop(
        Model(experiment.graph),
        experiment.config.optimizer,
        experiment.arrays(data.train),
        experiment.batch_size,
        0,
    )
    loop.run_epoch(1, EpochMetrics(), lambda metrics: sizes.append(metrics.samples))
    assert list(np.diff([0, *sizes])) == batches
    assert loop.batches == len(batches)


def test_each_epoch_has_every_sample_once_in_a_new_order(tmp_path: Path) -> None:
    """Shuffled by seed and epoch; not with `shuffle: false`."""
    experiment = prepared(
        tmp_path, REGRESSION, "data.split={train: 45, validation: 5, test: 5}"
    ).experiment
    data = load_data(experiment.config.data, 0)
    arrays = experiment.arrays(data.train)
    arrays["x"] = np.arange(45, dtype=np.float32).reshape(45, 1)

    def orders(seed: int, shuffle: bool) -> list[list[int]]:
        model = Model(experiment.graph)
        loop = TrainLoop(model, experiment.config.optimizer, arrays, 10, seed, shuffle)
        epochs: list[list[int]] = []
        for epoch in (1, 2):
            epochs.append([])

            def note(metrics: EpochMetrics, order: list[int] = epochs[-1]) -> None:
                size = 5 if metrics.samples == 45 else 10
                order.extend(map(int, model.training_executor(size).inputs["x"][:, 0]))

            loop.run_epoch(epoch, EpochMetrics(), note)
        return epochs

    one, two = orders(3, True)
    assert sorted(one) == sorted(two) == list(range(45))
    assert one != two != sorted(two)
    assert orders(3, True) == [one, two]
    assert orders(4, True) != [one, two]
    assert orders(3, False) == [list(range(45))] * 2


def test_train_accuracy_counts_predictions_during_the_epoch(tmp_path: Path) -> None:
    """With a vanishing learning rate it is the initial accuracy, also with one output."""
    two = CLASSES.replace("clusters: 4", "clusters: 2").replace("linear]", "linear, sigmoid]")
    for text in (CLASSES, two + "loss: bce\n"):
        slow = ("optimizer={sgd: 1e-30}", "train.epochs=1")
        run = trained(tmp_path, text, *slow)
        experiment = prepared(tmp_path, text, *slow).experiment
        data = load_data(experiment.config.data, experiment.config.seed)
        outputs = Model(experiment.graph, 5).predict(data.train.inputs, experiment.output)
        right = outputs.argmax(1) if outputs.shape[1] > 1 else outputs[:, 0] > 0.5
        assert data.train.targets is not None
        expected = float((right == data.train.targets).mean())
        assert column(run, "train_accuracy") == [expected]
        assert 0.0 < expected < 1.0


def test_fresh_noise_is_drawn_each_epoch(tmp_path: Path) -> None:
    """With a vanishing learning rate the loss changes with fresh noise alone."""
    slow = ("optimizer={sgd: 1e-30}", "train={epochs: 3, batch_size: full}")
    noisy = (*slow, "data.noise={gaussian: 0.5}")
    still = column(trained(tmp_path, CLASSES, *noisy), "train_loss")
    fresh = column(trained(tmp_path, CLASSES, *noisy, "data.fresh_noise=true"), "train_loss")
    assert np.ptp(still) < 1e-6
    assert len(set(fresh)) == 3 and np.ptp(fresh) > 1e-4


def test_progress_is_reported(tmp_path: Path) -> None:
    """Each finished epoch with its row."""
    from ldl.execute import Callbacks

    reports: list[TrainProgress] = []
    trained(tmp_path, CLASSES, "train.epochs=3", callbacks=Callbacks(training=reports.append))
    finished = [p for p in reports if p.row is not None]
    assert [p.epoch for p in finished] == [1, 2, 3]
    assert all(p.epochs == 3 and p.batches == 4 and p.samples == 105 for p in reports)


def test_the_folder_is_complete(tmp_path: Path) -> None:
    """All files but for plots, which the command line draws."""
    run = trained(tmp_path, CLASSES, "train.epochs=2")
    files = {p.relative_to(run.path).as_posix() for p in run.path.rglob("*") if p.is_file()}
    expected = {
        "config.yaml", "source.yaml", "overrides.yaml", "environment.json", "status.json",
        "metrics.csv", "results.json", "model.safetensors", "checkpoints/last.safetensors",
        "contingency/classification.csv", "run.log", "data.json",
    }  # fmt: skip
    assert expected <= files
    assert run.source.read_text() == CLASSES
    environment = json.loads(run.environment.read_text())
    assert environment["seed"] == 5 and len(environment["data_sha256"]) == 64
    results = json.loads(run.results.read_text())
    assert list(results) == ["classification", "decision_regions"]


SEVERAL = """\
data: {source: digits}
network: [{linear: 8}, tanh, {linear: 64, as: code}, linear]
loss: [cross_entropy, {mse: , from: code, target: inputs, weight: 0.1}]
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_several_losses_have_a_column_each(threads: int, tmp_path: Path) -> None:
    """Weighted losses, which add up to the loss, also with data parallelism."""
    run = trained(tmp_path, SEVERAL, "train.epochs=2", f"train.threads={threads}")
    for row in rows(run):
        for part in ("train", "validation"):
            terms = [row[f"{part}_{name}"] for name in ("cross_entropy", "mse2")]
            assert min(terms) > 0.0
            assert sum(terms) == pytest.approx(row[f"{part}_loss"], rel=1e-6)
