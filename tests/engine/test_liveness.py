"""Memory planning changes nothing: random graphs, planned and unplanned, give the same numbers."""

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
from .naive import Naive
from .random_graphs import INPUTS, TRIED, Maker

SEEDS = range(300)


def near(got: Array, expected: Array, what: str) -> None:
    """Equal but for the order in which parts were summed."""
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11 * scale, err_msg=what)


@pytest.mark.parametrize("seed", SEEDS)
@np.errstate(divide="ignore")  # the logarithm of a share that has become 0
def test_a_planned_step_equals_an_unplanned_one(seed: int) -> None:
    maker = Maker(seed, inner_targets=True)
    graph, samples = maker.graph(), 1 + seed % 3
    parameters = Parameters(graph, seed, np.float64)
    names = sorted(place.name for place in graph.nodes)
    outputs = maker.rng.choice(names, seed % 4)
    asked = bool(seed % 2)
    binding = Executor(
        graph, parameters, samples, outputs, gradients=True, input_gradients=asked, training=True
    )
    streams = Parameters(graph, seed, np.float64).streams
    for _ in range(2):
        batch = maker.batch(samples)
        fill(binding, batch)
        expected = Naive(graph, parameters.weights, batch, streams)
        binding.forward()
        assert binding.loss() == pytest.approx(expected.loss, rel=1e-12)
        binding.backward()
        for name in (*outputs, *(loss.name for loss in graph.losses)):
            near(binding.values[name], expected.values[name], f"{name} after backward")
        for name, gradient in expected.gradients.items():
            near(parameters.gradients[name], gradient, f"∂ {name}")
        for name, gradient in binding.input_gradients.items():
            near(gradient, expected.value_gradients[name], f"∂ {name}")
        graded = {n for n in INPUTS if asked and np.any(expected.value_gradients[n])}
        assert graded <= set(binding.input_gradients)
        for name, array in batch.items():
            np.testing.assert_array_equal(binding.inputs[name], array, err_msg=name)


@pytest.mark.parametrize("seed", SEEDS[:60])
@np.errstate(divide="ignore")  # the logarithm of a share that has become 0
def test_frozen_weights_change_no_other_gradient(seed: int) -> None:
    maker = Maker(seed, inner_targets=True)
    graph = maker.graph()
    names = sorted(graph.weights)
    frozen = set(maker.rng.choice(names, len(names) // 2, replace=False))
    batch = maker.batch(2)
    both = Parameters(graph, seed, np.float64), Parameters(graph, seed, np.float64, frozen)
    for parameters in both:
        binding = Executor(graph, parameters, 2, gradients=True, training=True)
        fill(binding, batch)
        binding.forward()
        binding.backward()
    whole, part = (parameters.gradients for parameters in both)
    for name in whole.keys() - frozen:
        near(part[name], whole[name], f"∂ {name}")


def test_a_frozen_start_has_no_backward() -> None:
    graph = chain("linear", "tanh", "linear", "tanh", "linear")
    start = {name for name in graph.weights if name.startswith(("linear0", "linear2"))}
    lives = Liveness(graph, ["loss"], True, frozen=start)
    assert [place.name for place in lives.backward_order] == ["loss", "linear4"]


@pytest.mark.parametrize("seed", SEEDS[:100])
@np.errstate(divide="ignore")  # the logarithm of a share that has become 0
def test_a_planned_evaluation_equals_an_unplanned_one(seed: int) -> None:
    maker = Maker(seed, inner_targets=True)
    graph, samples = maker.graph(), 1 + seed % 3
    parameters = Parameters(graph, seed, np.float64)
    outputs = maker.rng.choice(sorted(place.name for place in graph.nodes), 1 + seed % 2)
    binding = Executor(graph, parameters, samples, outputs, losses=bool(seed % 2))
    for _ in range(2):
        batch = maker.batch(samples)
        fill(binding, batch)
        binding.forward()
        expected = Naive(graph, parameters.weights, batch, training=False)
        for name in outputs:
            near(binding.values[name], expected.values[name], name)
        assert binding.loss() == pytest.approx(expected.loss if seed % 2 else 0.0, rel=1e-12)


@pytest.mark.parametrize("seed", range(1000, 1012))
def test_a_planned_step_agrees_with_central_differences(seed: int) -> None:
    maker = Maker(seed, inner_targets=False)
    graph = maker.graph()
    rows = gradcheck(graph, maker.batch(2), seed, entries=6, input_gradients=True)
    assert rows
    assert {row.name: row.error for row in rows if not row.error < 1e-5} == {}


def test_the_random_graphs_hold_what_they_are_there_to_try() -> None:
    used, absorbed, kept, shared, twice, in_place, pruned = set(), 0, 0, 0, 0, 0, 0
    for seed in SEEDS:
        graph = Maker(seed, inner_targets=True).graph()
        lives = Liveness(graph, [loss.name for loss in graph.losses], gradients=True)
        used |= {type(place.layer) for place in graph.order}
        absorbed += len(lives.fused)
        kept += sum(isinstance(loss.layer, LOSSES["bce"]) for loss in graph.losses)
        shared += any(owner != name for name, owner in graph.owners.items())
        twice += any(len(set(place.inputs)) < len(place.inputs) for place in graph.nodes)
        roots = lives.shared_values()
        in_place += any(
            roots[p.name] != p.name and p.layer.in_place and not p.layer.view for p in lives.order
        )
        pruned += len(lives.order) < len(graph.order)
    assert used == {*(LAYERS[entry] for entry in TRIED), *LOSSES.values()}
    assert absorbed > 20
    assert kept > absorbed + 20
    assert min(shared, twice, in_place, pruned) > 30


# --- hidden values with samples last ------------------------------------------------------------


def chain(*entries: str) -> Graph:
    """Layers one after another; `linear` has five units, the last one three."""
    places, value = [], "x"
    for i, entry in enumerate(entries):
        sizes = (3 if i == len(entries) - 1 else 5,) if entry == "linear" else ()
        places.append(Node(f"{entry}{i}", LAYERS[entry](*sizes), (value,)))
        value = f"{entry}{i}"
    return Graph(
        {"x": TensorSpec((4,)), "t": TensorSpec((), True)},
        places,
        [LossNode("loss", LOSSES["cross_entropy"](), (value, "t"))],
    )


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (("linear", "tanh", "linear"), {"linear0", "tanh1"}),
        (("linear", "relu", "linear", "gelu", "linear"), {"linear0", "relu1", "linear2", "gelu3"}),
        (("linear", "linear", "softmax", "linear"), {"linear0"}),  # softmax sums over a sample
        (("linear", "dropout", "linear", "tanh", "linear"), {"linear2", "tanh3"}),
        (("linear", "tanh", "softmax", "linear"), set()),
        (("tanh", "linear"), set()),  # an input is not the network's to lay out
        (("linear",), set()),
    ],
)
def test_which_hidden_values_have_samples_last(
    entries: tuple[str, ...], expected: set[str]
) -> None:
    assert Liveness(chain(*entries), ["loss"], True).feature_major() == expected


def test_what_a_caller_reads_has_samples_first() -> None:
    graph = chain("linear", "tanh", "linear", "tanh", "linear")
    lives = Liveness(graph, ["loss", "tanh1"], True)
    assert lives.feature_major() == {"linear2", "tanh3"}
    binding = Executor(graph, Parameters(graph), 6, ["tanh1"], gradients=True)
    assert binding.values["tanh1"].flags.c_contiguous
    assert binding.values["tanh3"].flags.f_contiguous


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_a_bias_within_the_product_is_the_same(samples: int) -> None:
    """Against the plain formulas, with a layer that is used twice: its second share is apart."""
    shared = LAYERS["linear"](5)
    places = [
        Node("a", LAYERS["linear"](5), ("x",)),
        Node("b", shared, ("a",)),
        Node("c", LAYERS["tanh"](), ("b",)),
        Node("d", shared, ("c",)),
        Node("e", LAYERS["linear"](3), ("d",)),
    ]
    inputs = {"x": TensorSpec((4,)), "t": TensorSpec((), True)}
    graph = Graph(inputs, places, [LossNode("loss", LOSSES["cross_entropy"](), ("e", "t"))])
    assert Liveness(graph, ["loss"], True).feature_major() == {"a", "b", "c", "d"}
    parameters = Parameters(graph, 1, np.float64)
    parameters.theta += 0.1
    rng = np.random.default_rng(0)
    batch = {"x": rng.normal(size=(samples, 4)), "t": rng.integers(0, 3, samples)}
    binding = Executor(graph, parameters, samples, gradients=True)
    fill(binding, batch)
    for _ in range(2):
        binding.forward()
        binding.backward()
    expected = Naive(graph, parameters.weights, batch)
    assert binding.loss() == pytest.approx(expected.loss, rel=1e-13)
    for name, gradient in expected.gradients.items():
        near(parameters.gradients[name], gradient, name)
