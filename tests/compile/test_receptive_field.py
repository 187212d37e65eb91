"""Receptive fields by hand: the network of report c, and what has none."""

from __future__ import annotations

import pytest

from ldl.compile.receptive_field import receptive_fields
from ldl.engine.graph import Graph, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS


def fields(shape: tuple[int, ...], *layers: tuple[str, dict[str, object]]) -> list[tuple[int, ...]]:
    """The field after each layer of a chain; () where there is none."""
    nodes, value = [], "x"
    for i, (name, settings) in enumerate(layers):
        nodes.append(Node(f"l{i}", LAYERS[name](**settings), (value,)))
        value = f"l{i}"
    fields_by_node = receptive_fields(Graph({"x": TensorSpec(shape)}, nodes))
    return [fields_by_node.get(node.name, ()) for node in nodes]


def test_three_convolutions_and_pools() -> None:
    """r grows by (K − 1)·j, j doubles at each pool: 5, 6, 14, 16, 32, 36."""
    conv = ("conv2d", {"out_channels": 2, "kernel_size": 5, "padding": 2})
    pool = ("maxpool2d", {"kernel_size": 2})
    relu: tuple[str, dict[str, object]] = ("relu", {})
    fields_by_node = fields((32, 32, 3), conv, relu, pool, conv, relu, pool, conv, relu, pool)
    assert fields_by_node == [(n, n) for n in (5, 5, 6, 14, 14, 16, 32, 32, 36)]


def test_dilation_and_uneven_kernels() -> None:
    """A dilated kernel reaches further; the axes are apart."""
    conv = ("conv2d", {"out_channels": 1, "kernel_size": (3, 2), "dilation": (2, 1)})
    assert fields((9, 9, 1), conv, conv) == [(5, 2), (9, 3)]


def test_signals_have_one_axis() -> None:
    """A line of values."""
    conv = ("conv1d", {"out_channels": 4, "kernel_size": 3, "stride": 2})
    assert fields((16, 1), conv, conv) == [(3,), (7,)]


def test_what_mixes_all_positions_has_no_field() -> None:
    """Nor has anything after it."""
    conv = ("conv1d", {"out_channels": 4, "kernel_size": 3})
    assert fields((8, 1), conv, ("flatten", {}), ("linear", {"units": 2})) == [(3,), (), ()]


@pytest.mark.parametrize(("axis", "field"), [(1, None), (-1, (3, 3))])
def test_values_side_by_side_have_no_field(axis: int, field: tuple[int, ...] | None) -> None:
    """Only channels can be joined: other positions see other parts of the image."""
    second = (3, 2) if field is None else (3, 3)
    nodes = [
        Node(f"l{i}", LAYERS["conv2d"](out_channels=2, kernel_size=size), ("x",))
        for i, size in enumerate(((3, 3), second))
    ]
    nodes.append(Node("joined", LAYERS["concat"](axis=axis), ("l0", "l1")))
    graph = Graph({"x": TensorSpec((8, 8, 1))}, nodes)
    assert receptive_fields(graph).get("joined") == field
