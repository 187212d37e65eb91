"""Normalisation, embedding, attention, dropout and others against PyTorch: outputs, gradients."""

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

ROUNDING = 4e-6  # a few roundings of float32, relative to the largest value


def assert_close(
    value: Array, torch_value: torch.Tensor, message: str, rounding: float = ROUNDING
) -> None:
    """Raise AssertionError unless equal within float32 rounding."""
    expected = torch_value.detach().numpy()
    assert value.shape == expected.shape, message
    largest = max(1.0, float(np.abs(expected).max(initial=0.0)))
    assert float(np.abs(value - expected).max()) <= rounding * largest, message


def make_executor(
    layer: Layer, x: list[Array], parameters: Parameters | None, training: bool
) -> Executor:
    """The layer y, half the squared distance from `target`, and all gradients."""
    specs = {f"x{i}": TensorSpec(a.shape[1:], a.dtype.kind == "i") for i, a in enumerate(x)}
    target = TensorSpec(layer.plan(tuple(specs.values())).y)
    loss = LossNode("loss", LOSSES["mse"]("sum"), ("y", "target"), 0.5 * len(x[0]))
    graph = Graph({**specs, "target": target}, [Node("y", layer, tuple(specs))], [loss])
    parameters = parameters or Parameters(graph)
    return Executor(
        graph,
        parameters,
        len(x[0]),
        ("y",),
        gradients=True,
        input_gradients=True,
        training=training,
    )


def step(executor: Executor, x: list[Array], target: Array) -> None:
    """Forward and backward; ∂L/∂y is y − target."""
    for i, array in enumerate(x):
        executor.inputs[f"x{i}"][...] = array
    executor.inputs["target"][...] = target
    executor.forward()
    executor.backward()


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0.5, 2.0, shape).astype(np.float32)


def torch_backward(y: torch.Tensor, target: Array) -> None:
    """PyTorch's backward with ∂L/∂y = y − target."""
    y.backward(y.detach() - torch.from_numpy(target))


# --- normalisation ------------------------------------------------------------------------------

SHAPES = [(8, 3), (5, 7, 3), (4, 6, 5, 2), (9, 1, 1, 1), (64, 13, 13, 6), (37, 40, 40), (2, 4)]


def channels_last(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A PyTorch module, whose channels come second, applied to x (N, …, C)."""
    return module(x.movedim(-1, 1)).movedim(1, -1)


def norm_pair(shape: tuple[int, ...], momentum: float, epsilon: float) -> tuple[Parameters, Any]:
    """The engine's batch_norm and PyTorch's, with the same random weights.

    PyTorch's is float64: its float32 variance of 10,816 values is off by 5e-6, the engine's by
    2e-7.
    """
    layer = LAYERS["batch_norm"](momentum, epsilon)
    module_class = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
    module = module_class(shape[-1], eps=epsilon, momentum=momentum).double()
    parameters = make_executor(layer, [draw(*shape)], None, True).parameters
    for name in ("weight", "bias"):
        parameters.weights[f"y.{name}"][...] = draw(shape[-1], seed=len(name))
        getattr(module, name).data.copy_(torch.from_numpy(parameters.weights[f"y.{name}"]))
    return parameters, module


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("momentum", "epsilon"), [(0.1, 1e-5), (0.7, 0.01)])
def test_batch_norm(shape: tuple[int, ...], momentum: float, epsilon: float) -> None:
    parameters, module = norm_pair(shape, momentum, epsilon)
    layer = LAYERS["batch_norm"](momentum, epsilon)
    for seed in range(3):
        x, target = draw(*shape, seed=seed), draw(*shape, seed=seed + 10)
        evaluation = seed == 2
        module.train(not evaluation)
        module.zero_grad()
        torch_x = torch.from_numpy(x).double().requires_grad_()
        y = channels_last(module, torch_x)
        torch_backward(y, target)
        executor = make_executor(layer, [x], parameters, training=not evaluation)
        step(executor, [x], target)
        assert_close(executor.values["y"], y, "y")
        assert_close(executor.input_gradients["x0"], torch_x.grad, "∂x", 2e-5)
        assert_close(parameters.gradients["y.weight"], module.weight.grad, "∂w", 1e-5)
        assert_close(parameters.gradients["y.bias"], module.bias.grad, "∂b", 1e-5)
        assert_close(parameters.state["y.running_mean"], module.running_mean, "mean")
        assert_close(parameters.state["y.running_var"], module.running_var, "var")


@pytest.mark.parametrize("shape", [*SHAPES, (3, 5, 1), (1, 17, 32)])
def test_layer_norm(shape: tuple[int, ...]) -> None:
    layer, module = LAYERS["layer_norm"](1e-3), nn.LayerNorm(shape[-1], eps=1e-3)
    x, target = draw(*shape), draw(*shape, seed=1)
    executor = make_executor(layer, [x], None, True)
    for name in ("weight", "bias"):
        executor.parameters.weights[f"y.{name}"][...] = draw(shape[-1], seed=len(name))
        getattr(module, name).data.copy_(torch.from_numpy(executor.parameters.weights[f"y.{name}"]))
    torch_x = torch.from_numpy(x).requires_grad_()
    y = module(torch_x)
    torch_backward(y, target)
    step(executor, [x], target)
    assert_close(executor.values["y"], y, "y")
    # With one channel PyTorch has rounding errors of terms 1/√ε times larger; the engine gives 0.
    rounding = 1e-4 if shape[-1] == 1 else 2e-5
    assert_close(executor.input_gradients["x0"], torch_x.grad, "∂x", rounding)
    assert_close(executor.parameters.gradients["y.weight"], module.weight.grad, "∂w", rounding)
    assert_close(executor.parameters.gradients["y.bias"], module.bias.grad, "∂b", 1e-5)


# --- embedding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 9), (1, 1), (4,), (3, 2, 5), (64, 128)])
@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_embedding(shape: tuple[int, ...], dtype: type) -> None:
    indices = np.random.default_rng(0).integers(11, size=shape)
    layer, module = LAYERS["embedding"](7, 11), nn.Embedding(11, 7)
    x = indices.astype(dtype)
    target = draw(*shape, 7)
    executor = make_executor(layer, [x], None, True)
    executor.parameters.weights["y.weight"][...] = module.weight.detach().numpy()
    y = module(torch.from_numpy(indices))
    torch_backward(y, target)
    step(executor, [x], target)
    assert_close(executor.values["y"], y, "y", 0.0)
    assert_close(executor.parameters.gradients["y.weight"], module.weight.grad, "∂w", 1e-5)


# --- attention ----------------------------------------------------------------------------------


def torch_attention(
    module: nn.MultiheadAttention, x: torch.Tensor, causal: bool, padding: Array | None
) -> torch.Tensor:
    """PyTorch's self-attention with the same masks."""
    padding_mask = None if padding is None else torch.from_numpy(padding > 0.5)
    causal_mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1) if causal else None
    y, _ = module(x, x, x, key_padding_mask=padding_mask, attn_mask=causal_mask, need_weights=False)
    return y


def torch_weights(module: nn.MultiheadAttention, bias: bool) -> dict[str, torch.Tensor]:
    """The parameters of PyTorch by the engine's names."""
    weights = {"in_proj_weight": module.in_proj_weight, "out_proj_weight": module.out_proj.weight}
    if bias:
        weights |= {"in_proj_bias": module.in_proj_bias, "out_proj_bias": module.out_proj.bias}
    return weights


SIZES = [(3, 5, 8, 2), (1, 1, 4, 4), (2, 17, 32, 4), (4, 3, 6, 1), (32, 17, 32, 4), (2, 65, 128, 8)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_multi_head_attention(
    size: tuple[int, int, int, int], bias: bool, causal: bool, padded: bool
) -> None:
    samples, length, channels, heads = size
    module = nn.MultiheadAttention(channels, heads, bias=bias, batch_first=True)
    layer = LAYERS["multi_head_attention"](heads, bias=bias, causal=causal)
    x, target = draw(samples, length, channels), draw(samples, length, channels, seed=1)
    padding = np.zeros((samples, length), np.float32)
    padding[0, length // 2 + 1 :] = 1.0
    padding[-1, 1:] = 1.0
    inputs = [x, padding] if padded else [x]
    executor = make_executor(layer, inputs, None, True)
    torch_parameters = torch_weights(module, bias)
    for i, (name, weight) in enumerate(torch_parameters.items()):
        weights = draw(*weight.shape, seed=i + 2) / np.float32(2.0 * channels**0.5)
        weight.data.copy_(torch.from_numpy(weights))
        executor.parameters.weights[f"y.{name}"][...] = weights.T
    torch_x = torch.from_numpy(x).requires_grad_()
    y = torch_attention(module, torch_x, causal, padding if padded else None)
    torch_backward(y, target)
    step(executor, inputs, target)
    assert_close(executor.values["y"], y, "y", 1e-5)
    assert_close(executor.input_gradients["x0"], torch_x.grad, "∂x", 2e-5)
    for name, weight in torch_parameters.items():
        torch_value = weight.grad.T if weight.ndim == 2 else weight.grad
        assert_close(executor.parameters.gradients[f"y.{name}"], torch_value, f"∂{name}", 2e-5)


# --- other layers -------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout(rate: float) -> None:
    """With the mask of the engine, values and gradients are those of PyTorch."""
    x = draw(50, 40)
    executor = make_executor(LAYERS["dropout"](rate), [x], None, True)
    step(executor, [x], np.zeros_like(x))
    y = executor.values["y"]
    mask = (y != 0.0).astype(np.float32)
    torch_x = torch.from_numpy(x).requires_grad_()
    torch_value = torch_x * torch.from_numpy(mask) / (1.0 - rate)
    torch_backward(torch_value, np.zeros_like(x))
    assert_close(y, torch_value, "y")
    assert_close(executor.input_gradients["x0"], torch_x.grad, "∂x")
    torch_mask = nn.functional.dropout(torch.ones(50, 40), rate) != 0
    assert mask.mean() == pytest.approx(float(torch_mask.float().mean()), abs=0.08)


@pytest.mark.parametrize(
    ("shape", "size"), [((2, 6, 4, 3), 2), ((1, 5, 5, 1), 5), ((3, 2, 3, 2), 1)]
)
def test_patches(shape: tuple[int, ...], size: int) -> None:
    """PyTorch's unfold orders a patch by channel, row, column."""
    x = draw(*shape)
    samples, height, width, channels = shape
    layer = LAYERS["patches"](size)
    count = (height // size) * (width // size)
    target = draw(samples, count, size * size * channels, seed=1)
    executor = make_executor(layer, [x], None, True)
    step(executor, [x], target)
    torch_x = torch.from_numpy(x).requires_grad_()
    squares = nn.functional.unfold(torch_x.movedim(-1, 1), size, stride=size)
    squares = squares.reshape(samples, channels, size * size, count).permute(0, 3, 2, 1)
    y = squares.reshape(target.shape)
    torch_backward(y, target)
    assert_close(executor.values["y"], y, "y", 0.0)
    assert_close(executor.input_gradients["x0"], torch_x.grad, "∂x", 1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (1, 2)])
def test_mean(axis: int | tuple[int, ...]) -> None:
    x = draw(4, 5, 3, 6)
    torch_x = torch.from_numpy(x).requires_grad_()
    y = torch_x.mean(tuple(a + 1 for a in axis) if isinstance(axis, tuple) else axis + 1)
    target = draw(*y.shape, seed=1)
    torch_backward(y, target)
    executor = make_executor(LAYERS["mean"](axis), [x], None, True)
    step(executor, [x], target)
    assert_close(executor.values["y"], y, "y")
    assert_close(executor.input_gradients["x0"], torch_x.grad, "∂x")


def test_multiply() -> None:
    x = [draw(4, 5, seed=seed) for seed in range(3)]
    torch_x = [torch.from_numpy(a).requires_grad_() for a in x]
    y = torch_x[0] * torch_x[1] * torch_x[2]
    target = draw(4, 5, seed=4)
    torch_backward(y, target)
    executor = make_executor(LAYERS["multiply"](), x, None, True)
    step(executor, x, target)
    assert_close(executor.values["y"], y, "y")
    for i, torch_value in enumerate(torch_x):
        assert_close(executor.input_gradients[f"x{i}"], torch_value.grad, f"∂x{i}")
