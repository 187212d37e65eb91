"""What is measured: networks, their batches and optimizers, and the data that they train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ldl.engine.memory import Array

BATCHES = 64  # steps an epoch; enough that drawing the order weighs little
LEARNING_RATE = 0.001
Weights = list[tuple[Array, Array]]  # for each layer w (I, O) and b (O,)


@dataclass(frozen=True)
class Task:
    """A fully connected network with `activation` after every layer but the last.

    With `mse` it learns its own inputs (an autoencoder); with `cross_entropy` class indices.
    """

    name: str
    sizes: tuple[int, ...]
    batch: int
    optimizer: Literal["sgd", "adam"]
    activation: Literal["tanh", "relu"] = "tanh"
    loss: Literal["mse", "cross_entropy"] = "mse"
    target: float | None = None  # the ratio to the hand-planned step that we promise to stay under

    def data(self) -> tuple[Array, Array]:
        """Inputs (n, I) in [0, 1), and targets: the same array, or class indices (n,)."""
        rng = np.random.default_rng(0)
        count = self.batch * BATCHES
        x = rng.random((count, self.sizes[0]), np.float32)
        return x, x if self.loss == "mse" else rng.integers(0, self.sizes[-1], count)

    def weights(self) -> Weights:
        """Starting weights by Glorot's rule, and small biases, the same for every contender."""
        rng = np.random.default_rng(1)
        weights = []
        for inputs, outputs in zip(self.sizes, self.sizes[1:], strict=False):
            limit = (6.0 / (inputs + outputs)) ** 0.5
            w = rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)
            weights.append((w, rng.uniform(-0.1, 0.1, outputs).astype(np.float32)))
        return weights


DEEP = (784, 512, 256, 128, 64, 128, 256, 512, 784)
TASKS = (
    Task("ae 64-32-16-2-16-32-64", (64, 32, 16, 2, 16, 32, 64), 64, "sgd", target=1.2),
    Task("ae 64-64-32-64-64", (64, 64, 32, 64, 64), 32, "sgd", target=1.2),
    Task("ae 256-128-64-128-256", (256, 128, 64, 128, 256), 64, "sgd", target=1.2),
    Task("mlp 784-256-128-10", (784, 256, 128, 10), 1, "sgd", "relu", "cross_entropy"),
    Task("mlp 784-256-128-10", (784, 256, 128, 10), 64, "adam", "relu", "cross_entropy"),
    Task("ae 784-256-64-256-784", (784, 256, 64, 256, 784), 64, "adam"),
    Task("ae 784-512-256-128-64-…", DEEP, 128, "adam"),
)
