"""Adagrad, Adadelta, RMSprop: a step size for each weight, from the squares of its gradients."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.optim.base import Optimizer, OptimizerState, Slices
from ldl.fields import Momentum, Positive


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """s ← s + g²,  θ ← θ − η · g / (√s + ε).

    Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, 2011, the diagonal variant, as
    in PyTorch, whose `lr_decay` is the schedule inverse_time with `per: step`.
    """

    slot_names: ClassVar[tuple[str, ...]] = ("square",)
    learning_rate: Positive = 0.01
    epsilon: Positive = 1e-10

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta`."""
        state.steps += 1
        square, scratch = state.slots["square"], state.scratch
        np.multiply(gradient, gradient, scratch)
        np.add(square, scratch, square)
        np.sqrt(square, scratch)
        np.add(scratch, self.epsilon, scratch)
        np.divide(gradient, scratch, gradient)
        np.multiply(gradient, learning_rate, gradient)
        np.subtract(theta, gradient, theta)


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """s ← ρ s + (1−ρ) g²,  d = √(r + ε) / √(s + ε) · g,  r ← ρ r + (1−ρ) d²,  θ ← θ − η d.

    r and s are means of squared changes and gradients, so that d has the unit of θ and η = 1 suits.
    Source: Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, algorithm 1; PyTorch's
    defaults.
    """

    slot_names: ClassVar[tuple[str, ...]] = ("square", "change")
    learning_rate: Positive = 1.0
    rho: Momentum = 0.9
    epsilon: Positive = 1e-6

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta`."""
        state.steps += 1
        square, change, scratch = state.slots["square"], state.slots["change"], state.scratch
        np.multiply(square, self.rho, square)
        np.multiply(gradient, gradient, scratch)
        np.multiply(scratch, 1.0 - self.rho, scratch)
        np.add(square, scratch, square)
        np.add(square, self.epsilon, scratch)
        np.sqrt(scratch, scratch)
        np.divide(gradient, scratch, gradient)
        np.add(change, self.epsilon, scratch)
        np.sqrt(scratch, scratch)
        np.multiply(gradient, scratch, gradient)
        np.multiply(change, self.rho, change)
        np.multiply(gradient, gradient, scratch)
        np.multiply(scratch, 1.0 - self.rho, scratch)
        np.add(change, scratch, change)
        np.multiply(gradient, learning_rate, gradient)
        np.subtract(theta, gradient, theta)


@dataclass(frozen=True)
class RmsProp(Optimizer):
    """s ← α s + (1−α) g²,  b ← μ b + g / (√s + ε),  θ ← θ − η b.

    `centered` takes the square of a running mean of g from s. Source: Tieleman and Hinton,
    Lecture 6.5, 2012, in PyTorch's variant: ε outside the root, the momentum μ after the division.
    The slots hold the moments without their factor (1−α), which saves a pass over the vectors.
    """

    slot_names: ClassVar[tuple[str, ...]] = ("square", "mean", "velocity")
    learning_rate: Positive = 0.01
    alpha: Momentum = 0.99
    epsilon: Positive = 1e-8
    momentum: Momentum = 0.0
    centered: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        """A mean with `centered`, a velocity with a momentum above 0."""
        mean = ("mean",) if self.centered else ()
        return ("square", *mean, *(("velocity",) if self.momentum else ()))

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta`."""
        state.steps += 1
        square, scratch = state.slots["square"], state.scratch
        np.multiply(square, self.alpha, square)
        np.multiply(gradient, gradient, scratch)
        np.add(square, scratch, square)
        if self.centered:
            self._centre(gradient, state)
            np.sqrt(scratch, scratch)
        else:
            np.sqrt(square, scratch)
        # √s + ε = r·(√square + ε/r) with r = factor
        factor = sqrt(1.0 - self.alpha)
        np.add(scratch, self.epsilon / factor, scratch)
        np.divide(gradient, scratch, gradient)
        if self.momentum:
            velocity = state.slots["velocity"]
            np.multiply(velocity, self.momentum, velocity)
            np.add(velocity, gradient, velocity)
            np.multiply(velocity, learning_rate / factor, scratch)
            np.subtract(theta, scratch, theta)
        else:
            np.multiply(gradient, learning_rate / factor, gradient)
            np.subtract(theta, gradient, theta)

    def _centre(self, gradient: Array, state: OptimizerState) -> None:
        """Write max(0, s − m²) to scratch; rounding may make s − m² negative."""
        mean, scratch = state.slots["mean"], state.scratch
        np.multiply(mean, self.alpha, mean)
        np.add(mean, gradient, mean)
        np.multiply(mean, mean, scratch)
        np.multiply(scratch, 1.0 - self.alpha, scratch)
        np.subtract(state.slots["square"], scratch, scratch)
        np.maximum(scratch, 0.0, out=scratch)
