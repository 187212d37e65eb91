"""rnn, gru and lstm against PyTorch's: outputs and every gradient, from the same weights."""

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


def same(ours: Array, theirs: torch.Tensor) -> None:
    """Equal within float32 rounding, as a share of the largest value."""
    wanted = theirs.detach().numpy()
    assert ours.shape == wanted.shape
    assert float(np.abs(ours - wanted).max()) <= 2e-6 * max(1.0, float(np.abs(wanted).max()))


def bound(layers: list[Layer], x: Array, goal: Array) -> Executor:
    """The layers in a row, half the squared distance to `goal`, and all gradients."""
    places, value = [], "x"
    for i, layer in enumerate(layers):
        places.append(Node(f"l{i}", layer, (value,)))
        value = f"l{i}"
    loss = LossNode("loss", LOSSES["mse"]("sum"), (value, "goal"), 0.5 * len(x))
    graph = Graph(
        {"x": TensorSpec(x.shape[1:]), "goal": TensorSpec(goal.shape[1:])}, places, [loss]
    )
    binding = Executor(
        graph,
        Parameters(graph),
        len(x),
        (value,),
        gradients=True,
        input_gradients=True,
        training=True,
    )
    binding.inputs["x"][...], binding.inputs["goal"][...] = x, goal
    return binding


def step(binding: Executor, net: Any) -> None:
    """Take PyTorch's weights, transposed, and run once."""
    for name, w in binding.parameters.weights.items():
        layer, kind = name.removeprefix("l").split(".")
        w[...] = getattr(net, f"{kind}_l{layer}").detach().numpy().T
    binding.forward()
    binding.backward()


def compare(binding: Executor, net: Any, x: torch.Tensor, y: torch.Tensor) -> None:
    """Outputs, then gradients of the input and of all weights."""
    value = binding.graph.nodes[-1].name
    same(binding.values[value], y)
    (0.5 * (y - torch.from_numpy(binding.inputs["goal"])) ** 2).sum().backward()
    same(binding.input_gradients["x"], x.grad)
    gradients = binding.parameters.gradients
    assert len(gradients) == len(list(net.parameters()))
    for name, gradient in gradients.items():
        layer, kind = name.removeprefix("l").split(".")
        theirs = getattr(net, f"{kind}_l{layer}").grad
        same(gradient, theirs.T if theirs.ndim == 2 else theirs)


@pytest.mark.parametrize("every", [True, False], ids=["every", "last"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "plain"])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_that_of_pytorch(
    kind: str, sizes: tuple[int, int, int, int], bias: bool, every: bool
) -> None:
    (samples, length, channels, units), (module, extra) = sizes, KINDS[kind]
    torch.manual_seed(1)
    net = module(channels, units, batch_first=True, bias=bias, **extra)
    x = torch.randn(samples, length, channels, requires_grad=True)
    states, _ = net(x)
    y = states if every else states[:, -1]
    layer = LAYERS[kind.split()[0]](units, return_sequences=every, bias=bias, **extra)
    binding = bound([layer], x.detach().numpy(), np.zeros(y.shape, np.float32))
    step(binding, net)
    compare(binding, net, x, y)


@pytest.mark.parametrize("kind", KINDS)
def test_two_stacked_layers_are_those_of_pytorch(kind: str) -> None:
    module, extra = KINDS[kind]
    torch.manual_seed(2)
    net = module(3, 5, num_layers=2, batch_first=True, **extra)
    x = torch.randn(4, 6, 3, requires_grad=True)
    layer = LAYERS[kind.split()[0]]
    stack = [layer(5, return_sequences=True, **extra), layer(5, **extra)]
    states, _ = net(x)
    binding = bound(stack, x.detach().numpy(), np.full((4, 5), 0.25, np.float32))
    step(binding, net)
    compare(binding, net, x, states[:, -1])


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_weights_start_within_the_limits_of_pytorch(kind: str) -> None:
    """U(−1/√H, 1/√H) for matrices and biases: the extremes of many draws are close to it."""
    net = KINDS[kind][0](50, 25)
    layer = LAYERS[kind](25)
    graph = Graph({"x": TensorSpec((2, 50))}, [Node("it", layer, ("x",))])
    for name, w in Parameters(graph).weights.items():
        theirs = getattr(net, name.removeprefix("it.") + "_l0")
        assert w.shape == tuple(theirs.shape)[::-1]
        assert np.abs(w).max() <= 0.2 and theirs.abs().max() <= 0.2
        assert np.abs(w).max() > 0.15
