"""Liveness and memory sharing: random graphs give the same numbers as the naive executor."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.gradcheck import gradcheck
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.liveness import Liveness
from ldl.engine.losses import LOSSES
from ldl.engine.parameters import Parameters

from .helpers import fill
from .naive import NaiveExecutor
from .random_graphs import INPUTS, LAYER_ENTRIES, GraphGenerator

SEEDS = range(300)


def assert_close(value: Array, expected: Array, message: str) -> None:
    """Raise AssertionError unless equal but for the order of summation."""
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11 * scale, err_msg=message)


@pytest.mark.parametrize("seed", SEEDS)
@np.errstate(divide="ignore")  # the logarithm of a probability of 0
def test_a_training_step_equals_the_naive_executor(seed: int) -> None:
    generator = GraphGenerator(seed, value_targets=True)
    graph, samples = generator.graph(), 1 + seed % 3
    parameters = Parameters(graph, seed, np.float64)
    names = sorted(node.name for node in graph.nodes)
    outputs = generator.rng.choice(names, seed % 4)
    input_gradients = bool(seed % 2)
    executor = Executor(
        graph,
        parameters,
        samples,
        outputs,
        gradients=True,
        input_gradients=input_gradients,
        training=True,
    )
    streams = Parameters(graph, seed, np.float64).streams
    for _ in range(2):
        batch = generator.batch(samples)
        fill(executor, batch)
        expected = NaiveExecutor(graph, parameters.weights, batch, streams)
        executor.forward()
        assert executor.loss() == pytest.approx(expected.loss, rel=1e-12)
        executor.backward()
        for name in (*outputs, *(loss.name for loss in graph.losses)):
            assert_close(executor.values[name], expected.values[name], f"{name} after backward")
        for name, gradient in expected.gradients.items():
            assert_close(parameters.gradients[name], gradient, f"∂ {name}")
        for name, gradient in executor.input_gradients.items():
            assert_close(gradient, expected.value_gradients[name], f"∂ {name}")
        nonzero = {n for n in INPUTS if input_gradients and np.any(expected.value_gradients[n])}
        assert nonzero <= set(executor.input_gradients)
        for name, array in batch.items():
            np.testing.assert_array_equal(executor.inputs[name], array, err_msg=name)


@pytest.mark.parametrize("seed", SEEDS[:60])
@np.errstate(divide="ignore")  # the logarithm of a probability of 0
def test_frozen_weights_change_no_other_gradient(seed: int) -> None:
    generator = GraphGenerator(seed, value_targets=True)
    graph = generator.graph()
    names = sorted(graph.weights)
    frozen = set(generator.rng.choice(names, len(names) // 2, replace=False))
    batch = generator.batch(2)
    parameter_sets = (
        Parameters(graph, seed, np.float64),
        Parameters(graph, seed, np.float64, frozen),
    )
    for parameters in parameter_sets:
        executor = Executor(graph, parameters, 2, gradients=True, training=True)
        fill(executor, batch)
        executor.forward()
        executor.backward()
    all_gradients, partial_gradients = (parameters.gradients for parameters in parameter_sets)
    for name in all_gradients.keys() - frozen:
        assert_close(partial_gradients[name], all_gradients[name], f"∂ {name}")


def test_frozen_first_layers_have_no_backward() -> None:
    graph = chain("linear", "tanh", "linear", "tanh", "linear")
    frozen = {name for name in graph.weights if name.startswith(("linear0", "linear2"))}
    liveness = Liveness(graph, ["loss"], True, frozen=frozen)
    assert [node.name for node in liveness.backward_order] == ["loss", "linear4"]


@pytest.mark.parametrize("seed", SEEDS[:100])
@np.errstate(divide="ignore")  # the logarithm of a probability of 0
def test_an_evaluation_equals_the_naive_executor(seed: int) -> None:
    generator = GraphGenerator(seed, value_targets=True)
    graph, samples = generator.graph(), 1 + seed % 3
    parameters = Parameters(graph, seed, np.float64)
    outputs = generator.rng.choice(sorted(node.name for node in graph.nodes), 1 + seed % 2)
    executor = Executor(graph, parameters, samples, outputs, losses=bool(seed % 2))
    for _ in range(2):
        batch = generator.batch(samples)
        fill(executor, batch)
        executor.forward()
        expected = NaiveExecutor(graph, parameters.weights, batch, training=False)
        for name in outputs:
            assert_close(executor.values[name], expected.values[name], name)
        assert executor.loss() == pytest.approx(expected.loss if seed % 2 else 0.0, rel=1e-12)


@pytest.mark.parametrize("seed", range(1000, 1012))
def test_gradients_of_random_graphs_equal_central_differences(seed: int) -> None:
    generator = GraphGenerator(seed, value_targets=False)
    graph = generator.graph()
    rows = gradcheck(graph, generator.batch(2), seed, entries=6, input_gradients=True)
    assert rows
    assert {row.name: row.error for row in rows if not row.error < 1e-5} == {}


def test_random_graphs_cover_layers_sharing_fusion_and_pruning() -> None:
    layer_types, fused, bce_losses, shared, repeated, in_place, pruned = set(), 0, 0, 0, 0, 0, 0
    for seed in SEEDS:
        graph = GraphGenerator(seed, value_targets=True).graph()
        liveness = Liveness(graph, [loss.name for loss in graph.losses], gradients=True)
        layer_types |= {type(node.layer) for node in graph.order}
        fused += len(liveness.fused)
        bce_losses += sum(isinstance(loss.layer, LOSSES["bce"]) for loss in graph.losses)
        shared += any(owner != name for name, owner in graph.owners.items())
        repeated += any(len(set(node.inputs)) < len(node.inputs) for node in graph.nodes)
        roots = liveness.shared_values()
        in_place += any(
            roots[p.name] != p.name and p.layer.in_place and not p.layer.view
            for p in liveness.order
        )
        pruned += len(liveness.order) < len(graph.order)
    assert layer_types == {*(LAYERS[entry] for entry in LAYER_ENTRIES), *LOSSES.values()}
    assert fused > 20
    assert bce_losses > fused + 20
    assert min(shared, repeated, in_place, pruned) > 30


# --- feature-major layout -----------------------------------------------------------------------


def chain(*entries: str) -> Graph:
    """Layers one after another; `linear` has five units, the last one three."""
    nodes, value = [], "x"
    for i, entry in enumerate(entries):
        sizes = (3 if i == len(entries) - 1 else 5,) if entry == "linear" else ()
        nodes.append(Node(f"{entry}{i}", LAYERS[entry](*sizes), (value,)))
        value = f"{entry}{i}"
    return Graph(
        {"x": TensorSpec((4,)), "t": TensorSpec((), True)},
        nodes,
        [LossNode("loss", LOSSES["cross_entropy"](), (value, "t"))],
    )


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (("linear", "tanh", "linear"), {"linear0", "tanh1"}),
        (("linear", "relu", "linear", "gelu", "linear"), {"linear0", "relu1", "linear2", "gelu3"}),
        (("linear", "linear", "softmax", "linear"), {"linear0"}),  # softmax sums over features
        (("linear", "dropout", "linear", "tanh", "linear"), {"linear2", "tanh3"}),
        (("linear", "tanh", "softmax", "linear"), set()),
        (("tanh", "linear"), set()),  # inputs of the graph are sample-major
        (("linear",), set()),
    ],
)
def test_which_values_are_feature_major(entries: tuple[str, ...], expected: set[str]) -> None:
    assert Liveness(chain(*entries), ["loss"], True).feature_major() == expected


def test_outputs_are_sample_major() -> None:
    graph = chain("linear", "tanh", "linear", "tanh", "linear")
    liveness = Liveness(graph, ["loss", "tanh1"], True)
    assert liveness.feature_major() == {"linear2", "tanh3"}
    executor = Executor(graph, Parameters(graph), 6, ["tanh1"], gradients=True)
    assert executor.values["tanh1"].flags.c_contiguous
    assert executor.values["tanh3"].flags.f_contiguous


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_a_bias_within_the_matrix_product_changes_no_number(samples: int) -> None:
    """Also for a layer at two nodes, whose second gradient is a temporary."""
    shared = LAYERS["linear"](5)
    nodes = [
        Node("a", LAYERS["linear"](5), ("x",)),
        Node("b", shared, ("a",)),
        Node("c", LAYERS["tanh"](), ("b",)),
        Node("d", shared, ("c",)),
        Node("e", LAYERS["linear"](3), ("d",)),
    ]
    inputs = {"x": TensorSpec((4,)), "t": TensorSpec((), True)}
    graph = Graph(inputs, nodes, [LossNode("loss", LOSSES["cross_entropy"](), ("e", "t"))])
    assert Liveness(graph, ["loss"], True).feature_major() == {"a", "b", "c", "d"}
    parameters = Parameters(graph, 1, np.float64)
    parameters.theta += 0.1
    rng = np.random.default_rng(0)
    batch = {"x": rng.normal(size=(samples, 4)), "t": rng.integers(0, 3, samples)}
    executor = Executor(graph, parameters, samples, gradients=True)
    fill(executor, batch)
    for _ in range(2):
        executor.forward()
        executor.backward()
    expected = NaiveExecutor(graph, parameters.weights, batch)
    assert executor.loss() == pytest.approx(expected.loss, rel=1e-13)
    for name, gradient in expected.gradients.items():
        assert_close(parameters.gradients[name], gradient, name)
