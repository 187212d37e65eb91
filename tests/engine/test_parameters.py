"""Parameters: views into flat vectors, decay slices, saving and loading by name."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.engine.graph import Graph, Node
from ldl.engine.init import Normal
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.parameters import Parameters


def make_parameters(seed: int = 0, units: int = 3) -> Parameters:
    normal = Normal(1.0)
    nodes = [
        Node("a", LAYERS["linear"](5, True, normal, normal), ("x",)),
        Node("b", LAYERS["linear"](units, True, normal, normal), ("a",)),
        Node("c", LAYERS["linear"](2, False, normal, normal), ("b",)),
    ]
    return Parameters(Graph({"x": TensorSpec((7,))}, nodes), seed)


def test_weights_and_gradients_are_views_into_one_vector_each() -> None:
    parameters = make_parameters()
    assert parameters.theta.shape == parameters.gradient.shape
    for views, vector in (
        (parameters.weights, parameters.theta),
        (parameters.gradients, parameters.gradient),
    ):
        assert {name: v.shape for name, v in views.items()} == {
            "a.weight": (7, 5),
            "b.weight": (5, 3),
            "c.weight": (3, 2),
            "a.bias": (5,),
            "b.bias": (3,),
        }
        assert all(np.shares_memory(view, vector) for view in views.values())
    assert parameters.count == 35 + 15 + 6 + 5 + 3


def test_decay_slices_are_the_weights_without_biases() -> None:
    parameters = make_parameters()
    for decay_slice in parameters.decay_slices:
        assert parameters.theta[decay_slice].all()
        parameters.theta[decay_slice] = 0.0
    assert {name for name, view in parameters.weights.items() if not view.any()} == {
        "a.weight", "b.weight", "c.weight",
    }  # fmt: skip
    assert parameters.weights["a.bias"].all()
    assert parameters.weights["b.bias"].all()


def test_saved_arrays_load_to_the_bit() -> None:
    saved = {name: array.copy() for name, array in make_parameters(1).arrays().items()}
    parameters = make_parameters(2)
    assert (parameters.theta != make_parameters(1).theta).any()
    parameters.load(saved)
    np.testing.assert_array_equal(parameters.theta, make_parameters(1).theta)


def test_a_wrong_shape_or_missing_array_changes_nothing() -> None:
    parameters, before = make_parameters(2), make_parameters(2).theta
    with pytest.raises(ValueError, match=r"b\.weight is \(5, 4\), expected \(5, 3\)"):
        parameters.load(make_parameters(1, units=4).arrays())
    with pytest.raises(KeyError):
        parameters.load({"a.weight": parameters.weights["a.weight"] + 1})
    np.testing.assert_array_equal(parameters.theta, before)


def test_a_graph_without_weights_has_empty_parameters() -> None:
    parameters = Parameters(Graph({"x": TensorSpec((7,))}, [Node("a", LAYERS["tanh"](), ("x",))]))
    assert (
        parameters.count,
        parameters.theta.size,
        parameters.decay_slices,
        parameters.arrays(),
    ) == (0, 0, (), {})
