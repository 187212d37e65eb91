"""Averaged weights: EMA and SWA of the weights of every step, files, results, and resuming."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from ldl.arrays import Array
from ldl.cli.output import weights_lines
from ldl.cli.run_table import sort_values
from ldl.engine.averaging import Ema, Swa, WeightAverage
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.optim import OPTIMIZERS
from ldl.errors import ConfigError
from ldl.evaluate import EVALUATIONS
from ldl.execute import evaluate, resume
from ldl.runs.run_list import summarize
from ldl.train import EpochMetrics, TrainLoop
from ldl.train.average import recompute_running_stats
from ldl.train.loop import TrainOptions

from .helpers import CLASSES, prepared, same, saved, trained

SAMPLES, EPOCHS = 10, 6
NORMALISED = CLASSES.replace("tanh", "batch_norm, tanh, {dropout: 0.2}") + (
    "optimizer: {adam: 0.02}\n"
    "train: {epochs: 6, batch_size: 16, checkpoint_seconds: 0, average: AVERAGE}\n"
)
STEPS = 7  # of an epoch of these
AVERAGES = ["{ema: 0.8}", "{swa: 0.3}"]


def train_loop(options: TrainOptions, batch_size: int = 4) -> TrainLoop:
    """A linear layer and batch normalisation; the last of three batches has two samples."""
    nodes = [Node("a", LAYERS["linear"](3), ("x",)), Node("b", LAYERS["batch_norm"](0.3), ("a",))]
    specs = {"x": TensorSpec((4,)), "t": TensorSpec((3,))}
    model = Model(Graph(specs, nodes, [LossNode("loss", LOSSES["mse"](), ("b", "t"))]), 1, float)
    rng = np.random.default_rng(0)
    arrays = {"x": rng.normal(2.0, 1.0, (SAMPLES, 4)), "t": rng.normal(size=(SAMPLES, 3))}
    return TrainLoop(model, OPTIMIZERS["sgd"](0.1), arrays, batch_size, 0, options=options)


@pytest.mark.parametrize("average", [Ema(0.8), Ema(0.0), Swa(0.5), Swa(0.0), Swa(1.0)], ids=str)
def test_the_average_is_that_of_recorded_weights(average: WeightAverage) -> None:
    loop, plain = train_loop(TrainOptions(EPOCHS, average=average)), train_loop(TrainOptions())
    steps: list[list[Array]] = []
    for epoch in range(1, EPOCHS + 1):
        steps.append([])
        loop.run_epoch(epoch, EpochMetrics(), lambda metrics: steps[-1].append(loop.theta.copy()))
        plain.run_epoch(epoch, EpochMetrics())
    if isinstance(average, Ema):
        expected, *others = (theta for thetas in steps for theta in thetas)
        for theta in others:
            expected = average.momentum * expected + (1.0 - average.momentum) * theta
    else:
        assert isinstance(average, Swa)
        first = {0.0: 0, 0.5: 3, 1.0: 5}[average.start]
        expected = np.mean([thetas[-1] for thetas in steps[first:]], axis=0)
    assert loop.average is not None
    np.testing.assert_allclose(loop.average, expected, rtol=1e-12)
    np.testing.assert_array_equal(plain.theta, loop.theta)  # an average changes no training


@pytest.mark.parametrize("accumulation_steps", [1, 2])
def test_running_statistics_are_means_of_the_batches(accumulation_steps: int) -> None:
    loop = train_loop(TrainOptions(accumulation_steps=accumulation_steps))
    weights, state = loop.model.parameters.weights, loop.model.parameters.state
    order = np.concatenate([indices for indices, _ in loop._batches(3, 0)])
    values = loop.arrays["x"][order] @ weights["a.weight"] + weights["a.bias"]
    pieces = [values[:4], values[4:8], values[8:]]
    recompute_running_stats(loop, 3)
    mean = np.mean([piece.mean(axis=0) for piece in pieces], axis=0)
    var = np.mean([piece.var(axis=0, ddof=1) for piece in pieces], axis=0)
    np.testing.assert_allclose(state["b.running_mean"], mean, rtol=1e-10)
    np.testing.assert_allclose(state["b.running_var"], var, rtol=1e-10)


def test_single_values_leave_the_running_statistics() -> None:
    loop = train_loop(TrainOptions(), batch_size=1)
    recompute_running_stats(loop, 1)
    np.testing.assert_array_equal(loop.model.parameters.state["b.running_var"], np.ones(3))


@pytest.mark.parametrize("average", AVERAGES)
def test_both_weights_are_saved_and_evaluated(average: str, tmp_path: Path) -> None:
    text = NORMALISED.replace("AVERAGE", average)
    runs = {keep: trained(tmp_path, text, f"train.keep={keep}") for keep in ("last", "average")}
    one, other = (load(run.average.read_bytes()) for run in runs.values())
    assert same(one, other) and same(saved(runs["average"]), one)
    plain = trained(tmp_path, text, "train.average=null", "train.keep=last")
    assert same(saved(runs["last"]), saved(plain)) and not same(saved(plain), one)
    for name, run in runs.items():
        comparison = json.loads(run.results.read_text())["average"]
        evaluation = evaluate(run, [EVALUATIONS["classification"](split="validation")])
        expected = evaluation["classification-validation"]
        assert comparison["part"] == "validation"
        assert comparison["last"]["loss"] != comparison["average"]["loss"]
        assert comparison[name]["accuracy"] == expected["accuracy"]
        assert comparison[name]["loss"] == pytest.approx(expected["log_loss"], rel=1e-5)
        assert comparison["averaged"] == (5 if "swa" in average else 6 * STEPS)
        unit = "epochs" if "swa" in average else "steps"
        assert comparison["units"] == {"averaged": unit}
        worse = comparison["average"]["loss"] > comparison["last"]["loss"]
        assert any("worse" in note for note in comparison["notes"]) == worse
        lines = weights_lines(run.read_status().best, run.read_results())
        assert lines[0].startswith("best: epoch ")
        losses = f"validation_loss {comparison['average']['loss']:.4g}"
        kept = [line for line in lines if line.startswith("kept: ")]
        if name == "average":
            assert kept[0].startswith(f"kept: average of {comparison['averaged']} {unit}, {losses}")
        assert len(kept) == (name == "average")
        listed = sort_values(summarize(run.path))["validation_loss"]
        assert listed == pytest.approx(comparison[name]["loss"], rel=1e-5)


@pytest.mark.parametrize("average", AVERAGES)
def test_an_interrupted_run_ends_with_the_same_bits(average: str, tmp_path: Path) -> None:
    text = NORMALISED.replace("AVERAGE", average)
    whole = trained(tmp_path, text)
    changes = ["train.epochs=3", *(["train.average.swa.start=0.6"] if "swa" in average else [])]
    half = trained(tmp_path, text, *changes)
    checkpoint, state = half.load_checkpoint("last") or ({}, {})
    assert state["averaged"] == (2 if "swa" in average else 3 * STEPS)
    half.config.write_text(whole.config.read_text())
    half.save_checkpoint("last", checkpoint, {**state, "reason": None})
    half.set_status("interrupted")
    resumed = resume(half)
    assert resumed.average.read_bytes() == whole.average.read_bytes()
    assert resumed.results.read_bytes() == whole.results.read_bytes()
    assert same(saved(resumed), saved(whole))


def test_an_average_that_never_began_leaves_the_last_weights(tmp_path: Path) -> None:
    text = NORMALISED.replace("AVERAGE", "swa")
    run = trained(tmp_path, text, "train.keep=average", "train.gradient_tolerance=1e9")
    assert "no weights were averaged" in (run.read_status().reason or "")
    assert not run.average.exists() and "average" not in json.loads(run.results.read_text())


def test_an_average_that_is_kept_but_not_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs an average of weights: `ema`") as error:
        prepared(tmp_path, CLASSES + "train: {keep: average}\n")
    assert error.value.problems[0].line == 5
