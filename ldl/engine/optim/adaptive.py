"""Step sizes of their own for each weight, from the squares of its gradients."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.optim.base import Optimizer, OptimizerState, Parts
from ldl.fields import Momentum, Positive


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """s ← s + g²,  θ ← θ − η · g / (√s + ε).

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011, the diagonal variant, as
    in PyTorch; its `lr_decay` is the schedule inverse_time per step.
    """

    moments: ClassVar[tuple[str, ...]] = ("square",)
    learning_rate: Positive = 0.01
    epsilon: Positive = 1e-10

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: OptimizerState,
        learning_rate: float,
        decayed: Parts,
    ) -> None:
        """Move `theta`."""
        memory.steps += 1
        square, tmp = memory.moments["square"], memory.tmp
        np.multiply(gradient, gradient, tmp)
        np.add(square, tmp, square)
        np.sqrt(square, tmp)
        np.add(tmp, self.epsilon, tmp)
        np.divide(gradient, tmp, gradient)
        np.multiply(gradient, learning_rate, gradient)
        np.subtract(theta, gradient, theta)


@dataclass(frozen=True)
class RmsProp(Optimizer):
    """s ← α s + (1−α) g²,  b ← μ b + g / (√s + ε),  θ ← θ − η b.

    `centered` takes the square of a running mean of g from s. Source: Tieleman and Hinton,
    Lecture 6.5, 2012, in PyTorch's variant: ε outside the root, the momentum μ after the division.
    The moments are kept without their factor (1−α), which saves a pass over the vectors.
    """

    moments: ClassVar[tuple[str, ...]] = ("square", "mean", "velocity")
    learning_rate: Positive = 0.01
    alpha: Momentum = 0.99
    epsilon: Positive = 1e-8
    momentum: Momentum = 0.0
    centered: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        """A mean only where it is taken off, a velocity only where there is momentum."""
        mean = ("mean",) if self.centered else ()
        return ("square", *mean, *(("velocity",) if self.momentum else ()))

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: OptimizerState,
        learning_rate: float,
        decayed: Parts,
    ) -> None:
        """Move `theta`."""
        memory.steps += 1
        square, tmp = memory.moments["square"], memory.tmp
        np.multiply(square, self.alpha, square)
        np.multiply(gradient, gradient, tmp)
        np.add(square, tmp, square)
        if self.centered:
            self._centre(gradient, memory)
            np.sqrt(tmp, tmp)
        else:
            np.sqrt(square, tmp)
        # √s + ε = r·(√square + ε/r)
        root = sqrt(1.0 - self.alpha)
        np.add(tmp, self.epsilon / root, tmp)
        np.divide(gradient, tmp, gradient)
        if self.momentum:
            velocity = memory.moments["velocity"]
            np.multiply(velocity, self.momentum, velocity)
            np.add(velocity, gradient, velocity)
            np.multiply(velocity, learning_rate / root, tmp)
            np.subtract(theta, tmp, theta)
        else:
            np.multiply(gradient, learning_rate / root, gradient)
            np.subtract(theta, gradient, theta)

    def _centre(self, gradient: Array, memory: OptimizerState) -> None:
        """The square less that of the mean, into scratch; never below 0, where rounding leads."""
        mean, tmp = memory.moments["mean"], memory.tmp
        np.multiply(mean, self.alpha, mean)
        np.add(mean, gradient, mean)
        np.multiply(mean, mean, tmp)
        np.multiply(tmp, 1.0 - self.alpha, tmp)
        np.subtract(memory.moments["square"], tmp, tmp)
        np.maximum(tmp, 0.0, out=tmp)
