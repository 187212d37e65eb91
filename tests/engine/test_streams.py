"""Named random streams: draws depend on the seed and the names alone."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ldl.engine.graph import Graph, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.parameters import Parameters
from ldl.engine.streams import stream

NAMES = [(), ("a",), ("b",), ("a", "b"), ("ab",), ("b", "a"), ("a", 1), ("a", 2), ("a", 12)]


def test_the_same_names_give_the_same_draws() -> None:
    for names in NAMES:
        np.testing.assert_array_equal(stream(3, *names).random(8), stream(3, *names).random(8))


def test_other_names_and_other_seeds_give_other_draws() -> None:
    draws = [stream(seed, *names).random(8) for names in NAMES for seed in (0, 1, 2**40)]
    for first, second in combinations(draws, 2):
        assert not np.isclose(first, second).any()


def test_draws_equal_those_of_earlier_versions() -> None:
    """A change of these numbers changes the result of every run."""
    assert stream(0, "weight", "l1.weight").integers(10**6, size=4).tolist() == EXPECTED_DRAWS


EXPECTED_DRAWS = [50384, 850038, 443321, 548794]


def network(*names: str) -> Parameters:
    nodes, value = [], "x"
    for name in names:
        nodes.append(Node(name, LAYERS["linear"](4), (value,)))
        value = name
    return Parameters(Graph({"x": TensorSpec((4,))}, nodes), seed=11)


def test_an_added_layer_changes_no_other_draw() -> None:
    small, large = network("a", "b"), network("new", "a", "other", "b")
    for name in ("a.weight", "b.weight"):
        np.testing.assert_array_equal(small.weights[name], large.weights[name])
    for name in ("a", "b"):
        assert (small.streams[name].random(4) == large.streams[name].random(4)).all()
    assert (large.weights["a.weight"] != large.weights["b.weight"]).all()


def test_a_weight_and_a_node_of_one_name_have_different_streams() -> None:
    assert stream(0, "weight", "a").random() != stream(0, "node", "a").random()


def test_single_and_double_precision_start_from_the_same_draws() -> None:
    graph = Graph({"x": TensorSpec((4,))}, [Node("a", LAYERS["linear"](4), ("x",))])
    double = Parameters(graph, 11, np.float64).weights["a.weight"]
    np.testing.assert_array_equal(Parameters(graph, 11).weights["a.weight"], np.float32(double))
