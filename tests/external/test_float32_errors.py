"""Rounding errors of every layer and loss in float32, beside those of PyTorch on the same data.

The truth is PyTorch's result in float64 from the same float32 inputs and weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch.nn import functional

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.parameters import Parameters
from tests.engine.naive import LayerStep, fresh_context

from .float32_rows import ROWS, Row

pytestmark = pytest.mark.external

SEEDS = 5
FACTOR = 2.0
FEW_ULPS = 3 * 2.0**-23  # of the root mean square: below it PyTorch may be exact by luck
Values = dict[str, Array]  # y, ∂x0, ∂weight …


def inputs_and_weights(row: Row, layer: Layer, seed: int) -> tuple[list[Array], Values, Array]:
    """Inputs, weights that are not 0, and ∂L/∂y, in float32; class indices in int64."""
    rng = np.random.default_rng(seed)
    x = [draw(rng, shape) for draw, shape in zip(row.draws, row.shapes, strict=True)]
    x = [a if a.dtype.kind == "i" else a.astype(np.float32) for a in x]
    plan = layer.plan(tuple(TensorSpec(a.shape[1:], a.dtype.kind == "i") for a in x))
    w = {
        name: (spec.init.draw(spec.shape, spec.fans, rng) + 0.05 * rng.normal(size=spec.shape))
        for name, spec in plan.w.items()
    }
    dy = rng.normal(0.1, 1.0, (len(x[0]), *plan.y)).astype(np.float32)
    return x, {name: array.astype(np.float32) for name, array in w.items()}, dy


def engine_values(layer: Layer, x: list[Array], w: Values, dy: Array) -> Values:
    """y and all gradients, by the engine in float32."""
    specs = tuple(TensorSpec(a.shape[1:], a.dtype.kind == "i") for a in x)
    step = LayerStep(layer, fresh_context(layer, layer.plan(specs), tuple(x), dict(w)))
    ctx = step.ctx
    if dy.ndim > 1:
        ctx.dy[...] = dy
    step.forward()
    y = ctx.y.copy()
    step.backward()
    dx = {f"∂x{i}": gradient for i, gradient in enumerate(ctx.dx) if gradient is not None}
    return {"y": y, **dx, **{f"∂{name}": gradient for name, gradient in ctx.dw.items()}}


def torch_values(
    row: Row, x: list[Array], w: Values, dy: Array, dtype: torch.dtype, names: Mapping[str, Array]
) -> Values:
    """y and the gradients in `names`, by PyTorch."""
    tensors = [
        torch.from_numpy(a) if a.dtype.kind == "i" else torch.tensor(a, dtype=dtype) for a in x
    ]
    leaves = {f"∂x{i}": t for i, t in enumerate(tensors)}
    weights = {name: torch.tensor(array, dtype=dtype) for name, array in w.items()}
    leaves |= {f"∂{name}": tensor for name, tensor in weights.items()}
    wanted = [leaves[name].requires_grad_() for name in names if name != "y"]
    y = row.torch_function(*tensors, *([weights] if weights else []))
    outer = torch.tensor(dy, dtype=dtype) if dy.ndim > 1 else torch.full_like(y, 1.0 / len(y))
    gradients = torch.autograd.grad(y, wanted, outer)
    arrays = zip(leaves_in_order(names), gradients, strict=True)
    return {"y": y.detach().numpy(), **{name: g.numpy() for name, g in arrays}}


def leaves_in_order(names: Mapping[str, Array]) -> list[str]:
    """The names of gradients."""
    return [name for name in names if name != "y"]


def errors(row: Row) -> dict[str, tuple[float, float]]:
    """The relative errors of each array, the engine's and PyTorch's, over all values and seeds."""
    layer = {**LAYERS, **LOSSES}[row.entry](**row.settings)
    squares: dict[str, Array] = {}
    for seed in range(SEEDS):
        x, w, dy = inputs_and_weights(row, layer, seed)
        ours = engine_values(layer, x, w, dy)
        theirs = torch_values(row, x, w, dy, torch.float32, ours)
        exact = torch_values(row, x, w, dy, torch.float64, ours)
        for name, truth in exact.items():
            terms = [np.square(a - truth).sum() for a in (ours[name], theirs[name])]
            square = np.array([*terms, np.square(truth).sum()])
            squares[name] = squares.get(name, 0.0) + square
    return {
        name: (float(np.sqrt(a / size)), float(np.sqrt(b / size)))
        for name, (a, b, size) in squares.items()
    }


def test_every_layer_and_loss_has_a_row() -> None:
    assert {row.entry for row in ROWS} == LAYERS.keys() | LOSSES.keys()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_errors_are_below_twice_those_of_pytorch(row: Row) -> None:
    larger = {
        name: f"{ours:.1e}, PyTorch {theirs:.1e}"
        for name, (ours, theirs) in errors(row).items()
        if ours > max(FACTOR * theirs, FEW_ULPS)
    }
    assert larger == {}


# --- a network ----------------------------------------------------------------------------------


def digits_on_black(samples: int, size: int) -> Array:
    """Small patches of noise on black images (N, size, size, 1), as those of MNIST."""
    rng = np.random.default_rng(0)
    x = np.zeros((samples, size, size, 1), np.float32)
    x[:, 6:19, 5:20] = rng.random((samples, 13, 15, 1)) * (rng.random((samples, 13, 15, 1)) > 0.4)
    return x


def autoencoder_gradients(kernel: int, x: Array, dtype: type) -> tuple[Values, Values]:
    """The first gradient of a mirrored autoencoder, by the engine and by PyTorch."""
    convs = [LAYERS["conv2d"](channels, kernel, 1, kernel // 2) for channels in (12, 6)]
    specs = [TensorSpec(x.shape[1:]), TensorSpec((*x.shape[1:3], 12))]
    mirrors = [conv.mirror(spec) for conv, spec in zip(convs, specs, strict=True)][::-1]
    nodes, value = [], "x"
    for i, layer in enumerate([*convs, *mirrors]):
        nodes += [Node(f"l{i}", layer, (value,)), Node(f"r{i}", LAYERS["relu"](), (f"l{i}",))]
        value = f"r{i}"
    graph = Graph({"x": specs[0]}, nodes, [LossNode("loss", LOSSES["mse"](), (value, "x"))])
    parameters = Parameters(graph, 0, dtype)
    executor = Executor(graph, parameters, len(x), gradients=True, training=True)
    executor.inputs["x"][...] = x
    executor.forward_backward()
    weights = {
        name: torch.from_numpy(w.copy()).requires_grad_() for name, w in parameters.weights.items()
    }
    y = images = torch.from_numpy(x.astype(dtype)).movedim(-1, 1)
    for i in range(4):
        function = functional.conv2d if i < 2 else functional.conv_transpose2d
        w = weights[f"l{i}.weight"].permute(3, 2, 0, 1)
        y = torch.relu(function(y, w, weights[f"l{i}.bias"], padding=kernel // 2))
    torch.autograd.backward((y - images).square().mean())
    gradients = {name: w.grad.numpy() for name, w in weights.items() if w.grad is not None}
    return parameters.gradients, gradients


@pytest.mark.parametrize("kernel", [3, 5])
def test_first_gradient_of_an_autoencoder_on_black_images(kernel: int) -> None:
    """With initial biases of 0 a rounding error beside 0 would give a relu the wrong slope."""
    x = digits_on_black(8, 28)
    ours, exact = autoencoder_gradients(kernel, x, np.float64)
    size = max(np.abs(gradient).max() for gradient in exact.values())
    assert max(np.abs(ours[name] - exact[name]).max() for name in exact) < 1e-13 * size
    ours, theirs = autoencoder_gradients(kernel, x, np.float32)
    distances = [
        np.sqrt(sum(np.square(values[name] - exact[name]).sum() for name in exact))
        for values in (ours, theirs, dict.fromkeys(exact, 0.0))
    ]
    assert distances[0] < max(FACTOR * distances[1], FEW_ULPS * distances[2])
