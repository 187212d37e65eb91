"""The table of timed tasks: networks, each with batch size, optimizer and data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ldl.arrays import Array

if TYPE_CHECKING:
    from ldl.engine.graph import Graph, Node

LEARNING_RATE = 0.001
Weights = dict[str, "Array"]  # by the engine's names and in its layouts
Item = tuple[str, dict[str, Any]]  # a layer by its name in a configuration, and its settings
Layers = tuple[Item, ...]


@dataclass(frozen=True)
class Task:
    """A chain of layers on samples of `shape`, trained by `optimizer` on `batch` samples per step.

    With `mse` the targets are the inputs (an autoencoder), with `cross_entropy` class indices. The
    data has `batches` batches, enough to make the time for shuffling small.
    """

    name: str
    layers: Layers
    shape: tuple[int, ...]
    batch: int
    optimizer: Literal["sgd", "adam"]
    loss: Literal["mse", "cross_entropy"] = "cross_entropy"
    batches: int = 64

    @property
    def title(self) -> str:
        """The name of the task's row."""
        return f"{self.name}, batch {self.batch}, {self.optimizer}"

    @property
    def dense(self) -> bool:
        """Whether all layers are linear, with the same activation after each but the last."""
        names = [name for name, _ in self.layers]
        return set(names[::2]) == {"linear"} and len(set(names[1::2])) == 1 and len(names) % 2 == 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of the inputs and of each linear layer's outputs, for a dense task."""
        return (*self.shape, *(settings["units"] for _, settings in self.layers[::2]))

    def data(self) -> tuple[Array, Array]:
        """Inputs (n, *shape) in [0, 1), and targets: the same array, or class indices (n,)."""
        rng = np.random.default_rng(0)
        count = self.batch * self.batches
        x = rng.random((count, *self.shape), np.float32)
        return x, x if self.loss == "mse" else rng.integers(0, classes(self), count)


def classes(task: Task) -> int:
    """The number of outputs of the last layer."""
    units: int = task.layers[-1][1]["units"]
    return units


# --- the table ------------------------------------------------------------------------------


def mlp(*units: int, activation: str = "relu") -> Layers:
    """Linear layers with `activation` between them."""
    pairs: list[Layers] = [(("linear", {"units": u}), (activation, {})) for u in units]
    return tuple(item for pair in pairs for item in pair)[:-1]


def autoencoder(*sizes: int, batch: int, optimizer: Literal["sgd", "adam"], **more: Any) -> Task:
    """An autoencoder with tanh; the first of `sizes` is the number of inputs."""
    size_text = (
        "-".join(map(str, sizes)) if len(sizes) < 8 else f"{'-'.join(map(str, sizes[:5]))}-…"
    )
    layers = mlp(*sizes[1:], activation="tanh")
    return Task(f"autoencoder {size_text}", layers, sizes[:1], batch, optimizer, "mse", **more)


def conv(channels: int, size: int = 3, padding: int = 0) -> dict[str, Any]:
    """The settings of a convolution."""
    return {"out_channels": channels, "kernel_size": size, "padding": padding}


def conv1d(*channels: int) -> Layers:
    """conv1d(3) and maxpool1d(2) for each number of channels, then linear layers 100 and 10."""
    front: Layers = ()
    for c in channels:
        front += (("conv1d", conv(c)), ("maxpool1d", {"kernel_size": 2}))
    return (*front, ("flatten", {}), *mlp(100, 10))


def cifar(normalised: bool) -> Layers:
    """conv 5×5 with 32, 64, 64 channels, each pooled; then linear layers 1000 and 10.

    Batch normalisation removes a bias directly before it; such convolutions have none.
    """
    norm: Layers = (("batch_norm", {}),) if normalised else ()
    front: Layers = ()
    for c in (32, 64, 64):
        window = {**conv(c, 5, 2), "bias": not normalised}
        front += (("conv2d", window), *norm, ("relu", {}), ("maxpool2d", {"kernel_size": 2}))
    return (*front, ("flatten", {}), *mlp(1000, 10))


def transformer(dim: int, patch: int, hidden: int) -> Layers:
    """A vision transformer: two blocks, a class token, four heads."""
    attention: Layers = (("layer_norm", {}), ("multi_head_attention", {"heads": 4}))
    head: Layers = (("layer_norm", {}), *mlp(hidden, dim, activation="gelu"))
    return (
        ("patches", {"size": patch}), ("linear", {"units": dim}), ("class_token", {}),
        ("positional_embedding", {}),
        *(("residual", {"layers": layers}) for _ in range(2) for layers in (attention, head)),
        ("layer_norm", {}), ("select", {"index": 0}), ("linear", {"units": 10}),
    )  # fmt: skip


CONV2D_1: Layers = (
    ("conv2d", conv(32)), ("avgpool2d", {"kernel_size": 2}), ("flatten", {}), *mlp(100, 10),
)  # fmt: skip
CONV2D_3: Layers = (
    ("conv2d", conv(32)), ("avgpool2d", {"kernel_size": 2, "stride": 1}),
    ("conv2d", conv(64)), ("avgpool2d", {"kernel_size": 2}), ("flatten", {}), *mlp(100, 10),
)  # fmt: skip
LENET: Layers = (
    ("conv2d", conv(6, 5, 2)), ("tanh", {}), ("avgpool2d", {"kernel_size": 2}),
    ("conv2d", conv(16, 5)), ("tanh", {}), ("avgpool2d", {"kernel_size": 2}),
    ("flatten", {}), *mlp(120, 84, 10, activation="tanh"),
)  # fmt: skip
LSTM: Layers = (("lstm", {"units": 128}), ("linear", {"units": 10}))
DEEP = (784, 512, 256, 128, 64, 128, 256, 512, 784)
USPS, MNIST, CIFAR = (16, 16, 1), (28, 28, 1), (32, 32, 3)

TASKS = (
    autoencoder(64, 32, 16, 2, 16, 32, 64, batch=64, optimizer="sgd"),
    autoencoder(64, 64, 32, 64, 64, batch=32, optimizer="sgd"),
    autoencoder(256, 128, 64, 128, 256, batch=64, optimizer="sgd"),
    Task("MLP 784-256-128-10", mlp(256, 128, 10), (784,), 1, "sgd"),
    Task("MLP 784-256-128-10", mlp(256, 128, 10), (784,), 64, "adam", batches=32),
    autoencoder(784, 256, 64, 256, 784, batch=64, optimizer="adam", batches=32),
    autoencoder(*DEEP, batch=128, optimizer="adam", batches=16),
    Task("conv1d 32", conv1d(32), (256, 1), 32, "sgd", batches=16),
    Task("conv1d 128-64-32", conv1d(128, 64, 32), (256, 1), 64, "sgd", batches=4),
    Task("conv2d 32", CONV2D_1, USPS, 32, "sgd", batches=16),
    Task("conv2d 32-64", CONV2D_3, USPS, 32, "sgd", batches=16),
    Task("LeNet-5", LENET, MNIST, 64, "adam", batches=16),
    Task("CIFAR 32-64-64", cifar(False), CIFAR, 128, "sgd", batches=2),
    Task("CIFAR 32-64-64, batch_norm", cifar(True), CIFAR, 128, "sgd", batches=2),
    Task("transformer, dim 32", transformer(32, 14, 64), MNIST, 128, "adam", batches=16),
    Task("transformer, dim 128", transformer(128, 7, 256), MNIST, 128, "adam", batches=4),
    Task("LSTM 28×28, 128", LSTM, (28, 28), 64, "adam", batches=16),
)

WARM_UP = Task("warm-up", mlp(2, 2), (2,), 2, "sgd", batches=1)

# --- the engine's view of a task --------------------------------------------------------------


def graph(task: Task) -> Graph:
    """The task's layers and loss; an autoencoder's target is its input, as in `ldl.compile`."""
    from ldl.engine.graph import Graph, LossNode
    from ldl.engine.layer import TensorSpec
    from ldl.engine.losses import CrossEntropy, Mse

    layer_nodes = list(nodes(task.layers, "x"))
    output, inputs = layer_nodes[-1].name, {"x": TensorSpec(task.shape)}
    if task.loss == "mse":
        return Graph(inputs, layer_nodes, [LossNode("loss", Mse(), (output, "x"))])
    inputs["target"] = TensorSpec((), True)
    return Graph(inputs, layer_nodes, [LossNode("loss", CrossEntropy(), (output, "target"))])


def nodes(layers: Layers, value: str, prefix: str = "") -> Iterator[Node]:
    """A node for each layer, named by its number; `3.0` is the first layer of residual 3."""
    from ldl.engine.graph import Node
    from ldl.engine.layers import LAYERS

    for i, (name, settings) in enumerate(layers):
        name_here = f"{prefix}{i}"
        if name == "residual":
            inner = list(nodes(settings["layers"], value, f"{name_here}."))
            yield from inner
            yield Node(name_here, LAYERS["add"](), (inner[-1].name, value))
        else:
            yield Node(name_here, LAYERS[name](**settings), (value,))
        value = name_here


def initial_weights(task: Task) -> Weights:
    """The weights that every implementation starts from."""
    from ldl.engine.parameters import Parameters

    return Parameters(graph(task), seed=1).weights


def multiply_adds(task: Task) -> int:
    """Multiply-adds of a step: forward, as many for ∂w, and for ∂x after the first weights."""
    task_graph = graph(task)
    total, has_weights_before = 0, False
    for node in task_graph.nodes:
        plan = task_graph.plans[node.name]
        passes = (2 if plan.w else 1) + has_weights_before
        total += passes * plan.multiply_adds
        has_weights_before = has_weights_before or bool(plan.w)
    return total * task.batch


def weight_count(task: Task) -> int:
    """The number of trained values."""
    return sum(prod(weight.shape) for weight in graph(task).weights.values())


def dense_pairs(task: Task) -> list[tuple[int, int]]:
    """(inputs, outputs) of each linear layer of a dense task."""
    return list(pairwise(task.sizes))
