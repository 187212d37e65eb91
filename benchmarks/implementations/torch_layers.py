"""A task's network in PyTorch's modules, with the engine's initial weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.tasks import Layers, Task, Weights, graph, initial_weights
from ldl.arrays import Array, Shape
from ldl.engine.graph import Graph

Transform = Callable[[Array], Array]  # of an array from the engine's layout to PyTorch's, or back
SIMPLE: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "flatten": nn.Flatten,
}  # fmt: skip
POOLS: dict[str, Any] = {
    "maxpool1d": nn.MaxPool1d, "maxpool2d": nn.MaxPool2d, "avgpool2d": nn.AvgPool2d,
}  # fmt: skip


@dataclass
class TorchNetwork:
    """The modules, and each parameter by the engine's name with the transform to its layout."""

    net: nn.Sequential
    parameters: dict[str, tuple[Tensor, Transform]]

    def gradients(self) -> Weights:
        """∂L/∂w by the engine's names, in its layouts."""
        gradients = {}
        for name, (parameter, back) in self.parameters.items():
            assert parameter.grad is not None
            gradients[name] = np.ascontiguousarray(back(parameter.grad.numpy()))
        return gradients


def network(task: Task) -> TorchNetwork:
    """The task's network."""
    builder = ModuleBuilder(graph(task), initial_weights(task))
    return TorchNetwork(nn.Sequential(*builder.modules(task.layers, "x", "")), builder.parameters)


@dataclass
class ModuleBuilder:
    """Builds modules and copies the weights into them."""

    graph: Graph
    weights: Weights
    parameters: dict[str, tuple[Tensor, Transform]] = field(default_factory=dict)
    image: Shape | None = (
        None  # the input shape of the last flatten, until a linear layer reads its output
    )

    def modules(self, layers: Layers, value: str, prefix: str) -> list[nn.Module]:
        """A module for each layer; `value` is the input of the first."""
        modules: list[nn.Module] = []
        for i, (name, settings) in enumerate(layers):
            node, shape = f"{prefix}{i}", self.graph.specs[value].shape
            if name == "residual":
                modules.append(Residual(self.modules(settings["layers"], value, f"{node}.")))
            else:
                modules.append(self.module(name, settings, node, shape))
            value = node
        return modules

    def module(self, name: str, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """One layer that reads `shape`, channels last."""
        if name == "flatten":
            self.image = shape
        if name in SIMPLE:
            return SIMPLE[name]()
        if name in POOLS:
            return POOLS[name](**settings)  # type: ignore[no-any-return]
        if name == "patches":
            return Patches(settings["size"])
        if name == "select":
            return Select(settings["index"])
        module: nn.Module = getattr(self, name)(settings, node, shape)
        return module

    def copy_weight(
        self, node: str, key: str, parameter: Tensor, to: Transform, back: Transform
    ) -> None:
        """Copy a weight and store the transform back to the engine's layout."""
        name = f"{node}.{key}"
        transformed = np.ascontiguousarray(to(self.weights[name])).reshape(parameter.shape)
        parameter.data.copy_(torch.from_numpy(transformed))
        self.parameters[name] = parameter, back

    def copy_same_layout(self, node: str, module: nn.Module, *keys: str) -> nn.Module:
        """Copy weights that have the engine's layout."""
        for key in keys:
            self.copy_weight(node, key, getattr(module, key), lambda w: w, lambda w: w)
        return module

    def linear(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """PyTorch flattens images channels first, so the rows of the next weights are permuted."""
        units, image, self.image = settings["units"], self.image, None
        module = nn.Linear(shape[-1], units)
        if image is None:
            self.copy_weight(node, "weight", module.weight, lambda w: w.T, lambda w: w.T)
        else:
            last, first = (*image, units), (image[-1], *image[:-1], units)
            self.copy_weight(
                node, "weight", module.weight,
                lambda w: np.moveaxis(w.reshape(last), -2, 0).reshape(w.shape).T,
                lambda w: np.moveaxis(w.T.reshape(first), 0, -2).reshape(w.T.shape),
            )  # fmt: skip
        return self.copy_same_layout(node, module, "bias")

    def conv1d(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """Kernels (O, I, K)."""
        return self._conv(nn.Conv1d, settings, node, shape)

    def conv2d(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """Kernels (O, I, K, K)."""
        return self._conv(nn.Conv2d, settings, node, shape)

    def _conv(self, kind: Any, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        module = kind(shape[-1], **settings)
        self.copy_weight(
            node, "weight", module.weight,
            lambda w: np.moveaxis(w, (-1, -2), (0, 1)),
            lambda w: np.moveaxis(w, (0, 1), (-1, -2)),
        )  # fmt: skip
        return module if module.bias is None else self.copy_same_layout(node, module, "bias")

    def batch_norm(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """Normalise over samples, rows and columns."""
        return self.copy_same_layout(node, nn.BatchNorm2d(shape[-1]), "weight", "bias")

    def layer_norm(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """Normalise over channels."""
        return self.copy_same_layout(node, nn.LayerNorm(shape[-1]), "weight", "bias")

    def class_token(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """A trained first position."""
        return self.copy_same_layout(node, ClassToken(shape[-1]), "token")

    def positional_embedding(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """A trained value for each position and channel."""
        return self.copy_same_layout(node, PositionalEmbedding(shape), "weight")

    def multi_head_attention(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """Both projections as linear layers around PyTorch's fused attention."""
        module = Attention(shape[-1], settings["heads"])
        for name, linear in (("in_proj", module.into), ("out_proj", module.out)):
            self.copy_weight(node, f"{name}_weight", linear.weight, lambda w: w.T, lambda w: w.T)
            self.copy_weight(node, f"{name}_bias", linear.bias, lambda w: w, lambda w: w)
        return module

    def lstm(self, settings: dict[str, Any], node: str, shape: Shape) -> nn.Module:
        """Gates in PyTorch's order, which is the engine's too."""
        module = LastState(shape[-1], settings["units"])
        for key in ("ih", "hh"):
            for kind, transform in (("weight", lambda w: w.T), ("bias", lambda w: w)):
                parameter = getattr(module.lstm, f"{kind}_{key}_l0")
                self.copy_weight(node, f"{kind}_{key}", parameter, transform, transform)
        return module


class Residual(nn.Module):
    """y = x + f(x)."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, …)."""
        y: Tensor = x + self.layers(x)
        return y


class Patches(nn.Module):
    """The patches of an image (N, C, H, W) as rows, (N, L, P·P·C)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Patches row by row, and so the pixels of a patch."""
        samples, channels, height, width = x.shape
        rows, columns, size = height // self.size, width // self.size, self.size
        squares = x.reshape(samples, channels, rows, size, columns, size)
        return squares.permute(0, 2, 4, 3, 5, 1).reshape(samples, rows * columns, -1)


class ClassToken(nn.Module):
    """[token, x₁, …]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C)."""
        return torch.cat((self.token.expand(len(x), 1, -1), x), 1)


class PositionalEmbedding(nn.Module):
    """x + w."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C)."""
        return x + self.weight


class Attention(nn.Module):
    """Self-attention through `scaled_dot_product_attention`."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into, self.out = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C)."""
        samples, length, channels = x.shape
        split = self.into(x).view(samples, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*split.unbind(0))
        y: Tensor = self.out(mixed.transpose(1, 2).reshape(samples, length, channels))
        return y


class Select(nn.Module):
    """One position of a sequence."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C)."""
        return x[:, self.index]


class LastState(nn.Module):
    """An LSTM's last state."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, units, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, L, C)."""
        _, (h, _) = self.lstm(x)
        last: Tensor = h[0]
        return last
