"""Dropout: rate and scale, random streams, evaluation, restored streams."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model

SIZE = 301


def model_of(layer: Layer, seed: int = 0, dtype: type = np.float32) -> Model:
    """A model of input x, the layer, and mse with target t."""
    loss = LossNode("loss", LOSSES["mse"](), ("drop", "t"))
    inputs = {"x": TensorSpec((SIZE,)), "t": TensorSpec((SIZE,))}
    return Model(Graph(inputs, [Node("drop", layer, ("x",))], [loss]), seed, dtype)


def output(model: Model, x: Array) -> Array:
    """y (N, SIZE) of a training step."""
    executor = model.training_executor(len(x), ("drop",))
    executor.inputs["x"][...] = x
    executor.forward()
    return executor.values["drop"].copy()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_rate_and_scale(rate: float) -> None:
    y = output(model_of(LAYERS["dropout"](rate)), np.ones((200, SIZE)))
    values, counts = np.unique(y, return_counts=True)
    np.testing.assert_allclose(values, [0.0, 1.0 / (1.0 - rate)], rtol=1e-6)
    error = np.sqrt(rate * (1.0 - rate) / y.size)
    assert counts[0] / y.size == pytest.approx(rate, abs=5 * error)
    assert y.mean() == pytest.approx(1.0, abs=5 * error / (1.0 - rate))


def test_steps_and_seeds_have_different_masks() -> None:
    x = np.ones((2, SIZE))
    model = model_of(LAYERS["dropout"](0.5))
    first, second = output(model, x), output(model, x)
    assert (first != second).any()
    assert (first[0] != first[1]).any()
    np.testing.assert_array_equal(output(model_of(LAYERS["dropout"](0.5)), x), first)
    assert (output(model_of(LAYERS["dropout"](0.5), seed=1), x) != first).any()


def test_float64_has_the_same_mask() -> None:
    x, layer = np.ones((3, SIZE)), LAYERS["dropout"](0.3)
    single, double = output(model_of(layer), x), output(model_of(layer, dtype=np.float64), x)
    np.testing.assert_array_equal(single == 0.0, double == 0.0)


def test_a_restored_stream_continues_to_the_bit() -> None:
    """After an odd number of draws, where PCG64 holds half a word."""
    x = np.ones((3, SIZE))
    layer = LAYERS["dropout"](0.5)
    model = model_of(layer)
    output(model, x[:1])
    saved = json.dumps(model.parameters.streams["drop"].bit_generator.state)
    expected = [output(model, x), output(model, x[:2])]
    restored = model_of(layer)
    restored.parameters.streams["drop"].bit_generator.state = json.loads(saved)
    np.testing.assert_array_equal(output(restored, x), expected[0])
    np.testing.assert_array_equal(output(restored, x[:2]), expected[1])


def test_evaluation_is_the_identity_and_draws_nothing() -> None:
    model = model_of(LAYERS["dropout"](0.5))
    x = np.random.default_rng(0).normal(size=(4, SIZE)).astype(np.float32)
    before = model.parameters.streams["drop"].bit_generator.state
    np.testing.assert_array_equal(model.predict({"x": x}, "drop"), x)
    assert model.parameters.streams["drop"].bit_generator.state == before


def test_the_gradient_has_the_mask_of_the_values() -> None:
    model = model_of(LAYERS["dropout"](0.5))
    executor = Executor(
        model.graph, model.parameters, 2, ("drop",), gradients=True, input_gradients=True,
        training=True,
    )  # fmt: skip
    executor.inputs["x"].fill(1.0)
    executor.forward()
    executor.backward()
    y = executor.values["drop"]
    np.testing.assert_allclose(executor.input_gradients["x"], y * y * 2 / SIZE / 2, rtol=1e-6)
