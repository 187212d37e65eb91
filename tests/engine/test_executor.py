"""The executor: residuals, several consumers and losses, pruning, shared memory, fused losses."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.gradcheck import gradcheck
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.init import Normal
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES, Loss
from ldl.engine.memory import ALIGNMENT
from ldl.engine.parameters import Parameters

from .helpers import fill, step

NORMAL = Normal(0.6)
INPUTS = {"x": TensorSpec((4,)), "t": TensorSpec((4,)), "k": TensorSpec((), integer=True)}


def linear(units: int = 4) -> Layer:
    return LAYERS["linear"](units, True, NORMAL, NORMAL)


def layer(entry: str) -> Layer:
    return LAYERS[entry]()


def loss(entry: str, p: str, t: str, weight: float = 1.0, name: str = "loss") -> LossNode:
    return LossNode(name, LOSSES[entry](), (p, t), weight)


def batch(samples: int = 5, seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(size=(samples, 4)),
        "t": rng.uniform(0.1, 0.9, (samples, 4)),
        "k": rng.integers(4, size=samples),
    }


def make_executor(graph: Graph, samples: int = 5, **options: object) -> Executor:
    parameters = Parameters(graph, 1, np.float64)
    return Executor(graph, parameters, samples, gradients=True, **options)


def residual() -> Graph:
    nodes = [
        Node("a", linear(), ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", linear(), ("b",)),
        Node("d", layer("add"), ("a", "c")),
        Node("e", layer("relu"), ("d",)),
    ]
    return Graph(INPUTS, nodes, [loss("mse", "e", "t")])


def three_consumers() -> Graph:
    nodes = [
        Node("a", linear(), ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", layer("sigmoid"), ("a",)),
        Node("d", linear(), ("a",)),
        Node("e", layer("concat"), ("b", "c", "d")),
        Node("f", linear(), ("e",)),
    ]
    return Graph(INPUTS, nodes, [loss("rmse", "f", "t")])


def repeated_inputs() -> Graph:
    nodes = [
        Node("a", linear(), ("x",)),
        Node("b", layer("add"), ("a", "a")),
        Node("c", layer("tanh"), ("b",)),
        Node("d", layer("add"), ("c", "b", "c")),
        Node("e", layer("concat"), ("d", "d")),
        Node("f", linear(), ("e",)),
    ]
    return Graph(INPUTS, nodes, [loss("mse", "f", "t")])


def weighted_losses() -> Graph:
    nodes = [
        Node("a", linear(), ("x",)),
        Node("b", layer("sigmoid"), ("a",)),
        Node("c", linear(), ("b",)),
    ]
    losses = [
        loss("cross_entropy", "c", "k", 0.7),
        loss("mse", "c", "t", 2.0, "second"),
        loss("bce", "b", "t", 0.3, "auxiliary"),
    ]
    return Graph(INPUTS, nodes, losses)


def shared_layer() -> Graph:
    layer_twice = linear()
    nodes = [
        Node("a", layer_twice, ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", layer_twice, ("b",)),
        Node("d", layer_twice, ("t",)),
        Node("e", layer("add"), ("c", "d")),
    ]
    return Graph(INPUTS, nodes, [loss("cross_entropy", "e", "k")])


def views() -> Graph:
    nodes = [
        Node("a", LAYERS["reshape"]((2, 2)), ("x",)),
        Node("b", LAYERS["linear"](3, True, NORMAL, NORMAL), ("a",)),
        Node("c", layer("flatten"), ("b",)),
        Node("d", layer("identity"), ("c",)),
        Node("e", layer("tanh"), ("d",)),
        Node("f", LAYERS["reshape"]((3, -1)), ("c",)),
        Node("g", linear(), ("e",)),
        Node("h", layer("flatten"), ("f",)),
        Node("i", linear(), ("h",)),
        Node("j", layer("add"), ("g", "i")),
    ]
    return Graph(INPUTS, nodes, [loss("mse", "j", "t")])


GRAPHS = [residual, three_consumers, repeated_inputs, weighted_losses, shared_layer, views]


@pytest.mark.parametrize("make_graph", GRAPHS)
def test_gradients_of_shared_values_and_weights_are_summed(make_graph: object) -> None:
    graph = make_graph()
    inputs = {name: array for name, array in batch().items() if name in graph.inputs}
    # In `shared_layer` t is an input of the network, elsewhere a target without gradient.
    rows = gradcheck(graph, inputs, seed=1, input_gradients=True)
    assert {row.name for row in rows} >= {"input x", *graph.weights}
    assert {row.name: row.error for row in rows if not row.error < 1e-6} == {}


def test_the_loss_is_the_sum_of_weighted_means() -> None:
    executor = make_executor(weighted_losses())
    result = step(executor, batch())
    expected = (
        0.7 * result["loss"].mean()
        + 2.0 * result["second"].mean()
        + 0.3 * result["auxiliary"].mean()
    )
    assert executor.loss() == pytest.approx(expected, rel=1e-14)


def test_gradients_are_linear_in_the_weights_of_losses() -> None:
    whole_graph = weighted_losses()
    parameters = Parameters(whole_graph, 1, np.float64)
    gradient = np.zeros_like(parameters.gradient)
    for loss_node in whole_graph.losses:
        graph = Graph(whole_graph.inputs, whole_graph.nodes, [loss_node])
        step(Executor(graph, parameters, 5, gradients=True), batch())
        gradient += parameters.gradient
        parameters.gradient.fill(0.0)
    step(Executor(whole_graph, parameters, 5, gradients=True), batch())
    np.testing.assert_allclose(parameters.gradient, gradient, rtol=1e-12, atol=1e-15)


# --- pruning ------------------------------------------------------------------------------------


def test_a_branch_without_loss_does_not_run_and_has_no_gradient() -> None:
    nodes = [
        *residual().nodes,
        Node("side", linear(9), ("b",)),
        Node("end", linear(), ("side",)),
    ]
    graph = Graph(INPUTS, nodes, residual().losses)
    executor = make_executor(graph)
    result, pruned_result = step(executor, batch()), step(make_executor(residual()), batch())
    assert {"side", "end"}.isdisjoint(executor.contexts)
    assert not executor.parameters.gradients["side.weight"].any()
    for name, array in pruned_result.items():
        np.testing.assert_array_equal(result[name], array, err_msg=name)
    with_output = make_executor(graph, outputs=("end",))
    result = step(with_output, batch())
    assert with_output.values["end"].any()
    assert not result["d side.weight"].any()


def test_the_gradient_of_weights_without_a_loss_is_zero_in_every_step() -> None:
    """Also after a penalty was added to it. Evaluation and frozen weights leave it alone."""
    graph = Graph(INPUTS, [*residual().nodes, Node("side", linear(9), ("b",))], residual().losses)
    executor = make_executor(graph)
    executor.parameters.gradient.fill(7.0)
    step(executor, batch())
    assert not executor.parameters.gradients["side.weight"].any()
    assert not executor.parameters.gradients["side.bias"].any()
    frozen = Parameters(graph, 1, np.float64, ("side.weight",))
    frozen.gradient.fill(7.0)
    step(Executor(graph, frozen, 5, gradients=True), batch())
    assert (frozen.gradients["side.weight"] == 7.0).all()


def test_values_before_the_first_weight_have_no_gradient() -> None:
    nodes = [Node("a", layer("tanh"), ("x",)), Node("b", linear(), ("a",))]
    graph = Graph(INPUTS, nodes, [loss("mse", "b", "t")])
    executor = make_executor(graph)
    assert executor.contexts["a"].dy is None
    assert executor.contexts["b"].dx == (None,)
    assert executor.input_gradients == {}
    with_input_gradients = make_executor(graph, input_gradients=True)
    assert set(with_input_gradients.input_gradients) == {"x"}


def test_an_evaluation_executor_has_no_gradients_and_writes_none() -> None:
    graph = residual()
    parameters = Parameters(graph, 1, np.float64)
    parameters.gradient.fill(7.0)
    evaluation = Executor(graph, parameters, 5)
    fill(evaluation, batch())
    evaluation.forward()
    evaluation.backward()
    for node in evaluation.contexts.values():
        assert not node.training
        assert node.dx.count(None) == len(node.dx)
        assert not node.dw
    assert (parameters.gradient == 7.0).all()
    train = Executor(graph, parameters, 5, gradients=True)
    assert train.bytes > evaluation.bytes


# --- memory -------------------------------------------------------------------------------------


def test_an_activation_overwrites_an_input_that_is_not_read_again() -> None:
    executor = make_executor(three_consumers(), outputs=())
    assert not np.shares_memory(executor.values["a"], executor.values["b"])
    nodes = [Node("a", linear(), ("x",)), Node("b", layer("tanh"), ("a",))]
    chain = make_executor(Graph(INPUTS, nodes, [loss("mse", "b", "t")]))
    assert np.shares_memory(chain.values["a"], chain.values["b"])
    assert np.shares_memory(chain.contexts["b"].dy, chain.contexts["a"].dy)
    with_output = make_executor(Graph(INPUTS, nodes, [loss("mse", "b", "t")]), outputs=("a",))
    assert not np.shares_memory(with_output.values["a"], with_output.values["b"])


def test_a_value_that_backward_reads_is_not_overwritten() -> None:
    nodes = [
        Node("a", linear(), ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", layer("relu"), ("b",)),
    ]
    executor = make_executor(Graph(INPUTS, nodes, [loss("mse", "c", "t")]))
    assert np.shares_memory(executor.values["a"], executor.values["b"])
    assert not np.shares_memory(executor.values["b"], executor.values["c"])


def test_add_does_not_overwrite_an_input_that_it_reads_twice() -> None:
    for third_input in ("a", "c"):
        nodes = [
            Node("a", linear(), ("x",)),
            Node("b", linear(), ("x",)),
            Node("c", layer("identity"), ("a",)),
            Node("d", layer("add"), ("a", "b", third_input)),
        ]
        executor = make_executor(Graph(INPUTS, nodes, [loss("mse", "d", "t")]), outputs=("a", "d"))
        step(executor, batch())
        expected = executor.values["d"].copy()
        executor = make_executor(Graph(INPUTS, nodes, [loss("mse", "d", "t")]), outputs=("d",))
        step(executor, batch())
        np.testing.assert_array_equal(executor.values["d"], expected)


@pytest.mark.parametrize("make_graph", GRAPHS)
def test_views_share_memory_and_inputs_are_never_written(make_graph: object) -> None:
    graph = make_graph()
    executor = make_executor(graph)
    step(executor, batch())
    for name, array in batch().items():
        if name in graph.inputs:
            np.testing.assert_array_equal(executor.inputs[name], array)
    for node in graph.nodes:
        if node.layer.view:
            assert np.shares_memory(
                executor.contexts[node.name].y, executor.contexts[node.name].x[0]
            )
        elif node.inputs[0] in graph.inputs:
            assert not np.shares_memory(
                executor.contexts[node.name].y, executor.contexts[node.name].x[0]
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_planned_array_starts_on_a_cache_line(dtype: type) -> None:
    graph = weighted_losses()
    executor = Executor(graph, Parameters(graph, 0, dtype), 5, gradients=True)
    arrays = [*executor.inputs.values(), *executor.values.values()]
    arrays += [executor.contexts[node.name].dy for node in graph.nodes]
    assert {array.ctypes.data % ALIGNMENT for array in arrays} == {0}


def test_buffers_of_disjoint_lifetimes_share_memory() -> None:
    nodes, value = [], "x"
    for i in range(10):
        nodes += [Node(f"l{i}", linear(), (value,)), Node(f"s{i}", layer("tanh"), (f"l{i}",))]
        value = f"s{i}"
    graph = Graph(INPUTS, nodes, [loss("mse", value, "t")])
    samples = 64
    buffer = samples * 4 * 8
    evaluation = Executor(graph, Parameters(graph, 0, np.float64), samples)
    inputs = sum(array.nbytes for array in evaluation.inputs.values())
    # Two values at a time, the difference from the target, and one number for each sample.
    assert evaluation.bytes - inputs <= 3 * buffer + samples * 8
    train = Executor(graph, Parameters(graph, 0, np.float64), samples, gradients=True)
    # Ten activations live until backward, and two gradients and one slope at a time. Each linear
    # layer has a row of ones; the loss has its values, ∂L/∂y and a column.
    assert train.bytes - inputs <= (10 + 1 + 3) * buffer + (10 + 3) * samples * 8


def test_relu_keeps_one_array_of_zeros_for_both_passes() -> None:
    def used_bytes(entry: str) -> int:
        nodes = [Node("a", linear(), ("x",)), Node("b", layer(entry), ("a",))]
        return make_executor(Graph(INPUTS, nodes, [loss("mse", "b", "t")])).bytes

    assert used_bytes("relu") - used_bytes("tanh") == batch()["x"].nbytes


def test_the_bytes_are_those_that_an_executor_allocates() -> None:
    """Also arrays that layers allocate and divide into blocks; Python's own objects are small."""
    nodes = [
        Node("max", LAYERS["maxpool2d"](3, 2, 1), ("x",)),
        Node("norm", layer("batch_norm"), ("max",)),
        Node("average", LAYERS["avgpool2d"](2, 1, 1), ("norm",)),
    ]
    graph = Graph(
        {"x": TensorSpec((9, 9, 4)), "t": TensorSpec((6, 6, 4))},
        nodes,
        [loss("huber", "average", "t")],
    )
    parameters = Parameters(graph)
    tracemalloc.start()
    executor = Executor(
        graph, parameters, 2000, gradients=True, input_gradients=True, training=True
    )
    allocated, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert executor.bytes == pytest.approx(allocated, rel=0.02)


# --- bce after sigmoid --------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_fused_bce_gives_the_gradient_of_the_sigmoid(reduction: str) -> None:
    nodes = [Node("a", linear(), ("x",)), Node("p", layer("sigmoid"), ("a",))]
    bce = LossNode("loss", LOSSES["bce"](reduction), ("p", "t"), 1.3)
    fused = make_executor(Graph(INPUTS, nodes, [bce]), input_gradients=True)
    assert fused.contexts["p"].dy is None
    # A view between sigmoid and loss prevents the fusion.
    nodes_with_view = [*nodes, Node("v", layer("identity"), ("p",))]
    separate = make_executor(
        Graph(INPUTS, nodes_with_view, [LossNode("loss", bce.layer, ("v", "t"), 1.3)]),
        input_gradients=True,
    )
    assert separate.contexts["p"].dy is not None
    fused_result, separate_result = step(fused, batch()), step(separate, batch())
    assert fused_result.keys() == separate_result.keys()
    for name, array in fused_result.items():
        np.testing.assert_allclose(
            array, separate_result[name], rtol=1e-10, atol=1e-14, err_msg=name
        )


def test_a_sigmoid_with_other_consumers_is_not_fused() -> None:
    executor = make_executor(weighted_losses())
    assert executor.contexts["b"].dy is not None


def test_a_fused_sigmoid_has_a_gradient_where_its_slope_underflows() -> None:
    """At z = 40 the slope σ′ is 0 in float32, but p − t is 1."""
    graph = Graph(
        {"x": TensorSpec((1,)), "t": TensorSpec((1,))},
        [Node("p", layer("sigmoid"), ("x",))],
        [LossNode("loss", LOSSES["bce"](), ("p", "t"))],
    )
    executor = Executor(graph, Parameters(graph), 1, gradients=True, input_gradients=True)
    with np.errstate(divide="ignore"):
        step(executor, {"x": np.array([[40.0]]), "t": np.array([[0.0]])})
    assert executor.input_gradients["x"] == 1.0
    assert executor.values["loss"] == 100.0


class _ForwardCounter:
    """A layer of a subclass that counts the forward calls."""

    def __init__(self, base: type[Loss] | type[Layer]) -> None:
        self.calls = 0
        counter = self

        class Counting(base):
            def forward(self, ctx: object, scratch: object) -> object:
                yield counter.count
                yield from super().forward(ctx, scratch)

        self.layer = Counting()

    def count(self) -> None:
        self.calls += 1


def test_a_layer_with_several_consumers_runs_once() -> None:
    counter = _ForwardCounter(LAYERS["tanh"])
    nodes = [
        Node("a", linear(), ("x",)),
        Node("b", counter.layer, ("a",)),
        Node("c", layer("add"), ("b", "b")),
        Node("d", layer("add"), ("b", "c")),
    ]
    executor = make_executor(
        Graph(INPUTS, nodes, [loss("mse", "d", "t"), loss("mae", "b", "t", 1, "l2")])
    )
    step(executor, batch())
    assert counter.calls == 1
