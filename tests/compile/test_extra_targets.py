"""Auxiliary losses on extra targets of the data, and two inputs that share a block."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ldl.data import DatasetInfo, Split, Target
from ldl.engine.losses import CrossEntropy
from ldl.engine.model import Model

from .helpers import classes, compiled, problems_of, weights

PAIRS = DatasetInfo(
    {"first": (4,), "second": (4,)},
    classes(2),
    samples=100,
    extra_targets={"digit": classes(5), "height": Target("values", ("h", "w"))},
)
NETWORK = """\
blocks: {reader: [{linear: 6}, relu]}
network:
  - {reader: , from: first, as: a}
  - {linear: , as: digit_of_first}
  - {reader: , from: second, as: b}
  - {concat: {}, from: [a, b]}
  - {linear: , as: answer}
  - {linear: , from: b, as: size}
"""
LOSS = """\
loss:
  - {cross_entropy: , from: answer}
  - {cross_entropy: , from: digit_of_first, target: digit, weight: 0.5}
  - {mse: , from: size, target: height, weight: 2}
"""


def test_each_loss_gets_its_target() -> None:
    """Sizes follow from the targets; the sum is that by hand."""
    experiment = compiled(NETWORK + LOSS, PAIRS)
    assert experiment.task == "classification" and experiment.output == "answer"
    assert experiment.targets == {
        "target.labels": "labels",
        "target.digit": "digit",
        "target.height": "height",
    }
    shapes = weights(experiment)
    assert shapes["digit_of_first.weight"][1] == 5
    assert shapes["answer.weight"][1] == 2 and shapes["size.weight"][1] == 2
    rng = np.random.default_rng(0)
    inputs = {name: rng.normal(size=(7, 4)).astype(np.float32) for name in ("first", "second")}
    labels, digit = rng.integers(0, 2, 7), rng.integers(0, 5, 7)
    height = rng.normal(size=(7, 2)).astype(np.float32)
    part = Split(inputs, inputs, labels, {"digit": digit, "height": height})
    arrays = experiment.arrays(part)
    assert arrays["target.digit"] is digit and arrays["target.height"] is height
    assert arrays["target.labels"] is labels
    model = Model(experiment.graph, 0)
    answer, first, size = (
        model.predict(inputs, name) for name in ("answer", "digit_of_first", "size")
    )

    def entropy(scores: np.ndarray, truth: np.ndarray) -> float:
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return float(-logs[np.arange(7), truth].mean())

    by_hand = entropy(answer, labels) + 0.5 * entropy(first, digit)
    by_hand += 2 * float(((size - height) ** 2).mean(axis=1).mean())
    assert model.loss(arrays) == pytest.approx(by_hand, rel=1e-5)


def test_an_unknown_target() -> None:
    text = NETWORK + LOSS.replace("target: digit", "target: digits")
    ((path, message),) = problems_of(text, PAIRS)
    assert path == "loss.1.target"
    assert message.startswith("no target is named digits; did you mean `digit`?")
    assert "`height`, `inputs`, `labels`" in message


def test_the_first_loss_is_what_is_evaluated() -> None:
    text = NETWORK + "loss: {cross_entropy: , from: digit_of_first, target: digit}"
    problems = problems_of(text, PAIRS)
    assert [path for path, _ in problems] == ["loss.target"]
    assert "the first loss says how the network is evaluated" in problems[0][1]


def test_outputs_are_held_against_their_own_target() -> None:
    """Five digits, though the labels are two."""
    sized = NETWORK.replace("{linear: , as: digit_of_first}", "{linear: 4, as: digit_of_first}")
    ((path, message),) = problems_of(sized + LOSS, PAIRS)
    assert path == "network.1" and "5 classes" in message
    right = NETWORK.replace("{linear: , as: digit_of_first}", "{linear: 5, as: digit_of_first}")
    assert isinstance(compiled(right + LOSS, PAIRS).main_loss, CrossEntropy)


def test_info_survives_json() -> None:
    import json

    info = replace(PAIRS, crops={"first": ((8, 8, 1), (6, 6, 1))})
    assert DatasetInfo.from_state(json.loads(json.dumps(info.state()))) == info
