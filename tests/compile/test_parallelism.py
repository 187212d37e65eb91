"""How a step is divided among threads."""

from __future__ import annotations

from typing import Any

import pytest

from ldl.compile import parallelism
from ldl.compile.parallelism import Parallelism, choose_parallelism
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallelism, "usable_cores", lambda: 4)


def graph(shape: tuple[int, ...], *layers: tuple[str, dict[str, Any]]) -> Graph:
    nodes, value = [], "x"
    for name, settings in (*layers, ("flatten", {}), ("linear", {"units": 3})):
        nodes.append(Node(f"l{len(nodes)}", LAYERS[name](**settings), (value,)))
        value = nodes[-1].name
    loss = LossNode("loss", LOSSES["cross_entropy"](), (value, "t"))
    return Graph({"x": TensorSpec(shape), "t": TensorSpec((), True)}, nodes, [loss])


CONV = ("conv2d", {"out_channels": 32, "padding": 1})


@pytest.mark.parametrize("more", [(), (("batch_norm", {}),)])
def test_large_convolutions_are_divided_by_samples(more: Any) -> None:
    net = graph((32, 32, 32), CONV, *more)
    assert choose_parallelism(net, 16) == Parallelism(4, 1)
    assert choose_parallelism(net, 16, threads=2) == Parallelism(2, 1)
    assert choose_parallelism(net, 16, threads=1) == Parallelism(1, 1)
    assert choose_parallelism(net, 3) == Parallelism(3, 1)


def test_large_transformers_are_divided_by_samples() -> None:
    net = graph((16, 128), ("multi_head_attention", {"heads": 4}))
    assert choose_parallelism(net, 32) == Parallelism(4, 1)
    assert choose_parallelism(net, 4) == Parallelism(1, None)


def test_a_large_product_after_a_small_convolution_is_divided() -> None:
    net = graph(
        (64, 1), ("conv1d", {"out_channels": 32}), ("flatten", {}), ("linear", {"units": 100})
    )
    assert choose_parallelism(net, 32) == Parallelism(1, None)


def test_small_steps_take_one_thread() -> None:
    assert choose_parallelism(graph((32, 32, 32), CONV), 1) == Parallelism(1, 1)
    assert choose_parallelism(graph((8,)), 32) == Parallelism(1, 1)


def test_what_draws_is_left_to_the_products() -> None:
    assert choose_parallelism(graph((32, 32, 32), CONV, ("dropout", {})), 16) == Parallelism(
        1, None
    )


def test_large_products_are_divided_by_the_blas() -> None:
    net = graph((1000,), ("linear", {"units": 1000}))
    assert choose_parallelism(net, 64) == Parallelism(1, None)
    assert choose_parallelism(net, 64, threads=3) == Parallelism(1, 3)
