"""A bound graph: residuals, fan-out, several losses, auxiliary losses, pruning, shared memory."""

from __future__ import annotations

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


def bound(graph: Graph, samples: int = 5, **options: object) -> Executor:
    parameters = Parameters(graph, 1, np.float64)
    return Executor(graph, parameters, samples, gradients=True, **options)


def residual() -> Graph:
    places = [
        Node("a", linear(), ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", linear(), ("b",)),
        Node("d", layer("add"), ("a", "c")),
        Node("e", layer("relu"), ("d",)),
    ]
    return Graph(INPUTS, places, [loss("mse", "e", "t")])


def three_readers() -> Graph:
    places = [
        Node("a", linear(), ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", layer("sigmoid"), ("a",)),
        Node("d", linear(), ("a",)),
        Node("e", layer("concat"), ("b", "c", "d")),
        Node("f", linear(), ("e",)),
    ]
    return Graph(INPUTS, places, [loss("rmse", "f", "t")])


def doubled() -> Graph:
    places = [
        Node("a", linear(), ("x",)),
        Node("b", layer("add"), ("a", "a")),
        Node("c", layer("tanh"), ("b",)),
        Node("d", layer("add"), ("c", "b", "c")),
        Node("e", layer("concat"), ("d", "d")),
        Node("f", linear(), ("e",)),
    ]
    return Graph(INPUTS, places, [loss("mse", "f", "t")])


def weighted_losses() -> Graph:
    places = [
        Node("a", linear(), ("x",)),
        Node("b", layer("sigmoid"), ("a",)),
        Node("c", linear(), ("b",)),
    ]
    losses = [
        loss("cross_entropy", "c", "k", 0.7),
        loss("mse", "c", "t", 2.0, "second"),
        loss("bce", "b", "t", 0.3, "auxiliary"),
    ]
    return Graph(INPUTS, places, losses)


def shared() -> Graph:
    both = linear()
    places = [
        Node("a", both, ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", both, ("b",)),
        Node("d", both, ("t",)),
        Node("e", layer("add"), ("c", "d")),
    ]
    return Graph(INPUTS, places, [loss("cross_entropy", "e", "k")])


def views() -> Graph:
    places = [
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
    return Graph(INPUTS, places, [loss("mse", "j", "t")])


GRAPHS = [residual, three_readers, doubled, weighted_losses, shared, views]


@pytest.mark.parametrize("make", GRAPHS)
def test_gradients_add_up_wherever_values_and_weights_are_read(make: object) -> None:
    graph = make()
    given = {name: array for name, array in batch().items() if name in graph.inputs}
    # In `shared` t is an input of the network; in all others it is a target and has no gradient.
    rows = gradcheck(graph, given, seed=1, input_gradients=True)
    assert {row.name for row in rows} >= {"input x", *graph.weights}
    assert {row.name: row.error for row in rows if not row.error < 1e-6} == {}


def test_the_loss_is_the_weighted_mean_of_its_parts() -> None:
    binding = bound(weighted_losses())
    got = step(binding, batch())
    parts = 0.7 * got["loss"].mean() + 2.0 * got["second"].mean() + 0.3 * got["auxiliary"].mean()
    assert binding.loss() == pytest.approx(parts, rel=1e-14)


def test_gradients_are_linear_in_the_losses_weights() -> None:
    whole = weighted_losses()
    parameters = Parameters(whole, 1, np.float64)
    total = np.zeros_like(parameters.gradient)
    for part in whole.losses:
        graph = Graph(whole.inputs, whole.nodes, [part])
        step(Executor(graph, parameters, 5, gradients=True), batch())
        total += parameters.gradient
        parameters.gradient.fill(0.0)
    step(Executor(whole, parameters, 5, gradients=True), batch())
    np.testing.assert_allclose(parameters.gradient, total, rtol=1e-12, atol=1e-15)


# --- what does not run --------------------------------------------------------------------------


def test_a_branch_that_reaches_no_loss_does_not_run_and_has_no_gradient() -> None:
    places = [
        *residual().nodes,
        Node("side", linear(9), ("b",)),
        Node("end", linear(), ("side",)),
    ]
    graph = Graph(INPUTS, places, residual().losses)
    binding = bound(graph)
    got, without = step(binding, batch()), step(bound(residual()), batch())
    assert {"side", "end"}.isdisjoint(binding.contexts)
    assert not binding.parameters.gradients["side.weight"].any()
    for name, array in without.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
    asked = bound(graph, outputs=("end",))
    got = step(asked, batch())
    assert asked.values["end"].any()
    assert not got["d side.weight"].any()


def test_nothing_is_graded_before_the_first_weight() -> None:
    places = [Node("a", layer("tanh"), ("x",)), Node("b", linear(), ("a",))]
    graph = Graph(INPUTS, places, [loss("mse", "b", "t")])
    binding = bound(graph)
    assert binding.contexts["a"].dy is None
    assert binding.contexts["b"].dx == (None,)
    assert binding.input_gradients == {}
    asked = bound(graph, input_gradients=True)
    assert set(asked.input_gradients) == {"x"}


def test_an_evaluation_binding_carries_no_gradients_and_leaves_them_alone() -> None:
    graph = residual()
    parameters = Parameters(graph, 1, np.float64)
    parameters.gradient.fill(7.0)
    judge = Executor(graph, parameters, 5)
    fill(judge, batch())
    judge.forward()
    judge.backward()
    for node in judge.contexts.values():
        assert not node.training
        assert node.dx.count(None) == len(node.dx)
        assert not node.dw
    assert (parameters.gradient == 7.0).all()
    train = Executor(graph, parameters, 5, gradients=True)
    assert train.bytes > judge.bytes


# --- memory -------------------------------------------------------------------------------------


def test_an_activation_writes_over_what_nobody_reads_again() -> None:
    binding = bound(three_readers(), outputs=())
    assert not np.shares_memory(binding.values["a"], binding.values["b"])
    places = [Node("a", linear(), ("x",)), Node("b", layer("tanh"), ("a",))]
    chain = bound(Graph(INPUTS, places, [loss("mse", "b", "t")]))
    assert np.shares_memory(chain.values["a"], chain.values["b"])
    assert np.shares_memory(chain.contexts["b"].dy, chain.contexts["a"].dy)
    kept = bound(Graph(INPUTS, places, [loss("mse", "b", "t")]), outputs=("a",))
    assert not np.shares_memory(kept.values["a"], kept.values["b"])


def test_nothing_writes_over_a_value_whose_producer_reads_it_in_backward() -> None:
    places = [
        Node("a", linear(), ("x",)),
        Node("b", layer("tanh"), ("a",)),
        Node("c", layer("relu"), ("b",)),
    ]
    binding = bound(Graph(INPUTS, places, [loss("mse", "c", "t")]))
    assert np.shares_memory(binding.values["a"], binding.values["b"])
    assert not np.shares_memory(binding.values["b"], binding.values["c"])


def test_add_does_not_write_over_an_input_that_it_reads_twice() -> None:
    for third in ("a", "c"):
        places = [
            Node("a", linear(), ("x",)),
            Node("b", linear(), ("x",)),
            Node("c", layer("identity"), ("a",)),
            Node("d", layer("add"), ("a", "b", third)),
        ]
        binding = bound(Graph(INPUTS, places, [loss("mse", "d", "t")]), outputs=("a", "d"))
        step(binding, batch())
        kept = binding.values["d"].copy()
        binding = bound(Graph(INPUTS, places, [loss("mse", "d", "t")]), outputs=("d",))
        step(binding, batch())
        np.testing.assert_array_equal(binding.values["d"], kept)


@pytest.mark.parametrize("make", GRAPHS)
def test_views_share_their_input_s_memory_and_inputs_are_never_written(make: object) -> None:
    graph = make()
    binding = bound(graph)
    step(binding, batch())
    for name, array in batch().items():
        if name in graph.inputs:
            np.testing.assert_array_equal(binding.inputs[name], array)
    for place in graph.nodes:
        if place.layer.view:
            assert np.shares_memory(
                binding.contexts[place.name].y, binding.contexts[place.name].x[0]
            )
        elif place.inputs[0] in graph.inputs:
            assert not np.shares_memory(
                binding.contexts[place.name].y, binding.contexts[place.name].x[0]
            )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_planned_array_starts_on_a_cache_line(dtype: type) -> None:
    graph = weighted_losses()
    binding = Executor(graph, Parameters(graph, 0, dtype), 5, gradients=True)
    arrays = [*binding.inputs.values(), *binding.values.values()]
    arrays += [binding.contexts[place.name].dy for place in graph.nodes]
    assert {array.ctypes.data % ALIGNMENT for array in arrays} == {0}


def test_planning_saves_memory() -> None:
    places, last = [], "x"
    for i in range(10):
        places += [Node(f"l{i}", linear(), (last,)), Node(f"s{i}", layer("tanh"), (f"l{i}",))]
        last = f"s{i}"
    graph = Graph(INPUTS, places, [loss("mse", last, "t")])
    samples = 64
    buffer = samples * 4 * 8
    judge = Executor(graph, Parameters(graph, 0, np.float64), samples)
    inputs = sum(array.nbytes for array in judge.inputs.values())
    # Two values at a time, the difference from the target, and one number a sample.
    assert judge.bytes - inputs <= 3 * buffer + samples * 8
    train = Executor(graph, Parameters(graph, 0, np.float64), samples, gradients=True)
    # Ten activations are kept; two gradients and one slope are alive at a time. Each linear layer
    # has a row of ones; the loss has its values, ∂L/∂y and a column.
    assert train.bytes - inputs <= (10 + 1 + 3) * buffer + (10 + 3) * samples * 8


# --- bce after sigmoid --------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_bce_that_absorbs_a_sigmoid_gives_the_sigmoid_s_own_gradient(reduction: str) -> None:
    places = [Node("a", linear(), ("x",)), Node("p", layer("sigmoid"), ("a",))]
    bce = LossNode("loss", LOSSES["bce"](reduction), ("p", "t"), 1.3)
    absorbed = bound(Graph(INPUTS, places, [bce]), input_gradients=True)
    assert absorbed.contexts["p"].dy is None
    # A view between the two keeps the loss from seeing the sigmoid.
    between = [*places, Node("v", layer("identity"), ("p",))]
    apart = bound(
        Graph(INPUTS, between, [LossNode("loss", bce.layer, ("v", "t"), 1.3)]),
        input_gradients=True,
    )
    assert apart.contexts["p"].dy is not None
    one, other = step(absorbed, batch()), step(apart, batch())
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_allclose(array, other[name], rtol=1e-10, atol=1e-14, err_msg=name)


def test_bce_leaves_a_sigmoid_alone_that_others_read_too() -> None:
    binding = bound(weighted_losses())
    assert binding.contexts["b"].dy is not None


def test_an_absorbed_sigmoid_still_learns_where_its_own_slope_is_gone() -> None:
    """At z = 40 the slope σ′ is 0 in float32, but p − t is 1: the combined form still moves."""
    graph = Graph(
        {"x": TensorSpec((1,)), "t": TensorSpec((1,))},
        [Node("p", layer("sigmoid"), ("x",))],
        [LossNode("loss", LOSSES["bce"](), ("p", "t"))],
    )
    binding = Executor(graph, Parameters(graph), 1, gradients=True, input_gradients=True)
    with np.errstate(divide="ignore"):
        step(binding, {"x": np.array([[40.0]]), "t": np.array([[0.0]])})
    assert binding.input_gradients["x"] == 1.0
    assert binding.values["loss"] == 100.0


class _Counted:
    """Counts a layer's forwards by wrapping it in a subclass made on the spot."""

    def __init__(self, base: type[Loss] | type[Layer]) -> None:
        self.calls = 0
        outer = self

        class Counting(base):
            def forward(self, ctx: object, scratch: object) -> object:
                yield outer.count
                yield from super().forward(ctx, scratch)

        self.layer = Counting()

    def count(self) -> None:
        self.calls += 1


def test_a_layer_runs_once_a_forward_however_many_read_it() -> None:
    counted = _Counted(LAYERS["tanh"])
    places = [
        Node("a", linear(), ("x",)),
        Node("b", counted.layer, ("a",)),
        Node("c", layer("add"), ("b", "b")),
        Node("d", layer("add"), ("b", "c")),
    ]
    binding = bound(Graph(INPUTS, places, [loss("mse", "d", "t"), loss("mae", "b", "t", 1, "l2")]))
    step(binding, batch())
    assert counted.calls == 1
