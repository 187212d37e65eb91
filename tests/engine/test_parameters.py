"""Parameters: one vector, its decayed parts; saving and loading by name."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.engine.graph import Graph, Node
from ldl.engine.init import Normal
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.parameters import Parameters


def parameters(seed: int = 0, units: int = 3) -> Parameters:
    normal = Normal(1.0)
    nodes = [
        Node("a", LAYERS["linear"](5, True, normal, normal), ("x",)),
        Node("b", LAYERS["linear"](units, True, normal, normal), ("a",)),
        Node("c", LAYERS["linear"](2, False, normal, normal), ("b",)),
    ]
    return Parameters(Graph({"x": TensorSpec((7,))}, nodes), seed)


def test_weights_and_gradients_are_views_into_one_vector_each() -> None:
    mine = parameters()
    assert mine.theta.shape == mine.gradient.shape
    for views, vector in ((mine.weights, mine.theta), (mine.gradients, mine.gradient)):
        assert {name: v.shape for name, v in views.items()} == {
            "a.weight": (7, 5),
            "b.weight": (5, 3),
            "c.weight": (3, 2),
            "a.bias": (5,),
            "b.bias": (3,),
        }
        assert all(np.shares_memory(view, vector) for view in views.values())
    assert mine.count == 35 + 15 + 6 + 5 + 3


def test_the_decayed_parts_are_the_weights_and_nothing_else() -> None:
    mine = parameters()
    for part in mine.decay_slices:
        assert mine.theta[part].all()
        mine.theta[part] = 0.0
    assert {name for name, view in mine.weights.items() if not view.any()} == {
        "a.weight", "b.weight", "c.weight",
    }  # fmt: skip
    assert mine.weights["a.bias"].all()
    assert mine.weights["b.bias"].all()


def test_what_is_saved_comes_back_to_the_bit() -> None:
    saved = {name: array.copy() for name, array in parameters(1).arrays().items()}
    mine = parameters(2)
    assert (mine.theta != parameters(1).theta).any()
    mine.load(saved)
    np.testing.assert_array_equal(mine.theta, parameters(1).theta)


def test_a_misshapen_or_missing_array_is_refused_before_anything_changes() -> None:
    mine, before = parameters(2), parameters(2).theta
    with pytest.raises(ValueError, match=r"b\.weight is \(5, 4\), expected \(5, 3\)"):
        mine.load(parameters(1, units=4).arrays())
    with pytest.raises(KeyError):
        mine.load({"a.weight": mine.weights["a.weight"] + 1})
    np.testing.assert_array_equal(mine.theta, before)


def test_a_network_without_weights_has_none() -> None:
    mine = Parameters(Graph({"x": TensorSpec((7,))}, [Node("a", LAYERS["tanh"](), ("x",))]))
    assert (mine.count, mine.theta.size, mine.decay_slices, mine.arrays()) == (0, 0, (), {})
