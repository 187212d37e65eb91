"""Schedules, penalties, clipping, frozen layers and L-BFGS in whole and interrupted runs."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

import ldl.train.trainer as trainer
from ldl.compile import CompileError
from ldl.engine.parameters import Parameters
from ldl.errors import ConfigError
from ldl.execute import resume

from .helpers import CLASSES, column, prepared, rows, saved, trained
from .test_interrupted import interrupted, without_seconds

TEXT = """\
name: options
seed: 3
data: {source: {gaussians: {clusters: 4, samples: 143, std: 1.0}}}
network: [{linear: 9}, tanh, {linear: 5, as: last}, tanh, linear]
optimizer: OPTIMIZER
schedule: SCHEDULE
train: {epochs: 6, batch_size: 9TRAIN}
"""
BATCHES = 12  # of 9 out of 100


def text(optimizer: str = "{sgd: 0.1}", schedule: str = "null", train: str = "") -> str:
    """A configuration."""
    whole = TEXT.replace("OPTIMIZER", optimizer).replace("SCHEDULE", schedule)
    return whole.replace("TRAIN", f", {train}" if train else "")


# --- schedules ------------------------------------------------------------------------------


def test_learning_rate_is_that_of_the_last_step_of_each_epoch(tmp_path: Path) -> None:
    run = trained(tmp_path, text(schedule="{step: {step_size: 2, gamma: 0.5}}"))
    expected = [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert column(run, "learning_rate") == pytest.approx(expected)
    run = trained(tmp_path, text(schedule="{inverse_time: {decay: 0.1, per: step}}"))
    expected = [0.1 / (1 + 0.1 * (BATCHES * e - 1)) for e in range(1, 7)]
    assert column(run, "learning_rate") == pytest.approx(expected)


def test_no_schedule_equals_constant(tmp_path: Path) -> None:
    one = trained(tmp_path, text())
    other = trained(tmp_path, text(schedule="constant"))
    assert one.model.read_bytes() == other.model.read_bytes()
    assert column(one, "learning_rate") == [0.1] * 6


def test_a_vanishing_rate_stops_all_updates(tmp_path: Path) -> None:
    """From the third epoch on every epoch gives the same validation loss."""
    schedule = "{multi_step: {milestones: [2], gamma: 1e-30}}"
    run = trained(tmp_path, text(schedule=schedule))
    losses = column(run, "validation_loss")
    assert losses[1] != losses[0]
    assert losses[2:] == [losses[1]] * 4


def test_a_plateau_follows_the_validation_loss(tmp_path: Path) -> None:
    """At a rate of almost nothing each epoch but the first is without progress."""
    run = trained(tmp_path, text("{sgd: 1e-12}", "{plateau: {factor: 0.5, patience: 0}}"))
    expected = [1e-12 * f for f in (1, 1, 0.5, 0.25, 0.125, 0.0625)]
    assert column(run, "learning_rate") == pytest.approx(expected, rel=1e-9, abs=0.0)


SCHEDULES = {
    "plateau": "{plateau: {factor: 0.5, patience: 0, threshold: 0.3}}",
    "warm": "{warmup: {epochs: 1.5, then: {plateau: {patience: 0, threshold: 0.3}}}}",
    "one_cycle": "one_cycle",
    "cosine": "{warmup: {epochs: 0.5, then: {cosine: {per: step}}}}",
}
OPTIONS = {
    "nadam": ("nadam", "one_cycle", ""),
    "rmsprop": ("{rmsprop: {momentum: 0.5, centered: true}}", "null", "clip_norm: 0.1, l1: 0.01"),
    "lion": ("{lion: 0.01}", "null", "clip_value: 0.01, l2: 0.01"),
    "frozen": ("{adamw: 0.05}", "null", "freeze: [linear1]"),
    **{name: ("{sgd: 0.1}", schedule, "") for name, schedule in SCHEDULES.items()},
}


@pytest.mark.parametrize(
    ("name", "step"), [*((name, 17) for name in OPTIONS), ("warm", 1), ("warm", 36), ("nadam", 36)]
)
def test_a_resumed_run_equals_the_uninterrupted_one(
    name: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "PROGRESS_INTERVAL", -1.0)
    config_text = text(*OPTIONS[name])
    whole = trained(tmp_path, config_text)
    run = interrupted(tmp_path, config_text, step, signal.SIGTERM)
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()
    assert without_seconds(run) == without_seconds(whole)


# --- penalties and clipping -----------------------------------------------------------------


def test_l2_is_half_of_weight_decay(tmp_path: Path) -> None:
    one = trained(tmp_path, text(train="l2: 0.05"))
    other = trained(tmp_path, text("{sgd: {learning_rate: 0.1, weight_decay: 0.1}}"))
    plain = trained(tmp_path, text())
    for name, array in saved(one).items():
        np.testing.assert_allclose(array, saved(other)[name], rtol=1e-4, atol=1e-6)
    assert not np.allclose(saved(one)["last.weight"], saved(plain)["last.weight"], rtol=1e-2)


def test_reported_losses_exclude_the_penalty(tmp_path: Path) -> None:
    """The first step of the first epoch sees the same weights, so one step is enough."""
    changes = ("train.batch_size=full", "train.epochs=1")
    plain = trained(tmp_path, text(), *changes)
    penalised = trained(tmp_path, text(train="l1: 3.0, l2: 2.0"), *changes)
    assert column(plain, "train_loss") == column(penalised, "train_loss")
    assert column(plain, "gradient_norm")[0] < 0.5 * column(penalised, "gradient_norm")[0]


def test_l1_shrinks_weights(tmp_path: Path) -> None:
    plain, thin = trained(tmp_path, text()), trained(tmp_path, text(train="l1: 0.3"))
    sums = [np.abs(saved(run)["linear1.weight"]).sum() for run in (plain, thin)]
    assert sums[1] < 0.5 * sums[0]


def test_a_clipped_step_is_at_most_the_rate_times_the_norm(tmp_path: Path) -> None:
    changes = ("train.batch_size=full", "train.epochs=1", "train.keep=last")
    experiment = prepared(tmp_path, text(), *changes).experiment
    first = Parameters(experiment.graph, 3).arrays()
    run = trained(tmp_path, text(train="clip_norm: 0.01"), *changes)
    moved = sum(float(((a - first[n]) ** 2).sum()) for n, a in saved(run).items()) ** 0.5
    assert moved == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert column(run, "gradient_norm")[0] > 0.02  # as it was before it was cut
    run = trained(tmp_path, text(train="clip_value: 0.001"), *changes)
    largest = max(float(np.abs(a - first[n]).max()) for n, a in saved(run).items())
    assert largest == pytest.approx(0.1 * 0.001, rel=1e-2)


@pytest.mark.parametrize(
    ("config_text", "words"),
    [
        (text(train="clip_norm: 1.0, clip_value: 1.0"), "choose one"),
        (text("lbfgs", train="clip_norm: 1.0").replace(", batch_size: 9", ""), "searches along"),
        (text("lbfgs"), "lbfgs takes the whole set"),
        (text(train="freeze: [linar1]"), "did you mean `linear1`"),
        (text(train="freeze: [tanh1]"), "no layer with weights is named `tanh1`"),
        (text(train="freeze: [linear1, last, linear2]"), "all weights are frozen"),
    ],
)
def test_conflicting_options_are_refused(config_text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, CompileError)) as caught:
        prepared(tmp_path, config_text)
    assert words in str(caught.value)


# --- frozen layers --------------------------------------------------------------------------

OPTIMIZERS = [
    "{sgd: {learning_rate: 0.1, momentum: 0.9, weight_decay: 0.1}}",
    "{adamw: {learning_rate: 0.05, weight_decay: 0.3}}",
    "{lion: {learning_rate: 0.01, weight_decay: 0.3}}",
    "{rmsprop: {centered: true, momentum: 0.5}}",
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("names", "frozen_weights"),
    [
        ("linear1", {"linear1.weight", "linear1.bias"}),
        ("last", {"last.weight", "last.bias"}),
        ("linear1.bias, linear2.weight", {"linear1.bias", "linear2.weight"}),
    ],
)
def test_frozen_weights_keep_their_bits(
    optimizer: str, names: str, frozen_weights: set[str], tmp_path: Path
) -> None:
    """With momentum, weight decay and penalties; all others move."""
    config_text = text(optimizer, train=f"l1: 0.01, l2: 0.01, keep: last, freeze: [{names}]")
    experiment = prepared(tmp_path, config_text).experiment
    assert experiment.frozen == frozen_weights
    first, last = Parameters(experiment.graph, 3).arrays(), saved(trained(tmp_path, config_text))
    assert {n for n, a in last.items() if a.tobytes() == first[n].tobytes()} == frozen_weights


def test_a_name_freezes_all_layers_below_it_and_shared_weights(tmp_path: Path) -> None:
    config_text = """\
data: {source: {gaussians: {clusters: 4, samples: 60}}, target: inputs}
network: {encoder: [{linear: 5, as: one}, tanh, {linear: 5, as: two}, {same: two, as: three}],
          decoder: [{linear: 2}]}
train: {epochs: 1, freeze: [NAME]}
"""
    cases = {"encoder": {"one", "two"}, "encoder.three": {"two"}, "decoder": set()}
    for name, layers in cases.items():
        frozen = prepared(tmp_path, config_text.replace("NAME", name)).experiment.frozen
        expected = {f"encoder.{layer}.{key}" for layer in layers for key in ("weight", "bias")}
        assert frozen == (expected or {"decoder.linear1.weight", "decoder.linear1.bias"})


# --- L-BFGS -------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", ["", ", l2: 0.01"])
def test_lbfgs_trains_lower_than_gradient_descent(penalty: str, tmp_path: Path) -> None:
    config_text = CLASSES + "optimizer: OPTIMIZER\ntrain: {epochs: 5, keep: lastPENALTY}\n"
    config_text = config_text.replace("PENALTY", penalty)
    fast = trained(tmp_path, config_text.replace("OPTIMIZER", "lbfgs"))
    slow = trained(tmp_path, config_text.replace("OPTIMIZER", "{gd: 0.5}"))
    losses = column(fast, "train_loss")
    assert losses == sorted(losses, reverse=True) or penalty
    assert losses[-1] < 0.5 * column(slow, "train_loss")[-1]


@pytest.mark.parametrize("step", [1, 3])
def test_lbfgs_resumes_to_the_same_bits(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "PROGRESS_INTERVAL", -1.0)
    config_text = CLASSES + (
        "optimizer: {lbfgs: {max_iter: 3, history_size: 4}}\ntrain: {epochs: 6, l2: 0.001}\n"
    )
    whole = trained(tmp_path, config_text)
    run = interrupted(tmp_path, config_text, step, signal.SIGTERM)
    assert len(rows(run)) == step
    resume(run)
    assert run.model.read_bytes() == whole.model.read_bytes()


# --- losses whose output is a logit ----------------------------------------------------------


@pytest.mark.parametrize("loss", ["bce", "bce_with_logits", "hinge"])
def test_a_single_output_is_interpreted_by_its_loss(loss: str, tmp_path: Path) -> None:
    """Two far clusters are told apart, whatever the loss; the same rule counts while training."""
    ending = ", sigmoid" if loss == "bce" else ""
    config_text = (
        "data: {source: {gaussians: {clusters: 2, samples: 120, std: 0.3}}}\n"
        f"network: [{{linear: 4}}, tanh, linear{ending}]\nloss: {loss}\n"
        "optimizer: {adam: 0.05}\ntrain: {epochs: 15, batch_size: 10}\n"
    )
    run = trained(tmp_path, config_text)
    assert saved(run)["linear2.weight"].shape == (4, 1)
    assert column(run, "train_accuracy")[-1] > 0.97
    assert column(run, "validation_accuracy")[-1] > 0.97
    experiment = prepared(tmp_path, config_text).experiment
    outputs = np.array([[-3.0], [0.2], [0.7]])
    shares = experiment.probabilities(outputs)
    np.testing.assert_allclose(shares.sum(1), 1.0)
    assert (shares.argmax(1) == experiment.predicted_classes(outputs)).all()
    if loss != "bce":
        np.testing.assert_allclose(shares[:, 1], 1 / (1 + np.exp(-outputs[:, 0])))


def test_log_probabilities_are_interpreted_by_their_loss(tmp_path: Path) -> None:
    config_text = CLASSES.replace("tanh, linear]", "tanh, linear, log_softmax]") + "loss: nll\n"
    experiment = prepared(tmp_path, config_text).experiment
    shares = np.array([[0.1, 0.2, 0.3, 0.4]])
    np.testing.assert_allclose(experiment.probabilities(np.log(shares)), shares)
