"""Losses of the configuration: terms, weights, what they judge and against what; advice."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.data import Split
from ldl.engine.losses import CrossEntropy, Mse
from ldl.engine.model import Model

from .helpers import classes, compiled, info, problems_of, values, warnings_of


@pytest.mark.parametrize(
    ("text", "data_info", "kind", "task"),
    [
        ("network: [linear]", info(classes(3)), CrossEntropy, "classification"),
        ("network: [linear]", info(values(2)), Mse, "regression"),
        ("network: {encoder: [{linear: 2}], decoder: mirror}", info(), Mse, "reconstruction"),
    ],
)
def test_the_usual_loss_of_the_task(text: str, data_info: object, kind: type, task: str) -> None:
    """Where the configuration says nothing."""
    experiment = compiled(text, data_info)  # type: ignore[arg-type]
    assert isinstance(experiment.main_loss, kind)
    assert experiment.task == task


def test_the_weighted_sum_of_several_losses() -> None:
    """Equal to the sum worked out by hand."""
    text = (
        "network: [{linear: 5, as: h}, {linear: , as: out}]\n"
        "loss: [{mse: sum, weight: 2}, {mae: , from: h, target: labels, weight: 0.5},"
        " {rmse: , weight: 3}]"
    )
    experiment = compiled(text, info(values(5)))
    assert [(loss.name, loss.weight) for loss in experiment.graph.losses] == [
        ("loss.mse", 2),
        ("loss.mae2", 0.5),
        ("loss.rmse3", 3),
    ]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 6)).astype(np.float32)
    t = rng.normal(size=(7, 5)).astype(np.float32)
    part = Split({"x": x}, {"x": x}, t)
    model = Model(experiment.graph, 1)
    out, h = model.predict({"x": x}, "out"), model.predict({"x": x}, "h")
    root = np.sqrt(((out - t) ** 2).mean(1)).mean()
    expected = 2 * ((out - t) ** 2).sum(1).mean() + 0.5 * np.abs(h - t).mean() + 3 * root
    assert model.loss(experiment.arrays(part)) == pytest.approx(expected, rel=1e-5)


def test_targets_are_clean_and_inputs_noisy() -> None:
    """Noise is on what the network reads only."""
    network = "network: {encoder: [{linear: 2}], decoder: mirror}"
    experiment = compiled("data: {source: digits, noise: {gaussian: 0.1}}\n" + network)
    noisy, clean = np.ones((2, 6), np.float32), np.zeros((2, 6), np.float32)
    arrays = experiment.arrays(Split({"x": noisy}, {"x": clean}, np.zeros(2, np.int64)))
    assert arrays["x"] is noisy and arrays["target.x"] is clean


def test_without_noise_inputs_are_their_own_targets() -> None:
    """One array, taken into a batch once."""
    experiment = compiled("network: {encoder: [{linear: 2}], decoder: mirror}")
    assert list(experiment.graph.inputs) == ["x"]
    assert experiment.graph.losses[0].inputs == ("decoder.sigmoid1", "x")


def test_labels_and_inputs_in_one_experiment() -> None:
    """Two target inputs, each fed with its own."""
    text = (
        "data: {source: digits, noise: {gaussian: 0.1}}\n"
        "network: {encoder: [{linear: 3}], decoder: mirror}\n"
        "loss: [{mse: }, {cross_entropy: , from: code, target: labels}]"
    )
    experiment = compiled(text)
    assert experiment.targets == {"target.x": "x", "target.labels": "labels"}
    assert experiment.label_input == "target.labels"


def test_what_is_judged_is_what_the_first_loss_is_on() -> None:
    """A classifier on the code first: the task and its output belong together."""
    text = (
        "network: {encoder: [{linear: 3}], decoder: mirror}\n"
        "loss: [{cross_entropy: , from: code, target: labels}, {mse: , target: inputs}]"
    )
    experiment = compiled(text)
    judged = experiment.graph.specs[experiment.output].shape
    assert judged == ((3,) if experiment.task == "classification" else (6,))


def test_the_head_that_is_judged_need_not_be_last() -> None:
    """As above, in a plain list of layers."""
    text = (
        "network: [{linear: 8, as: h}, {linear: , as: names}, {linear: , from: h, as: back}]\n"
        "loss: [{cross_entropy: , from: names}, {mse: , from: back, target: inputs}]"
    )
    experiment = compiled(text)
    assert (experiment.task, experiment.output) == ("classification", "names")


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("network: [{linear: 3}]\nloss: {mse: , from: nope}", "loss", "nope"),
        ("network: [linear]\nloss: {mse: , from: nope}", "loss", "nope"),
        ("network: [{linear: 3}]\nloss: [{mse: }, {mae: , from: nope}]", "loss.1", "nope"),
    ],
)
def test_an_unknown_name_in_a_loss_is_the_only_problem(text: str, path: str, words: str) -> None:
    """At the loss; nothing else is blamed for it."""
    ((actual_path, message),) = problems_of(text)
    assert actual_path.startswith(path) and words in message


def test_no_loss_is_refused() -> None:
    """There would be nothing to learn; reported at the loss."""
    problems = problems_of("network: [{linear: 3}]\nloss: []")
    assert [path.split(".")[0] for path, _ in problems] == ["loss"]


def test_labels_need_data_that_has_them() -> None:
    """Says what to write instead."""
    ((path, message),) = problems_of("network: [{linear: 3}]", info(values(0).__class__("none")))
    assert path == "loss" and "data.target: inputs" in message


def test_several_inputs_are_no_target() -> None:
    """There is no saying which is meant."""
    text = "network: [{linear: 3, from: a}]\nloss: {mse: , target: inputs}"
    ((path, message),) = problems_of(text, info(a=(3,), b=(3,)))
    assert path == "loss" and "several inputs" in message


def test_all_faults_at_once_in_the_order_of_the_file() -> None:
    """Layers, losses and training; five kinds."""
    text = (
        "network:\n- {linear: 4, as: h}\n- {add: , from: [h, x]}\n- {linear: 3, from: nope}\n"
        "- {same: x, from: h}\n- linear\n"
        "loss: [{mse: }, {mae: , from: gone}]\noptimizer: gd\ntrain: {batch_size: 3}"
    )
    paths = [path for path, _ in problems_of(text)]
    assert [path.split(".")[:2] for path in sorted(paths)] == [
        ["loss", "1"],
        ["network", "1"],
        ["network", "2"],
        ["network", "3"],
        ["train", "batch_size"],
    ]


# --- settings of the training ---------------------------------------------------------------


def test_early_stopping_on_accuracy_needs_classes() -> None:
    """A regression has none, nor has an autoencoder of data with classes."""
    text = "\ntrain: {early_stopping: {monitor: accuracy}}"
    path = "train.early_stopping.monitor"
    assert problems_of("network: [linear]" + text, info(values(1)))[0][0] == path
    code = "network: {encoder: [{linear: 2}], decoder: mirror}"
    assert problems_of(code + text)[0][0] == path
    by_loss = code + "\nloss: {mse: , target: inputs}" + text
    assert problems_of(by_loss)[0][0] == path
    assert compiled("network: [linear]" + text).task == "classification"


def test_early_stopping_on_accuracy_looks_at_what_the_loss_learns() -> None:
    """The loss may have another target than the data's."""
    text = "network: [linear]\nloss: {mse: , target: inputs}\n"
    assert problems_of(text + "train: {early_stopping: {monitor: accuracy}}")


def test_gd_takes_the_whole_set() -> None:
    """A batch size beside it is a contradiction, `full` is not."""
    text = "network: [linear]\noptimizer: gd\ntrain: {batch_size: %s}"
    assert problems_of(text % 4)[0][0] == "train.batch_size"
    assert compiled(text % "full").batch_size == compiled(text % "null").batch_size == 70


# --- advice ---------------------------------------------------------------------------------


def test_softmax_before_cross_entropy() -> None:
    """Twice softmax is hardly meant."""
    text = "network: [{linear: 4}, tanh, linear, softmax]"
    assert warnings_of(text) == [
        ("network.3", "cross_entropy applies softmax itself: leave this one out")
    ]
    assert warnings_of(text + "\nloss: mse") == []


def test_bce_on_a_linear_layer() -> None:
    """Probabilities lie between 0 and 1."""
    ((path, message),) = problems_of("network: [linear]\nloss: bce")
    assert path == "network.0" and "sigmoid" in message
    assert warnings_of("network: [linear, sigmoid]\nloss: bce") == []


def test_layers_that_no_loss_depends_on() -> None:
    """Each of them."""
    text = "network: [{linear: 4, as: h}, {linear: 2, as: idle}, tanh, {linear: , from: h}]"
    assert warnings_of(text) == [
        ("network.1", "no loss depends on idle"),
        ("network.2", "no loss depends on tanh1"),
    ]


def test_nothing_to_say_of_a_usual_network() -> None:
    """No advice without a reason."""
    assert warnings_of("network: [{mlp: [4, 4]}, linear]") == []
    assert warnings_of("network: {encoder: [{linear: 2}, tanh], decoder: mirror}\nloss: bce") == []


def test_values_where_classes_are_learnt() -> None:
    """Whatever the network's outputs; several values may be a row of probabilities."""
    for loss in ("cross_entropy", "nll", "kl_divergence", "hinge"):
        for units in ("", "3"):
            ((path, message),) = problems_of(
                f"network: [{{linear: {units}}}]\nloss: {loss}", info(values(1))
            )
            assert path == "loss" and "the target, v0, is values: use mse" in message
    assert compiled("network: [linear, softmax]\nloss: cross_entropy", info(values(3)))
    text = "data: {source: {npz: a.npz}}\nnetwork: [linear]\nloss: cross_entropy"
    assert "`task: classes`" in problems_of(text, info(values(1)))[0][1]


def test_a_single_class() -> None:
    """Nothing is to be told apart, but inputs can be learnt."""
    problems = problems_of("network: [linear]", info(classes(1)))
    assert [path for path, _ in problems] == ["data.source"]
    assert 'the target "class" has a single class, "c0"' in problems[0][1]
    assert compiled("network: {encoder: [{linear: 2}], decoder: mirror}", info(classes(1)))


@pytest.mark.parametrize(
    ("text", "outputs", "words"),
    [
        ("network: [linear]\nloss: mse", [[0.5, 0.7, -0.1]], "no probabilities"),
        ("network: [linear, softmax]\nloss: mse", [[0.5, 0.3, 0.2]], None),
        ("network: [linear]\nloss: hinge", [[2.0, -1.0, 0.0]], "softmax"),
        ("network: [linear]\nloss: cross_entropy", [[2.0, -1.0, 0.0]], None),
    ],
)
def test_what_is_said_of_probabilities(
    text: str, outputs: list[list[float]], words: str | None
) -> None:
    """Where they are made of outputs that are none."""
    note = compiled(text).probability_note(np.array(outputs))
    assert note is None if words is None else note is not None and words in note
