"""Optimizers: rules that move the flat vector θ (`theta`) along its gradient g, in place.

An optimizer holds no arrays; its `Memory` does. The decayed weights are `theta[:decayed]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ldl.engine.memory import Array, aligned
from ldl.errors import SettingError
from ldl.fields import Momentum, NonNegative, Positive


@dataclass
class Memory:
    """What an optimizer keeps: the number of steps taken and its moments; `tmp` is scratch."""

    steps: int
    moments: dict[str, Array]
    tmp: Array


@dataclass(frozen=True)
class Optimizer:
    """θ ← θ − η · direction.

    `whole_set` says that a step is meant to see the whole training set at once.
    """

    moments: ClassVar[tuple[str, ...]] = ()
    whole_set: ClassVar[bool] = False
    learning_rate: Positive

    @property
    def kept(self) -> tuple[str, ...]:
        """The moments that these settings need."""
        return self.moments

    def start(self, theta: Array) -> Memory:
        """Moments of θ's length, all zero."""
        moments = {name: aligned(theta.shape, theta.dtype) for name in self.kept}
        return Memory(0, moments, aligned(theta.shape, theta.dtype))

    def step(
        self, theta: Array, gradient: Array, memory: Memory, learning_rate: float, decayed: int
    ) -> None:
        """Move `theta`; `gradient` may be overwritten."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gd(Optimizer):
    """θ ← θ − η g, with g over the whole training set: batch gradient descent (Cauchy, 1847)."""

    whole_set: ClassVar[bool] = True
    learning_rate: Positive = 0.1

    def step(
        self, theta: Array, gradient: Array, memory: Memory, learning_rate: float, decayed: int
    ) -> None:
        """Move `theta`."""
        memory.steps += 1
        np.multiply(gradient, learning_rate, gradient)
        np.subtract(theta, gradient, theta)


@dataclass(frozen=True)
class Sgd(Optimizer):
    """v ← μ v + g,  θ ← θ − η v;  with Nesterov θ ← θ − η (g + μ v).

    μ is `momentum`; `weight_decay` λ adds λ θ to g (L2, biases left out). Source: Sutskever et
    al., On the importance of initialization and momentum in deep learning, 2013, in PyTorch's
    variant: η stands outside v.
    """

    moments: ClassVar[tuple[str, ...]] = ("velocity",)
    learning_rate: Positive = 0.01
    momentum: Momentum = 0.0
    nesterov: bool = False
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        """Refuse Nesterov's rule without a momentum."""
        if self.nesterov and not self.momentum:
            raise SettingError("nesterov", "needs a momentum above 0")

    @property
    def kept(self) -> tuple[str, ...]:
        """A velocity only where there is momentum."""
        return self.moments if self.momentum else ()

    def step(
        self, theta: Array, gradient: Array, memory: Memory, learning_rate: float, decayed: int
    ) -> None:
        """Move `theta`."""
        memory.steps += 1
        tmp = memory.tmp
        if self.weight_decay:
            np.multiply(theta[:decayed], self.weight_decay, tmp[:decayed])
            np.add(gradient[:decayed], tmp[:decayed], gradient[:decayed])
        if self.momentum:
            velocity = memory.moments["velocity"]
            np.multiply(velocity, self.momentum, velocity)
            np.add(velocity, gradient, velocity)
            share = self.momentum if self.nesterov else 1.0
            np.multiply(velocity, learning_rate * share, tmp)
            np.subtract(theta, tmp, theta)
        if self.nesterov or not self.momentum:
            np.multiply(gradient, learning_rate, gradient)
            np.subtract(theta, gradient, theta)


@dataclass(frozen=True)
class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − η · m̂ / (√v̂ + ε).

    m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ) at step t. Source: Kingma and Ba, Adam, 2015,
    algorithm 1. The moments are kept without their factors (1−β), which saves two passes over
    the vectors; ε is the paper's, outside the root and after the correction.
    """

    moments: ClassVar[tuple[str, ...]] = ("mean", "square")
    learning_rate: Positive = 0.001
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    epsilon: Positive = 1e-8

    def step(
        self, theta: Array, gradient: Array, memory: Memory, learning_rate: float, decayed: int
    ) -> None:
        """Move `theta`."""
        memory.steps += 1
        mean, square, tmp = memory.moments["mean"], memory.moments["square"], memory.tmp
        np.multiply(mean, self.beta1, mean)
        np.add(mean, gradient, mean)
        np.multiply(square, self.beta2, square)
        np.multiply(gradient, gradient, tmp)
        np.add(square, tmp, square)
        # √v̂ + ε = r·(√square + ε/r) with r below, so the factors need one pass, not three.
        first = (1.0 - self.beta1) / (1.0 - self.beta1**memory.steps)
        root = sqrt((1.0 - self.beta2) / (1.0 - self.beta2**memory.steps))
        np.sqrt(square, tmp)
        np.add(tmp, self.epsilon / root, tmp)
        np.divide(mean, tmp, tmp)
        np.multiply(tmp, learning_rate * first / root, tmp)
        np.subtract(theta, tmp, theta)


@dataclass(frozen=True)
class AdamW(Adam):
    """θ ← θ − η λ θ, then Adam's step: weight decay λ apart from the gradient.

    Biases are not decayed. Source: Loshchilov and Hutter, Decoupled Weight Decay
    Regularization, 2019, in PyTorch's variant, where λ is multiplied with η.
    """

    weight_decay: NonNegative = 0.01

    def step(
        self, theta: Array, gradient: Array, memory: Memory, learning_rate: float, decayed: int
    ) -> None:
        """Move `theta`."""
        np.multiply(theta[:decayed], 1.0 - learning_rate * self.weight_decay, theta[:decayed])
        super().step(theta, gradient, memory, learning_rate, decayed)


OPTIMIZERS: dict[str, type[Optimizer]] = {"gd": Gd, "sgd": Sgd, "adam": Adam, "adamw": AdamW}
