"""A model: cached bindings, predictions and losses over batches of any size."""

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
def test_batches_cover_everything_once(
    count: int, size: int, expected: list[tuple[int, int]]
) -> None:
    assert list(batches(count, size)) == expected


@pytest.mark.parametrize("size", [1, 4, 11, 100])
def test_predictions_and_losses_do_not_depend_on_the_batch_size(size: int) -> None:
    network, given = model(), data(11)
    w = network.parameters.weights
    hidden = np.tanh(given["x"].reshape(11, 6) @ w["hidden.weight"] + w["hidden.bias"])
    out = hidden @ w["out.weight"] + w["out.bias"]
    picked = np.log(np.exp(out).sum(1)) - out[np.arange(11), given["k"]]
    expected = picked.mean() + 0.5 * ((out - given["t"]) ** 2).mean()
    np.testing.assert_allclose(network.predict(given, "out", size), out, rtol=1e-12)
    np.testing.assert_allclose(network.predict(given, "tanh", size), hidden, rtol=1e-12)
    assert network.loss(given, size) == pytest.approx(expected, rel=1e-12)


def test_predictions_need_no_targets() -> None:
    given = data(6)
    np.testing.assert_array_equal(
        model().predict({"x": given["x"]}, "out"), model().predict(given, "out")
    )


def test_a_prediction_is_the_caller_s_own() -> None:
    network, given = model(), data(4)
    first = network.predict(given, "out")
    kept = first.copy()
    network.predict({"x": -given["x"]}, "out")
    np.testing.assert_array_equal(first, kept)


def test_bindings_are_made_once_a_batch_size() -> None:
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


def test_steps_of_alternating_sizes_are_those_of_fresh_models() -> None:
    network, given = model(np.float32), data(7)
    for size in (7, 2, 7, 5, 2):
        part = {name: array[:size] for name, array in given.items()}
        got = step(network.training_executor(size), part)
        alone = step(model(np.float32).training_executor(size), part)
        for name, array in alone.items():
            np.testing.assert_array_equal(got[name], array, err_msg=name)
        network.predict(given, "out", 3)
