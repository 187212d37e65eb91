"""A classifier that reads a node's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.context import ClassifierSettings, NetworkInfo
from ldl.evaluate.denoising import CLASSIFIER
from ldl.evaluate.latent_classifier import LatentClassifier

from .conftest import make_info, make_split

DATA = make_info((3,), ("a", "b"))
CODE = NetworkInfo({"x": (3,), "code": (2, 2)})


def values(name: str, inputs: Any) -> Any:
    """(n, 2, 2): the first input, a constant, a large value, and the third input."""
    x = inputs["x"]
    code = np.stack([x[:, 0], np.full(len(x), 7.0), 1000 * x[:, 1], x[:, 2]], axis=1)
    return code.reshape(-1, 2, 2).astype(np.float32)


def test_it_is_trained_on_standardised_training_values(make_context: Any, tmp_path: Path) -> None:
    arguments: list[Any] = []

    def train_classifier(*received: Any) -> Any:
        arguments.extend(received)
        return lambda z: (z[:, 0] > 0).astype(np.int64)

    train = make_split([[1, 0, 5], [3, 2, 5], [1, 4, 5], [3, 6, 5]], [0, 1, 0, 1])
    test = make_split([[0, 0, 0], [9, 0, 0], [9, 0, 0]], [0, 1, 0])
    context = make_context(
        "reconstruction", DATA, test, train=train, node_values=values, network=CODE,
        train_classifier=train_classifier,
    )  # fmt: skip
    results = LatentClassifier(["layers"], epochs=4, batch_size=2, learning_rate=0.5).run(context)
    layers, z, labels, classes, settings = arguments
    assert layers == ["layers"] and classes == 2 and labels is train.targets
    assert settings == ClassifierSettings(4, 2, 0.5)
    assert z.dtype == np.float32 and z.shape == (4, 4)
    np.testing.assert_allclose(z[:, [0, 2]].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(z[:, [0, 2]].std(axis=0), 1, rtol=1e-6)
    np.testing.assert_array_equal(z[:, [1, 3]], 0)  # constant values
    assert results["accuracy"] == pytest.approx(2 / 3) and results["train_accuracy"] == 1.0
    assert results["numbers"] == 4
    text = (tmp_path / "contingency" / "latent_classifier.csv").read_text(encoding="utf-8")
    assert text == "true\\predicted,a,b\na,1,1\nb,0,1\n"


def test_its_classifier_reads_all_values_of_the_node() -> None:
    assert LatentClassifier().classifier_layers(DATA, CODE) == (CLASSIFIER, (4,))
    assert LatentClassifier(node="nowhere").classifier_layers(DATA, CODE) is None
