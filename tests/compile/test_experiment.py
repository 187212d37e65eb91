"""What the outputs of a network mean, and which weights are frozen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .helpers import classes, compiled, info, problems_of

OUTPUTS = np.array([[2.0, -1.0, 0.5], [-3.0, 0.2, 0.1]], np.float32)
AUTOENCODER = "data: {source: digits, target: inputs}\nnetwork: {encoder: [{linear: 3}], decoder: "
SINGLE = np.array([[0.7], [0.2], [-0.4], [1.5], [0.5], [0.0]], np.float32)


def experiment(loss: str, count: int = 3) -> Any:
    return compiled(f"network: [linear]\nloss: {loss}", info(classes(count)))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("cross_entropy", np.exp(OUTPUTS) / np.exp(OUTPUTS).sum(1, keepdims=True)),
        ("nll", np.exp(OUTPUTS) / np.exp(OUTPUTS).sum(1, keepdims=True)),
        ("mse", np.maximum(OUTPUTS, 1e-12) / np.maximum(OUTPUTS, 1e-12).sum(1, keepdims=True)),
    ],
)
def test_probabilities_of_several_outputs(loss: str, expected: Any) -> None:
    of_three = experiment(loss)
    np.testing.assert_allclose(of_three.probabilities(OUTPUTS), expected, rtol=1e-6)
    assert of_three.predicted_classes(OUTPUTS).tolist() == [0, 1]
    # No overflow, and no influence of a constant.
    if loss != "mse":
        np.testing.assert_allclose(of_three.probabilities(OUTPUTS + 500), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "predicted", "second"),
    [
        ("bce", [1, 0, 0, 1, 0, 0], np.clip(SINGLE[:, 0], 0, 1)),
        ("bce_with_logits", [1, 1, 0, 1, 1, 0], 1 / (1 + np.exp(-SINGLE[:, 0]))),
    ],
)
def test_a_single_output_is_the_second_class(loss: str, predicted: list[int], second: Any) -> None:
    """Above the threshold, which itself is the first class."""
    network = "[linear, sigmoid]" if loss == "bce" else "[linear]"
    of_two = compiled(f"network: {network}\nloss: {loss}", info(classes(2)))
    assert of_two.predicted_classes(SINGLE).tolist() == predicted
    probabilities = of_two.probabilities(SINGLE)
    np.testing.assert_allclose(probabilities, np.stack([1 - second, second], 1), atol=1e-6)


def test_final_outputs_of_a_reconstruction_are_probabilities() -> None:
    rebuilt = compiled(AUTOENCODER + "[linear]}\nloss: bce_with_logits")
    np.testing.assert_allclose(
        rebuilt.final_outputs(OUTPUTS), 1 / (1 + np.exp(-OUTPUTS)), rtol=1e-6
    )
    assert rebuilt.final_outputs(np.float64([[-800.0, 800.0]])).tolist() == [[0.0, 1.0]]
    same = compiled(AUTOENCODER + "[linear]}\nloss: mse")
    assert same.final_outputs(OUTPUTS) is OUTPUTS
    assert experiment("cross_entropy").final_outputs(OUTPUTS) is OUTPUTS


@pytest.mark.parametrize(
    ("loss", "outputs", "note"),
    [
        ("hinge", OUTPUTS, "hinge gives scores"),
        ("cross_entropy", OUTPUTS, None),
        ("bce", [[0.0, 1.0, 0.0]], None),
        ("bce", [[0.3, 0.7005, 0.0]], None),
        ("bce", [[0.3, 0.7015, 0.0]], "no probabilities"),
        ("bce", [[0.3, 0.6985, 0.0]], "no probabilities"),
        ("bce", [[-0.1, 0.6, 0.5]], "no probabilities"),
    ],
)
def test_outputs_that_are_no_probabilities_are_noted(loss: str, outputs: Any, note: str) -> None:
    network = "[linear, softmax]" if loss == "bce" else "[linear]"
    text = compiled(f"network: {network}\nloss: {loss}").probability_note(np.asarray(outputs))
    assert text is None if note is None else note in str(text)


BLOCKS = "blocks: {b: [{linear: 6}, tanh]}\nnetwork: [b, b, {linear: 4}, linear]\n"


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        ("[linear1]", {"linear1.weight", "linear1.bias"}),
        ("[linear1.bias]", {"linear1.bias"}),
        ("[b1]", {"b1.linear1.weight", "b1.linear1.bias"}),
        ("[b2.linear1]", {"b1.linear1.weight", "b1.linear1.bias"}),  # shared
        ("[]", set()),
    ],
)
def test_frozen_weights(names: str, frozen: set[str]) -> None:
    assert compiled(f"{BLOCKS}train: {{freeze: {names}}}").frozen == frozen


@pytest.mark.parametrize(
    ("names", "path", "message"),
    [
        ("[linear]", "train.freeze.0", "no layer with weights is named `linear`"),
        ("[linear1, b1.tanh1]", "train.freeze.1", "b1.linear1"),
        ("[b2, linear1, linear2]", "train.freeze", "all weights are frozen"),
    ],
)
def test_names_that_cannot_be_frozen(names: str, path: str, message: str) -> None:
    ((where, text),) = problems_of(f"{BLOCKS}train: {{freeze: {names}}}")
    assert where == path and message in text


def test_targets_and_batches() -> None:
    """The target of an autoencoder is its clean input; a batch is at most the training split."""
    noisy = AUTOENCODER.replace("inputs", "inputs, noise: {gaussian: 0.1}")
    rebuilt = compiled(noisy + "[linear]}\nloss: mse")
    labelled = experiment("cross_entropy")
    assert list(rebuilt.targets.values()) == list(rebuilt.input_targets.values()) == ["x"]
    assert list(labelled.targets.values()) == ["labels"] and labelled.input_targets == {}
    assert labelled.targets[labelled.label_input] == "labels"
    sizes = {"": 32, "train: {batch_size: 7}": 7, "train: {batch_size: full}": 70,
             "train: {batch_size: 1000}": 70, "optimizer: gd": 70}  # fmt: skip
    for text, size in sizes.items():
        assert compiled(f"network: [linear]\n{text}").batch_size == size
