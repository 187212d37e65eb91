"""Normalisation, embedding and attention against PyTorch's: outputs, gradients, kept statistics."""

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

ROUNDING = 4e-6  # a few roundings of float32, as a share of the largest value


def same(ours: Array, theirs: torch.Tensor, what: str, rounding: float = ROUNDING) -> None:
    """Equal within float32 rounding."""
    wanted = theirs.detach().numpy()
    assert ours.shape == wanted.shape, what
    largest = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    assert float(np.abs(ours - wanted).max()) <= rounding * largest, what


def bound(layer: Layer, x: list[Array], parameters: Parameters | None, train: bool) -> Executor:
    """The layer, half the squared distance from `goal`, all gradients."""
    specs = {f"x{i}": TensorSpec(a.shape[1:], a.dtype.kind == "i") for i, a in enumerate(x)}
    goal = TensorSpec(layer.plan(tuple(specs.values())).y)
    loss = LossNode("loss", LOSSES["mse"]("sum"), ("it", "goal"), 0.5 * len(x[0]))
    graph = Graph({**specs, "goal": goal}, [Node("it", layer, tuple(specs))], [loss])
    kept = parameters or Parameters(graph)
    return Executor(
        graph, kept, len(x[0]), ("it",), gradients=True, input_gradients=True, training=train
    )


def step(binding: Executor, x: list[Array], goal: Array) -> None:
    """Forward and backward; ∂L/∂y is y − goal."""
    for i, array in enumerate(x):
        binding.inputs[f"x{i}"][...] = array
    binding.inputs["goal"][...] = goal
    binding.forward()
    binding.backward()


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0.5, 2.0, shape).astype(np.float32)


def pulled(y: torch.Tensor, goal: Array) -> None:
    """PyTorch's backward with ∂L/∂y = y − goal."""
    y.backward(y.detach() - torch.from_numpy(goal))


# --- normalisation ------------------------------------------------------------------------------

SHAPES = [(8, 3), (5, 7, 3), (4, 6, 5, 2), (9, 1, 1, 1), (64, 13, 13, 6), (37, 40, 40), (2, 4)]


def channels_last(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """PyTorch wants channels second."""
    return net(x.movedim(-1, 1)).movedim(1, -1)


def norms(shape: tuple[int, ...], momentum: float, epsilon: float) -> tuple[Parameters, Any]:
    """Ours and PyTorch's, with the same random weights.

    PyTorch's in float64: its float32 variance of 10,816 values is off by 5e-6, ours by 2e-7.
    """
    layer = LAYERS["batch_norm"](momentum, epsilon)
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
    net = kind(shape[-1], eps=epsilon, momentum=momentum).double()
    parameters = bound(layer, [draw(*shape)], None, True).parameters
    for name in ("weight", "bias"):
        parameters.weights[f"it.{name}"][...] = draw(shape[-1], seed=len(name))
        getattr(net, name).data.copy_(torch.from_numpy(parameters.weights[f"it.{name}"]))
    return parameters, net


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("momentum", "epsilon"), [(0.1, 1e-5), (0.7, 0.01)])
def test_batch_norm(shape: tuple[int, ...], momentum: float, epsilon: float) -> None:
    parameters, net = norms(shape, momentum, epsilon)
    layer = LAYERS["batch_norm"](momentum, epsilon)
    for seed in range(3):
        x, goal = draw(*shape, seed=seed), draw(*shape, seed=seed + 10)
        judged = seed == 2
        net.train(not judged)
        net.zero_grad()
        given = torch.from_numpy(x).double().requires_grad_()
        y = channels_last(net, given)
        pulled(y, goal)
        binding = bound(layer, [x], parameters, train=not judged)
        step(binding, [x], goal)
        same(binding.values["it"], y, "y")
        same(binding.input_gradients["x0"], given.grad, "∂x", 2e-5)
        same(parameters.gradients["it.weight"], net.weight.grad, "∂w", 1e-5)
        same(parameters.gradients["it.bias"], net.bias.grad, "∂b", 1e-5)
        same(parameters.state["it.running_mean"], net.running_mean, "mean")
        same(parameters.state["it.running_var"], net.running_var, "var")


@pytest.mark.parametrize("shape", [*SHAPES, (3, 5, 1), (1, 17, 32)])
def test_layer_norm(shape: tuple[int, ...]) -> None:
    layer, net = LAYERS["layer_norm"](1e-3), nn.LayerNorm(shape[-1], eps=1e-3)
    x, goal = draw(*shape), draw(*shape, seed=1)
    binding = bound(layer, [x], None, True)
    for name in ("weight", "bias"):
        binding.parameters.weights[f"it.{name}"][...] = draw(shape[-1], seed=len(name))
        getattr(net, name).data.copy_(torch.from_numpy(binding.parameters.weights[f"it.{name}"]))
    given = torch.from_numpy(x).requires_grad_()
    y = net(given)
    pulled(y, goal)
    step(binding, [x], goal)
    same(binding.values["it"], y, "y")
    # Of one channel PyTorch leaves the rounding of terms that are 1/√ε times larger; ours is 0.
    rounding = 1e-4 if shape[-1] == 1 else 2e-5
    same(binding.input_gradients["x0"], given.grad, "∂x", rounding)
    same(binding.parameters.gradients["it.weight"], net.weight.grad, "∂w", rounding)
    same(binding.parameters.gradients["it.bias"], net.bias.grad, "∂b", 1e-5)


# --- embedding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 9), (1, 1), (4,), (3, 2, 5), (64, 128)])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_embedding(shape: tuple[int, ...], dtype: type) -> None:
    at = np.random.default_rng(0).integers(11, size=shape)
    layer, net = LAYERS["embedding"](7, 11), nn.Embedding(11, 7)
    x = at.astype(dtype)
    goal = draw(*shape, 7)
    binding = bound(layer, [x], None, True)
    binding.parameters.weights["it.weight"][...] = net.weight.detach().numpy()
    y = net(torch.from_numpy(at))
    pulled(y, goal)
    step(binding, [x], goal)
    same(binding.values["it"], y, "y", 0.0)
    same(binding.parameters.gradients["it.weight"], net.weight.grad, "∂w", 1e-5)


# --- attention ----------------------------------------------------------------------------------


def attend(
    net: nn.MultiheadAttention, x: torch.Tensor, causal: bool, padding: Array | None
) -> torch.Tensor:
    """PyTorch's self-attention with the same masks."""
    hidden = None if padding is None else torch.from_numpy(padding > 0.5)
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if causal else None
    y, _ = net(x, x, x, key_padding_mask=hidden, attn_mask=later, need_weights=False)
    return y


def weights_of(net: nn.MultiheadAttention, bias: bool) -> dict[str, torch.Tensor]:
    """PyTorch's parameters by our names."""
    named = {"in_proj_weight": net.in_proj_weight, "out_proj_weight": net.out_proj.weight}
    if bias:
        named |= {"in_proj_bias": net.in_proj_bias, "out_proj_bias": net.out_proj.bias}
    return named


SIZES = [(3, 5, 8, 2), (1, 1, 4, 4), (2, 17, 32, 4), (4, 3, 6, 1), (32, 17, 32, 4), (2, 65, 128, 8)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_multi_head_attention(
    size: tuple[int, int, int, int], bias: bool, causal: bool, padded: bool
) -> None:
    samples, length, channels, heads = size
    net = nn.MultiheadAttention(channels, heads, bias=bias, batch_first=True)
    layer = LAYERS["multi_head_attention"](heads, bias=bias, causal=causal)
    x, goal = draw(samples, length, channels), draw(samples, length, channels, seed=1)
    padding = np.zeros((samples, length), np.float32)
    padding[0, length // 2 + 1 :] = 1.0
    padding[-1, 1:] = 1.0
    inputs = [x, padding] if padded else [x]
    binding = bound(layer, inputs, None, True)
    named = weights_of(net, bias)
    for i, (name, weight) in enumerate(named.items()):
        drawn = draw(*weight.shape, seed=i + 2) / np.float32(2.0 * channels**0.5)
        weight.data.copy_(torch.from_numpy(drawn))
        binding.parameters.weights[f"it.{name}"][...] = drawn.T
    given = torch.from_numpy(x).requires_grad_()
    y = attend(net, given, causal, padding if padded else None)
    pulled(y, goal)
    step(binding, inputs, goal)
    same(binding.values["it"], y, "y", 1e-5)
    same(binding.input_gradients["x0"], given.grad, "∂x", 2e-5)
    for name, weight in named.items():
        theirs = weight.grad.T if weight.ndim == 2 else weight.grad
        same(binding.parameters.gradients[f"it.{name}"], theirs, f"∂{name}", 2e-5)


# --- the rest -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_has_pytorchs_values(rate: float) -> None:
    """The draws differ; what is kept and the gradient's place do not."""
    x = draw(50, 40)
    binding = bound(LAYERS["dropout"](rate), [x], None, True)
    step(binding, [x], np.zeros_like(x))
    y = binding.values["it"]
    kept = (y != 0.0).astype(np.float32)
    given = torch.from_numpy(x).requires_grad_()
    theirs = given * torch.from_numpy(kept) / (1.0 - rate)
    pulled(theirs, np.zeros_like(x))
    same(y, theirs, "y")
    same(binding.input_gradients["x0"], given.grad, "∂x")
    share = float((nn.functional.dropout(torch.ones(50, 40), rate) != 0).float().mean())
    assert kept.mean() == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 6, 4, 3), 2), ((1, 5, 5, 1), 5), ((3, 2, 3, 2), 1)]
)
def test_patches_are_those_of_unfold(shape: tuple[int, ...], size: int) -> None:
    """PyTorch's unfold orders a square by channel, row, column."""
    x = draw(*shape)
    samples, height, width, channels = shape
    layer = LAYERS["patches"](size)
    count = (height // size) * (width // size)
    goal = draw(samples, count, size * size * channels, seed=1)
    binding = bound(layer, [x], None, True)
    step(binding, [x], goal)
    given = torch.from_numpy(x).requires_grad_()
    squares = nn.functional.unfold(given.movedim(-1, 1), size, stride=size)
    squares = squares.reshape(samples, channels, size * size, count).permute(0, 3, 2, 1)
    y = squares.reshape(goal.shape)
    pulled(y, goal)
    same(binding.values["it"], y, "y", 0.0)
    same(binding.input_gradients["x0"], given.grad, "∂x", 1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (1, 2)])
def test_mean(axis: int | tuple[int, ...]) -> None:
    x = draw(4, 5, 3, 6)
    given = torch.from_numpy(x).requires_grad_()
    y = given.mean(tuple(a + 1 for a in axis) if isinstance(axis, tuple) else axis + 1)
    goal = draw(*y.shape, seed=1)
    pulled(y, goal)
    binding = bound(LAYERS["mean"](axis), [x], None, True)
    step(binding, [x], goal)
    same(binding.values["it"], y, "y")
    same(binding.input_gradients["x0"], given.grad, "∂x")


def test_multiply() -> None:
    x = [draw(4, 5, seed=seed) for seed in range(3)]
    given = [torch.from_numpy(a).requires_grad_() for a in x]
    y = given[0] * given[1] * given[2]
    goal = draw(4, 5, seed=4)
    pulled(y, goal)
    binding = bound(LAYERS["multiply"](), x, None, True)
    step(binding, x, goal)
    same(binding.values["it"], y, "y")
    for i, theirs in enumerate(given):
        same(binding.input_gradients[f"x{i}"], theirs.grad, f"∂x{i}")
