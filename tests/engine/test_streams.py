"""Named random streams: the same names give the same draws, and nothing moves another's."""

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
    drawn = [stream(seed, *names).random(8) for names in NAMES for seed in (0, 1, 2**40)]
    for one, other in combinations(drawn, 2):
        assert not np.isclose(one, other).any()


def test_draws_are_the_ones_that_they_have_always_been() -> None:
    """A change here changes every run that anybody has written down."""
    assert stream(0, "weight", "l1.weight").integers(10**6, size=4).tolist() == PINNED


PINNED = [50384, 850038, 443321, 548794]


def network(*names: str) -> Parameters:
    nodes, last = [], "x"
    for name in names:
        nodes.append(Node(name, LAYERS["linear"](4), (last,)))
        last = name
    return Parameters(Graph({"x": TensorSpec((4,))}, nodes), seed=11)


def test_adding_a_layer_moves_no_other_draw() -> None:
    small, large = network("a", "b"), network("new", "a", "other", "b")
    for name in ("a.weight", "b.weight"):
        np.testing.assert_array_equal(small.weights[name], large.weights[name])
    for name in ("a", "b"):
        assert (small.streams[name].random(4) == large.streams[name].random(4)).all()
    assert (large.weights["a.weight"] != large.weights["b.weight"]).all()


def test_a_weight_and_a_node_of_one_name_have_streams_of_their_own() -> None:
    assert stream(0, "weight", "a").random() != stream(0, "node", "a").random()


def test_single_and_double_precision_start_from_the_same_draws() -> None:
    graph = Graph({"x": TensorSpec((4,))}, [Node("a", LAYERS["linear"](4), ("x",))])
    double = Parameters(graph, 11, np.float64).weights["a.weight"]
    np.testing.assert_array_equal(Parameters(graph, 11).weights["a.weight"], np.float32(double))
