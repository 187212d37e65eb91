"""Updates by outer products: their norms, their steps, and where they replace a gradient."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg.blas import dger, sger

from ldl.arrays import Array
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.outer_product import OuterProductUpdate


def chain(*layers: Layer) -> Graph:
    """Layers one after another on five numbers, against a target of two."""
    nodes = [Node(f"l{i}", layer, (f"l{i - 1}" if i else "x",)) for i, layer in enumerate(layers)]
    loss = LossNode("loss", LOSSES["mse"](), (nodes[-1].name, "t"))
    return Graph({"x": TensorSpec((5,)), "t": TensorSpec((2,))}, nodes, [loss])


def linear(units: int = 2, bias: bool = True) -> Layer:
    return LAYERS["linear"](units=units, bias=bias)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [True, False])
def test_an_update_is_the_step_along_the_gradient(dtype: type, bias: bool) -> None:
    graph, rng = chain(linear(3, bias), LAYERS["tanh"](), linear(2, bias)), np.random.default_rng(0)
    batch = {"x": rng.normal(size=(1, 5)), "t": rng.normal(size=(1, 2))}
    plain, model = (Model(graph, 1, dtype) for _ in range(2))
    executors = [plain.training_executor(1), model.training_executor(1, outer_products=True)]
    for executor in executors:
        for name, values in batch.items():
            executor.inputs[name][...] = values
        executor.forward()
        executor.backward()
    updates = executors[1].outer_products
    ger = sger if dtype is np.float32 else dger
    gradient = plain.parameters.gradient
    expected = plain.parameters.theta - dtype(0.5) * gradient
    assert sum(u.squared_norm() for u in updates) == pytest.approx(float(gradient @ gradient))
    for update in updates:
        assert update.finite
        update.apply(ger, 0.5)
    np.testing.assert_allclose(model.parameters.theta, expected, rtol=1e-5, atol=1e-6)
    assert {update.name for update in updates} <= set(graph.weights)


def update(x: Array, dy: Array) -> OuterProductUpdate:
    result = OuterProductUpdate("w", np.zeros((len(x), dy.size), x.dtype), x, dy)
    for call in result.calls:
        call()
    return result


@np.errstate(over="ignore")
def test_factors_beyond_float32_have_a_norm() -> None:
    x, dy = np.array([[3e30], [4e30]], np.float32), np.array([[6e-30, 8e-30]], np.float32)
    large = update(x, dy)
    assert large.finite and large.squared_norm() == pytest.approx((5e30 * 1e-29) ** 2, rel=1e-6)
    assert not update(x, np.array([[1e30, 0.0]], np.float32)).finite


def test_where_the_gradient_is_written() -> None:
    """With shared weights, other layers with weights, several positions, several samples."""

    def replaced(graph: Graph, samples: int = 1) -> bool:
        return bool(Model(graph).training_executor(samples, outer_products=True).outer_products)

    shared = linear(5)
    assert replaced(chain(linear(5), linear(2)))
    assert not replaced(chain(linear(5), linear(2)), 2)
    assert not replaced(chain(shared, shared, linear(2)))
    assert not replaced(chain(linear(4), LAYERS["layer_norm"](), linear(2)))
    positions = (LAYERS["reshape"](shape=(5, 1)), linear(2), LAYERS["flatten"](), linear(2))
    assert not replaced(chain(*positions))
