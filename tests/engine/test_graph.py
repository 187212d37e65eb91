"""The graph: order, sharing, pruning, and every fault by the name of its place."""

from __future__ import annotations

import random
from itertools import pairwise, permutations

import pytest

from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.errors import GraphError

Linear, Tanh, Add, Concat = (LAYERS[n] for n in ("linear", "tanh", "add", "concat"))
Mse = LOSSES["mse"]
X = {"x": TensorSpec((4,))}


def faults(*nodes: Node, inputs: dict[str, TensorSpec] = X, losses: tuple = ()) -> dict[str, str]:
    """What a graph that cannot be built says, by place."""
    with pytest.raises(GraphError) as caught:
        Graph(inputs, nodes, losses)
    for name, reason in caught.value.problems:
        assert f"{name}: {reason}" in str(caught.value)
    assert len({name for name, _ in caught.value.problems}) == len(caught.value.problems)
    return dict(caught.value.problems)


# --- order --------------------------------------------------------------------------------------

DIAMOND = (
    Node("top", Linear(3), ("x",)),
    Node("left", Tanh(), ("top",)),
    Node("right", Linear(3), ("top",)),
    Node("join", Add(), ("left", "right")),
)


@pytest.mark.parametrize(
    "places", [*permutations(DIAMOND)], ids=lambda p: "-".join(q.name for q in p)
)
def test_order_is_topological_however_places_are_declared(nodes: tuple[Node, ...]) -> None:
    order = [node.name for node in Graph(X, nodes).order]
    assert sorted(order) == sorted(p.name for p in DIAMOND)
    for node in DIAMOND:
        for name in node.inputs:
            assert name == "x" or order.index(name) < order.index(node.name)


def test_order_is_the_declared_one_where_that_works() -> None:
    assert [node.name for node in Graph(X, DIAMOND).order] == [node.name for node in DIAMOND]


def test_a_deep_graph_needs_no_recursion() -> None:
    count = 3000
    nodes = [Node(f"p{i}", Tanh(), (f"p{i - 1}" if i else "x",)) for i in range(count)]
    random.Random(0).shuffle(nodes)
    assert [p.name for p in Graph(X, nodes).order] == [f"p{i}" for i in range(count)]


def test_losses_come_after_what_they_read() -> None:
    inputs = {**X, "t": TensorSpec((4,))}
    loss = LossNode("loss", Mse(), ("p", "t"))
    order = Graph(inputs, [Node("p", Tanh(), ("x",))], [loss]).order
    assert [node.name for node in order] == ["p", "loss"]


def test_only_what_is_asked_for_is_needed() -> None:
    graph = Graph(X, [*DIAMOND, Node("spare", Linear(9), ("left",))])
    assert [node.name for node in graph.ancestors(["right"])] == ["top", "right"]
    assert [node.name for node in graph.ancestors(["join"])] == [node.name for node in DIAMOND]
    assert graph.ancestors(["x"]) == []


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs_of", "circle"),
    [
        ({"a": "a"}, ["a", "a"]),
        ({"a": "b", "b": "a"}, ["a", "b", "a"]),
        ({"z": "x", "a": "c", "b": "a", "c": "b"}, ["a", "b", "c", "a"]),
    ],
)
def test_a_cycle_is_named_in_the_direction_of_the_values(
    inputs_of: dict[str, str], circle: list[str]
) -> None:
    found = faults(*(Node(name, Tanh(), (read,)) for name, read in inputs_of.items()))
    (reason,) = found.values()
    told = reason.removeprefix("a cycle: ").split(" → ")
    assert told[0] == told[-1]
    assert set(told) == set(circle)
    assert len(told) == len(circle)
    assert all(inputs_of[after] == before for before, after in pairwise(told))


def test_a_name_given_twice_is_a_fault() -> None:
    found = faults(Node("a", Tanh(), ("x",)), Node("a", Tanh(), ("x",)))
    assert found == {"a": "the name a is taken already"}
    assert "taken" in faults(Node("x", Tanh(), ("x",)))["x"]
    loss = LossNode("a", Mse(), ("a", "x"))
    assert "taken" in faults(Node("a", Tanh(), ("x",)), losses=(loss,))["a"]


def test_an_unknown_name_is_told_with_the_valid_ones() -> None:
    reason = faults(Node("a", Tanh(), ("y",)), Node("b", Tanh(), ("x",)))["a"]
    assert "reads y" in reason
    assert "b, x" in reason


# --- shapes -------------------------------------------------------------------------------------


def test_a_shape_that_does_not_fit_is_told_with_both_shapes() -> None:
    found = faults(Node("wide", Linear(5), ("x",)), Node("sum", Add(), ("x", "wide")))
    assert found == {"sum": "cannot add (4) and (5)"}
    target = {**X, "t": TensorSpec((2, 3))}
    found = faults(inputs=target, losses=(LossNode("loss", Mse(), ("x", "t")),))
    assert set(found) == {"loss"}
    assert "(4)" in found["loss"]
    assert "(2, 3)" in found["loss"]


def test_every_fault_is_told_at_once_and_none_that_follows_from_another() -> None:
    found = faults(
        Node("twice", Tanh(), ("x",)),
        Node("twice", Tanh(), ("x",)),
        Node("lost", Tanh(), ("nowhere",)),
        Node("after", Linear(2), ("lost",)),
        Node("narrow", Linear(2), ("x",)),
        Node("sum", Add(), ("x", "narrow")),
        Node("onward", Tanh(), ("sum",)),
        Node("unitless", Linear(), ("x",)),
        inputs={**X, "t": TensorSpec((7,))},
        losses=(LossNode("loss", Mse(), ("narrow", "t")),),
    )
    assert set(found) == {"twice", "lost", "sum", "unitless", "loss"}


def test_a_layer_shared_by_inputs_of_two_sizes_is_a_fault() -> None:
    layer = Linear(3)
    first, second = Node("one", layer, ("x",)), Node("two", layer, ("y",))
    found = faults(first, second, inputs={**X, "y": TensorSpec((5,))})
    assert found == {
        "two": "shares weight (4, 3), bias (3) of one, but needs weight (5, 3), bias (3) here"
    }


# --- weights ------------------------------------------------------------------------------------


def test_shared_weights_carry_the_first_place_s_name() -> None:
    layer = Linear(4)
    graph = Graph(X, [Node("one", layer, ("x",)), Node("two", layer, ("one",))])
    assert graph.owners == {"one": "one", "two": "one"}
    assert list(graph.weights) == ["one.weight", "one.bias"]


def test_equal_layers_that_are_two_objects_share_nothing() -> None:
    graph = Graph(X, [Node("one", Linear(4), ("x",)), Node("two", Linear(4), ("one",))])
    assert list(graph.weights) == ["one.weight", "one.bias", "two.weight", "two.bias"]


def test_specs_and_plans_cover_every_place() -> None:
    graph = Graph(X, [*DIAMOND, Node("both", Concat(), ("join", "top"))])
    assert {n: s.shape for n, s in graph.specs.items()} == {
        "x": (4,), "top": (3,), "left": (3,), "right": (3,), "join": (3,), "both": (6,),
    }  # fmt: skip
    assert graph.plans["top"].multiply_adds == 12
    assert graph.plans["left"].multiply_adds == 0
    assert graph.state == {}
