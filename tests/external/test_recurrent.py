"""rnn, gru and lstm against PyTorch: outputs and gradients with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.parameters import Parameters

pytestmark = pytest.mark.external

KINDS = {
    "rnn": (nn.RNN, {}),
    "rnn relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, {}),
    "lstm": (nn.LSTM, {}),
}
SIZES = [(5, 7, 3, 4), (1, 1, 1, 1), (3, 1, 2, 5), (2, 9, 1, 3), (33, 28, 28, 64)]  # N, L, C, H


def assert_close(value: Array, torch_value: torch.Tensor) -> None:
    """Raise AssertionError unless equal within float32 rounding of the largest value."""
    expected = torch_value.detach().numpy()
    assert value.shape == expected.shape
    assert float(np.abs(value - expected).max()) <= 2e-6 * max(1.0, float(np.abs(expected).max()))


def make_executor(layers: list[Layer], x: Array, target: Array) -> Executor:
    """The layers in a row, half the squared distance from `target`, and all gradients."""
    nodes, value = [], "x"
    for i, layer in enumerate(layers):
        nodes.append(Node(f"l{i}", layer, (value,)))
        value = f"l{i}"
    loss = LossNode("loss", LOSSES["mse"]("sum"), (value, "target"), 0.5 * len(x))
    graph = Graph(
        {"x": TensorSpec(x.shape[1:]), "target": TensorSpec(target.shape[1:])}, nodes, [loss]
    )
    executor = Executor(
        graph,
        Parameters(graph),
        len(x),
        (value,),
        gradients=True,
        input_gradients=True,
        training=True,
    )
    executor.inputs["x"][...], executor.inputs["target"][...] = x, target
    return executor


def step(executor: Executor, module: Any) -> None:
    """Copy the weights of PyTorch, transposed, and run forward and backward."""
    for name, w in executor.parameters.weights.items():
        layer, kind = name.removeprefix("l").split(".")
        w[...] = getattr(module, f"{kind}_l{layer}").detach().numpy().T
    executor.forward()
    executor.backward()


def compare(executor: Executor, module: Any, x: torch.Tensor, y: torch.Tensor) -> None:
    """Compare outputs, and gradients of the input and of all weights."""
    value = executor.graph.nodes[-1].name
    assert_close(executor.values[value], y)
    (0.5 * (y - torch.from_numpy(executor.inputs["target"])) ** 2).sum().backward()
    assert_close(executor.input_gradients["x"], x.grad)
    gradients = executor.parameters.gradients
    assert len(gradients) == len(list(module.parameters()))
    for name, gradient in gradients.items():
        layer, kind = name.removeprefix("l").split(".")
        torch_value = getattr(module, f"{kind}_l{layer}").grad
        assert_close(gradient, torch_value.T if torch_value.ndim == 2 else torch_value)


@pytest.mark.parametrize("return_sequences", [True, False], ids=["all", "last"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_equals_pytorch(
    kind: str, sizes: tuple[int, int, int, int], bias: bool, return_sequences: bool
) -> None:
    (samples, length, channels, units), (module_class, extra) = sizes, KINDS[kind]
    torch.manual_seed(1)
    module = module_class(channels, units, batch_first=True, bias=bias, **extra)
    x = torch.randn(samples, length, channels, requires_grad=True)
    states, _ = module(x)
    y = states if return_sequences else states[:, -1]
    layer = LAYERS[kind.split()[0]](units, return_sequences=return_sequences, bias=bias, **extra)
    executor = make_executor([layer], x.detach().numpy(), np.zeros(y.shape, np.float32))
    step(executor, module)
    compare(executor, module, x, y)


@pytest.mark.parametrize("kind", KINDS)
def test_two_stacked_layers_equal_pytorch(kind: str) -> None:
    module_class, extra = KINDS[kind]
    torch.manual_seed(2)
    module = module_class(3, 5, num_layers=2, batch_first=True, **extra)
    x = torch.randn(4, 6, 3, requires_grad=True)
    layer = LAYERS[kind.split()[0]]
    stack = [layer(5, return_sequences=True, **extra), layer(5, **extra)]
    states, _ = module(x)
    executor = make_executor(stack, x.detach().numpy(), np.full((4, 5), 0.25, np.float32))
    step(executor, module)
    compare(executor, module, x, states[:, -1])


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_initial_weights_have_the_limits_of_pytorch(kind: str) -> None:
    """U(−1/√H, 1/√H) for matrices and biases: many draws come close to these limits."""
    module = KINDS[kind][0](50, 25)
    layer = LAYERS[kind](25)
    graph = Graph({"x": TensorSpec((2, 50))}, [Node("y", layer, ("x",))])
    for name, w in Parameters(graph).weights.items():
        torch_value = getattr(module, name.removeprefix("y.") + "_l0")
        assert w.shape == tuple(torch_value.shape)[::-1]
        assert np.abs(w).max() <= 0.2 and torch_value.abs().max() <= 0.2
        assert np.abs(w).max() > 0.15
