"""Normalisation: running statistics, evaluation, and batches of several blocks."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from ldl.arrays import Array, Shape
from ldl.engine.executor import Executor
from ldl.engine.gradcheck import gradcheck
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.layers.batch_norm import block_shape
from ldl.engine.layers.norm import divisors, nearest_divisor
from ldl.engine.losses import LOSSES
from ldl.engine.model import Model
from ldl.engine.parameters import Parameters

from . import naive


def norm_chain(layer: Layer, shape: Shape, uses: int = 1) -> Graph:
    """The same layer at `uses` nodes in a row, and a loss."""
    nodes = [Node(f"n{i}", layer, (f"n{i - 1}" if i else "x",)) for i in range(uses)]
    loss = LossNode("loss", LOSSES["mse"](), (f"n{uses - 1}", "t"))
    return Graph({"x": TensorSpec(shape), "t": TensorSpec(shape)}, nodes, [loss])


def after_forward(layer: Layer, batches: list[Array]) -> Parameters:
    """The parameters after a forward on each batch."""
    parameters = Parameters(norm_chain(layer, batches[0].shape[1:]), 0, np.float64)
    for x in batches:
        graph = norm_chain(layer, x.shape[1:])
        executor = Executor(graph, parameters, len(x), training=True)
        executor.inputs["x"][...] = x
        executor.forward()
    return parameters


def draws(shape: Shape, count: int, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.normal(3.0, 2.0, shape) for _ in range(count)]


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3), (3, 2, 4, 1)])
@pytest.mark.parametrize("momentum", [0.1, 0.37, 1.0, 0.0])
def test_running_statistics_follow_the_batches(shape: Shape, momentum: float) -> None:
    batches = draws(shape, 3)
    mean, var = np.zeros(shape[-1]), np.ones(shape[-1])
    for x in batches:
        rows = x.reshape(-1, shape[-1])
        mean = (1 - momentum) * mean + momentum * rows.mean(0)
        var = (1 - momentum) * var + momentum * rows.var(0, ddof=1)
    state = after_forward(LAYERS["batch_norm"](momentum), batches).state
    np.testing.assert_allclose(state["n0.running_mean"], mean, rtol=1e-13)
    np.testing.assert_allclose(state["n0.running_var"], var, rtol=1e-13)


def test_a_shared_layer_has_one_pair_of_running_statistics() -> None:
    parameters = Parameters(norm_chain(LAYERS["batch_norm"](0.5), (3,), uses=2), 0, np.float64)
    assert set(parameters.state) == {"n0.running_mean", "n0.running_var"}
    executor = Executor(
        norm_chain(LAYERS["batch_norm"](0.5), (3,), 2), parameters, 4, training=True
    )
    (x,) = draws((4, 3), 1)
    executor.inputs["x"][...] = x
    executor.forward()
    # The second node has mean 0, so that its update halves that of the first.
    np.testing.assert_allclose(parameters.state["n0.running_mean"], x.mean(0) / 4, rtol=1e-12)


def test_one_value_in_a_channel_gives_the_bias_and_no_update() -> None:
    layer = LAYERS["batch_norm"]()
    (x,) = draws((1, 3), 1)
    parameters = after_forward(layer, [x])
    np.testing.assert_array_equal(parameters.state["n0.running_mean"], np.zeros(3))
    np.testing.assert_array_equal(parameters.state["n0.running_var"], np.ones(3))
    parameters.weights["n0.bias"][...] = (1.0, 2.0, 3.0)
    executor = Executor(norm_chain(layer, x.shape[1:]), parameters, 1, ("n0",), training=True)
    executor.inputs["x"][...] = x
    executor.forward()
    np.testing.assert_array_equal(executor.values["n0"], [[1.0, 2.0, 3.0]])


def test_evaluation_reads_running_statistics_without_update() -> None:
    layer, epsilon = LAYERS["batch_norm"](epsilon=0.01), 0.01
    x, evaluation_x = draws((5, 2, 3), 2)
    parameters = after_forward(layer, [x])
    saved = {name: array.copy() for name, array in parameters.state.items()}
    parameters.weights["n0.weight"][...] = (2.0, -1.0, 0.5)
    executor = Executor(norm_chain(layer, x.shape[1:]), parameters, 5, ("n0",))
    executor.inputs["x"][...] = evaluation_x
    executor.forward()
    scale = parameters.weights["n0.weight"] / np.sqrt(saved["n0.running_var"] + epsilon)
    expected = (evaluation_x - saved["n0.running_mean"]) * scale
    np.testing.assert_allclose(executor.values["n0"], expected, rtol=1e-12)
    for name, array in saved.items():
        np.testing.assert_array_equal(parameters.state[name], array)


def test_gradients_with_running_statistics() -> None:
    """In evaluation the statistics are constants, and each y depends on its own x alone."""
    layer = LAYERS["batch_norm"]()
    plan = layer.plan((TensorSpec((2, 3)),))
    rng = np.random.default_rng(1)
    w = {name: rng.normal(size=3) for name in plan.w}
    x, dy = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))

    def forward_at(x: Array) -> naive.LayerStep:
        step = naive.fresh_layer_step(layer, plan, (x,), w, training=False)
        step.ctx.state["running_mean"][...] = (0.3, -1.0, 2.0)
        step.ctx.state["running_var"][...] = (0.5, 1.0, 4.0)
        step.forward()
        return step

    step = forward_at(x)
    step.ctx.dy[...] = dy
    step.backward()
    h = 1e-6
    for index in np.ndindex(x.shape):
        changed = x.copy()
        changed[index] += h
        difference = ((forward_at(changed).ctx.y - step.ctx.y) * dy).sum() / h
        assert step.ctx.dx[0][index] == pytest.approx(difference, rel=1e-6, abs=1e-8)
    normalized = (x - step.ctx.state["running_mean"]) / np.sqrt(
        step.ctx.state["running_var"] + 1e-5
    )
    np.testing.assert_allclose(step.ctx.dw["weight"], (dy * normalized).sum((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(step.ctx.dw["bias"], dy.sum((0, 1)), rtol=1e-12)


def test_running_statistics_are_saved_and_loaded() -> None:
    graph = norm_chain(LAYERS["batch_norm"](), (3,))
    model, restored = Model(graph), Model(graph)
    executor = model.training_executor(4)
    executor.inputs["x"][...] = draws((4, 3), 1)[0]
    executor.forward()
    restored.parameters.load({name: a.copy() for name, a in model.parameters.arrays().items()})
    (x,) = draws((6, 3), 1, seed=5)
    np.testing.assert_array_equal(model.predict({"x": x}, "n0"), restored.predict({"x": x}, "n0"))
    np.testing.assert_array_equal(
        restored.parameters.state["n0.running_var"], model.parameters.state["n0.running_var"]
    )


# One row in a block, several blocks, and prime numbers of rows.
LARGE = [
    *((64, (13, 13, 6)), (37, (40, 40)), (1021, (33,)), (5, (3, 7, 67)), (8191, (1,)), (2, (4,))),
    (128, (16, 16, 16)),
]


@pytest.mark.parametrize(("samples", "shape"), LARGE)
def test_several_blocks_equal_the_formula(samples: int, shape: Shape) -> None:
    layer = LAYERS["batch_norm"]()
    plan = layer.plan((TensorSpec(shape),))
    rng = np.random.default_rng(0)
    x, dy = rng.normal(1.0, 3.0, (2, samples, *shape))
    w = {name: rng.normal(size=shape[-1]) for name in plan.w}
    step = naive.fresh_layer_step(layer, plan, (x,), w)
    step.forward()
    step.ctx.dy[...] = dy
    step.backward()
    axes = tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt(x.var(axes) + 1e-5)
    normalized = (x - x.mean(axes)) * scale
    np.testing.assert_allclose(
        step.ctx.y, normalized * w["weight"] + w["bias"], rtol=1e-9, atol=1e-11
    )
    centred_dy = dy - dy.mean(axes) - normalized * (dy * normalized).mean(axes)
    np.testing.assert_allclose(
        step.ctx.dx[0], centred_dy * scale * w["weight"], rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(
        step.ctx.dw["weight"], (dy * normalized).sum(axes), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize(("samples", "shape"), LARGE)
def test_blocks_divide_the_rows(samples: int, shape: Shape) -> None:
    size, count = shape[-1], samples * prod(shape[:-1])
    block_rows, block_columns = block_shape(count, size)
    assert block_columns % size == 0
    assert count * size % (block_rows * block_columns) == 0
    assert count * size // (block_rows * block_columns) <= 64


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [
        (1480, 40, (37, 800)),
        (10816, 6, (32, 1014)),
        (32768, 16, (4, 8192)),
        (1 << 20, 64, (4, 8192)),
        (4096, 64, (8, 4096)),
        (1021, 33, (1021, 33)),
        (8191, 1, (1, 8191)),
    ],
)
def test_blocks_stay_in_cache_and_rows_are_long(
    count: int, size: int, expected: tuple[int, int]
) -> None:
    """A row has 1,024 to 8,192 values, a 64th of all where that lies between; a block 32,768."""
    assert block_shape(count, size) == expected


def test_the_nearest_divisor_is_that_of_the_smallest_ratio() -> None:
    assert sorted(divisors(12)) == [1, 2, 3, 4, 6, 12]
    assert sorted(set(divisors(36))) == [1, 2, 3, 4, 6, 9, 12, 18, 36]
    assert nearest_divisor(12, 5, 20) == 4
    assert nearest_divisor(12, 1, 5) == 6  # 6/5 is nearer to 1 than 5/4
    assert nearest_divisor(7, 3, 1) == 1


def test_statistics_of_values_far_from_zero_are_accurate() -> None:
    """E[x²] − μ² would lose all digits here."""
    rng = np.random.default_rng(0)
    x = (1000.0 + rng.normal(size=(64, 5))).astype(np.float32)
    for entry, axis in (("batch_norm", 0), ("layer_norm", 1)):
        layer = LAYERS[entry]()
        plan = layer.plan((TensorSpec((5,)),))
        w = {"weight": np.ones(5, np.float32), "bias": np.zeros(5, np.float32)}
        step = naive.fresh_layer_step(layer, plan, (x,), w)
        step.forward()
        exact = x.astype(float)
        centred = exact - exact.mean(axis, keepdims=True)
        expected = centred / np.sqrt(exact.var(axis, keepdims=True) + 1e-5)
        np.testing.assert_allclose(step.ctx.y, expected, atol=2e-3)


@pytest.mark.parametrize("entry", ["batch_norm", "layer_norm"])
def test_weight_decay_does_not_apply_to_norms(entry: str) -> None:
    parameters = Parameters(norm_chain(LAYERS[entry](), (3,)))
    assert parameters.decay_slices == ()
    np.testing.assert_array_equal(parameters.weights["n0.weight"], np.ones(3))
    np.testing.assert_array_equal(parameters.weights["n0.bias"], np.zeros(3))


def test_a_chain_of_norms_has_right_gradients() -> None:
    layers = [LAYERS[name]() for name in ("batch_norm", "layer_norm", "batch_norm")]
    nodes = [Node(f"n{i}", layer, (f"n{i - 1}" if i else "x",)) for i, layer in enumerate(layers)]
    loss = LossNode("loss", LOSSES["mse"](), ("n2", "t"))
    graph = Graph({"x": TensorSpec((2, 5)), "t": TensorSpec((2, 5))}, nodes, [loss])
    x, t = draws((4, 2, 5), 2)
    rows = gradcheck(graph, {"x": x, "t": t}, input_gradients=True)
    assert max(row.error for row in rows) < 1e-6
