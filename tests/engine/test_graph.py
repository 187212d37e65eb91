"""The graph: order, ancestors, shared weights, and problems by the name of their node."""

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


def graph_problems(
    *nodes: Node, inputs: dict[str, TensorSpec] = X, losses: tuple = ()
) -> dict[str, str]:
    """Node name → problem, for a graph that raises GraphError."""
    with pytest.raises(GraphError) as error:
        Graph(inputs, nodes, losses)
    for name, reason in error.value.problems:
        assert f"{name}: {reason}" in str(error.value)
    assert len({name for name, _ in error.value.problems}) == len(error.value.problems)
    return dict(error.value.problems)


# --- order --------------------------------------------------------------------------------------

DIAMOND = (
    Node("top", Linear(3), ("x",)),
    Node("left", Tanh(), ("top",)),
    Node("right", Linear(3), ("top",)),
    Node("join", Add(), ("left", "right")),
)


@pytest.mark.parametrize(
    "nodes", [*permutations(DIAMOND)], ids=lambda p: "-".join(q.name for q in p)
)
def test_order_is_topological_for_any_declaration_order(nodes: tuple[Node, ...]) -> None:
    order = [node.name for node in Graph(X, nodes).order]
    assert sorted(order) == sorted(p.name for p in DIAMOND)
    for node in DIAMOND:
        for name in node.inputs:
            assert name == "x" or order.index(name) < order.index(node.name)


def test_order_is_that_of_declaration_where_possible() -> None:
    assert [node.name for node in Graph(X, DIAMOND).order] == [node.name for node in DIAMOND]


def test_a_deep_graph_needs_no_recursion() -> None:
    count = 3000
    nodes = [Node(f"p{i}", Tanh(), (f"p{i - 1}" if i else "x",)) for i in range(count)]
    random.Random(0).shuffle(nodes)
    assert [p.name for p in Graph(X, nodes).order] == [f"p{i}" for i in range(count)]


def test_losses_come_after_their_inputs() -> None:
    inputs = {**X, "t": TensorSpec((4,))}
    loss = LossNode("loss", Mse(), ("p", "t"))
    order = Graph(inputs, [Node("p", Tanh(), ("x",))], [loss]).order
    assert [node.name for node in order] == ["p", "loss"]


def test_ancestors_are_the_nodes_that_outputs_need() -> None:
    graph = Graph(X, [*DIAMOND, Node("spare", Linear(9), ("left",))])
    assert [node.name for node in graph.ancestors(["right"])] == ["top", "right"]
    assert [node.name for node in graph.ancestors(["join"])] == [node.name for node in DIAMOND]
    assert graph.ancestors(["x"]) == []


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source_of", "names_in_cycle"),
    [
        ({"a": "a"}, ["a", "a"]),
        ({"a": "b", "b": "a"}, ["a", "b", "a"]),
        ({"z": "x", "a": "c", "b": "a", "c": "b"}, ["a", "b", "c", "a"]),
    ],
)
def test_a_cycle_is_named_in_the_direction_of_the_values(
    source_of: dict[str, str], names_in_cycle: list[str]
) -> None:
    problems = graph_problems(
        *(Node(name, Tanh(), (source,)) for name, source in source_of.items())
    )
    (reason,) = problems.values()
    cycle_names = reason.removeprefix("a cycle: ").split(" → ")
    assert cycle_names[0] == cycle_names[-1]
    assert set(cycle_names) == set(names_in_cycle)
    assert len(cycle_names) == len(names_in_cycle)
    assert all(source_of[consumer] == producer for producer, consumer in pairwise(cycle_names))


def test_a_duplicate_name_is_a_problem() -> None:
    problems = graph_problems(Node("a", Tanh(), ("x",)), Node("a", Tanh(), ("x",)))
    assert problems == {"a": "the name a is taken already"}
    assert "taken" in graph_problems(Node("x", Tanh(), ("x",)))["x"]
    loss = LossNode("a", Mse(), ("a", "x"))
    assert "taken" in graph_problems(Node("a", Tanh(), ("x",)), losses=(loss,))["a"]


def test_an_unknown_name_is_reported_with_the_valid_ones() -> None:
    reason = graph_problems(Node("a", Tanh(), ("y",)), Node("b", Tanh(), ("x",)))["a"]
    assert "reads y" in reason
    assert "b, x" in reason


# --- shapes -------------------------------------------------------------------------------------


def test_incompatible_shapes_are_reported() -> None:
    problems = graph_problems(Node("wide", Linear(5), ("x",)), Node("sum", Add(), ("x", "wide")))
    assert problems == {"sum": "cannot add (4) and (5)"}
    target = {**X, "t": TensorSpec((2, 3))}
    problems = graph_problems(inputs=target, losses=(LossNode("loss", Mse(), ("x", "t")),))
    assert set(problems) == {"loss"}
    assert "(4)" in problems["loss"]
    assert "(2, 3)" in problems["loss"]


def test_all_problems_are_reported_without_consequential_ones() -> None:
    problems = graph_problems(
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
    assert set(problems) == {"twice", "lost", "sum", "unitless", "loss"}


def test_a_layer_shared_by_inputs_of_two_sizes_is_a_problem() -> None:
    layer = Linear(3)
    first, second = Node("one", layer, ("x",)), Node("two", layer, ("y",))
    problems = graph_problems(first, second, inputs={**X, "y": TensorSpec((5,))})
    assert problems == {
        "two": "shares weight (4, 3), bias (3) of one, but needs weight (5, 3), bias (3) here"
    }


# --- weights ------------------------------------------------------------------------------------


def test_shared_weights_have_the_name_of_the_first_node() -> None:
    layer = Linear(4)
    graph = Graph(X, [Node("one", layer, ("x",)), Node("two", layer, ("one",))])
    assert graph.owners == {"one": "one", "two": "one"}
    assert list(graph.weights) == ["one.weight", "one.bias"]


def test_equal_layers_share_no_weights() -> None:
    graph = Graph(X, [Node("one", Linear(4), ("x",)), Node("two", Linear(4), ("one",))])
    assert list(graph.weights) == ["one.weight", "one.bias", "two.weight", "two.bias"]


def test_specs_and_plans_exist_for_every_node() -> None:
    graph = Graph(X, [*DIAMOND, Node("merge", Concat(), ("join", "top"))])
    assert {n: s.shape for n, s in graph.specs.items()} == {
        "x": (4,), "top": (3,), "left": (3,), "right": (3,), "join": (3,), "merge": (6,),
    }  # fmt: skip
    assert graph.plans["top"].multiply_adds == 12
    assert graph.plans["left"].multiply_adds == 0
    assert graph.state == {}
