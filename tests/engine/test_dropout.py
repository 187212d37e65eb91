"""Dropout: shares and scale, the stream it draws from, judging, resuming to the bit."""

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
    """x, the layer, and a loss against zeros."""
    loss = LossNode("loss", LOSSES["mse"](), ("drop", "t"))
    inputs = {"x": TensorSpec((SIZE,)), "t": TensorSpec((SIZE,))}
    return Model(Graph(inputs, [Node("drop", layer, ("x",))], [loss]), seed, dtype)


def output(model: Model, x: Array) -> Array:
    """y of a training step."""
    binding = model.training_executor(len(x), ("drop",))
    binding.inputs["x"][...] = x
    binding.forward()
    return binding.values["drop"].copy()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_shares_and_scale(rate: float) -> None:
    y = output(model_of(LAYERS["dropout"](rate)), np.ones((200, SIZE)))
    values, counts = np.unique(y, return_counts=True)
    np.testing.assert_allclose(values, [0.0, 1.0 / (1.0 - rate)], rtol=1e-6)
    error = np.sqrt(rate * (1.0 - rate) / y.size)
    assert counts[0] / y.size == pytest.approx(rate, abs=5 * error)
    assert y.mean() == pytest.approx(1.0, abs=5 * error / (1.0 - rate))


def test_each_step_and_each_seed_draws_anew() -> None:
    x = np.ones((2, SIZE))
    model = model_of(LAYERS["dropout"](0.5))
    first, second = output(model, x), output(model, x)
    assert (first != second).any()
    assert (first[0] != first[1]).any()
    np.testing.assert_array_equal(output(model_of(LAYERS["dropout"](0.5)), x), first)
    assert (output(model_of(LAYERS["dropout"](0.5), seed=1), x) != first).any()


def test_float64_sees_the_same_mask() -> None:
    x, layer = np.ones((3, SIZE)), LAYERS["dropout"](0.3)
    one, two = output(model_of(layer), x), output(model_of(layer, dtype=np.float64), x)
    np.testing.assert_array_equal(one == 0.0, two == 0.0)


def test_a_restored_stream_draws_on_as_if_nothing_had_happened() -> None:
    """An odd number of draws: PCG64 then keeps half a word for the next."""
    x = np.ones((3, SIZE))
    layer = LAYERS["dropout"](0.5)
    model = model_of(layer)
    output(model, x[:1])
    saved = json.dumps(model.parameters.streams["drop"].bit_generator.state)
    expected = [output(model, x), output(model, x[:2])]
    other = model_of(layer)
    other.parameters.streams["drop"].bit_generator.state = json.loads(saved)
    np.testing.assert_array_equal(output(other, x), expected[0])
    np.testing.assert_array_equal(output(other, x[:2]), expected[1])


def test_judging_is_the_identity_and_draws_nothing() -> None:
    model = model_of(LAYERS["dropout"](0.5))
    x = np.random.default_rng(0).normal(size=(4, SIZE)).astype(np.float32)
    before = model.parameters.streams["drop"].bit_generator.state
    np.testing.assert_array_equal(model.predict({"x": x}, "drop"), x)
    assert model.parameters.streams["drop"].bit_generator.state == before


def test_the_gradient_passes_where_values_passed() -> None:
    model = model_of(LAYERS["dropout"](0.5))
    binding = Executor(
        model.graph, model.parameters, 2, ("drop",), gradients=True, input_gradients=True,
        training=True,
    )  # fmt: skip
    binding.inputs["x"].fill(1.0)
    binding.forward()
    binding.backward()
    y = binding.values["drop"]
    np.testing.assert_allclose(binding.input_gradients["x"], y * y * 2 / SIZE / 2, rtol=1e-6)
