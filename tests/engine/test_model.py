"""A model: cached executors, predictions and losses over batches of any size."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model, batches

from .helpers import step


def model(dtype: type = np.float64) -> Model:
    inputs = {"x": TensorSpec((2, 3)), "k": TensorSpec((), integer=True), "t": TensorSpec((4,))}
    nodes = [
        Node("flat", LAYERS["flatten"](), ("x",)),
        Node("hidden", LAYERS["linear"](5), ("flat",)),
        Node("tanh", LAYERS["tanh"](), ("hidden",)),
        Node("out", LAYERS["linear"](4), ("tanh",)),
    ]
    losses = [
        LossNode("class", LOSSES["cross_entropy"](), ("out", "k")),
        LossNode("value", LOSSES["mse"](), ("out", "t"), 0.5),
    ]
    return Model(Graph(inputs, nodes, losses), 3, dtype)


def data(count: int) -> dict[str, Array]:
    rng = np.random.default_rng(2)
    return {
        "x": rng.normal(size=(count, 2, 3)),
        "k": rng.integers(4, size=count),
        "t": rng.normal(size=(count, 4)),
    }


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (5, 2, [(0, 2), (2, 4), (4, 5)]),
        (4, 2, [(0, 2), (2, 4)]),
        (1, 9, [(0, 1)]),
        (0, 3, []),
    ],
)
def test_batches_cover_each_sample_once(
    count: int, size: int, expected: list[tuple[int, int]]
) -> None:
    assert list(batches(count, size)) == expected


@pytest.mark.parametrize("size", [1, 4, 11, 100])
def test_predictions_and_losses_do_not_depend_on_the_batch_size(size: int) -> None:
    network, dataset = model(), data(11)
    w = network.parameters.weights
    hidden = np.tanh(dataset["x"].reshape(11, 6) @ w["hidden.weight"] + w["hidden.bias"])
    out = hidden @ w["out.weight"] + w["out.bias"]
    class_losses = np.log(np.exp(out).sum(1)) - out[np.arange(11), dataset["k"]]
    expected = class_losses.mean() + 0.5 * ((out - dataset["t"]) ** 2).mean()
    np.testing.assert_allclose(network.predict(dataset, "out", size), out, rtol=1e-12)
    np.testing.assert_allclose(network.predict(dataset, "tanh", size), hidden, rtol=1e-12)
    assert network.loss(dataset, size) == pytest.approx(expected, rel=1e-12)


def test_predictions_need_no_targets() -> None:
    dataset = data(6)
    np.testing.assert_array_equal(
        model().predict({"x": dataset["x"]}, "out"), model().predict(dataset, "out")
    )


def test_a_prediction_is_a_copy() -> None:
    network, dataset = model(), data(4)
    first = network.predict(dataset, "out")
    saved = first.copy()
    network.predict({"x": -dataset["x"]}, "out")
    np.testing.assert_array_equal(first, saved)


def test_executors_are_cached_by_batch_size_outputs_and_losses() -> None:
    network = model()
    assert network.training_executor(4) is network.training_executor(4)
    assert network.training_executor(4) is not network.training_executor(3)
    assert network.training_executor(4) is not network.evaluation_executor(4)
    assert network.evaluation_executor(4) is network.evaluation_executor(4)
    assert network.evaluation_executor(4, ("out",)) is not network.evaluation_executor(4, ("tanh",))
    assert network.evaluation_executor(4, ("out",)) is not network.evaluation_executor(
        4, ("out",), losses=False
    )
    assert network.training_executor(4).parameters is network.evaluation_executor(2).parameters


def test_steps_of_alternating_sizes_equal_those_of_new_models() -> None:
    network, dataset = model(np.float32), data(7)
    for size in (7, 2, 7, 5, 2):
        batch = {name: array[:size] for name, array in dataset.items()}
        result = step(network.training_executor(size), batch)
        expected = step(model(np.float32).training_executor(size), batch)
        for name, array in expected.items():
            np.testing.assert_array_equal(result[name], array, err_msg=name)
        network.predict(dataset, "out", 3)
