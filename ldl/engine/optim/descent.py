"""Gradient descent: on the whole training set, and on batches with momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.optim.base import Optimizer, OptimizerState, Slices
from ldl.errors import SettingError
from ldl.fields import Momentum, NonNegative, Positive


@dataclass(frozen=True)
class Gd(Optimizer):
    """θ ← θ − η g, with g over the whole training set: batch gradient descent (Cauchy, 1847)."""

    full_batch: ClassVar[bool] = True
    learning_rate: Positive = 0.1

    @property
    def is_vanilla_sgd(self) -> bool:
        """True: a step is θ ← θ − η g."""
        return True

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
        np.multiply(gradient, learning_rate, gradient)
        np.subtract(theta, gradient, theta)


@dataclass(frozen=True)
class Sgd(Optimizer):
    """v ← μ v + g,  θ ← θ − η v;  with Nesterov θ ← θ − η (g + μ v).

    μ is `momentum`; `weight_decay` λ adds λ θ to g (L2). It leaves out biases and scales of norms,
    unless `train: {decay: all}`. Source: Sutskever et al., On the importance of initialization and
    momentum in deep learning, 2013, in PyTorch's variant: η stands outside v.
    """

    slot_names: ClassVar[tuple[str, ...]] = ("velocity",)
    learning_rate: Positive = 0.01
    momentum: Momentum = 0.0
    nesterov: bool = False
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        """Raises SettingError for Nesterov's rule without a momentum."""
        if self.nesterov and not self.momentum:
            raise SettingError("nesterov", "needs a momentum above 0")

    @property
    def is_vanilla_sgd(self) -> bool:
        """True without momentum and weight decay."""
        return not (self.momentum or self.weight_decay)

    @property
    def slots(self) -> tuple[str, ...]:
        """A velocity with a momentum above 0."""
        return self.slot_names if self.momentum else ()

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
        scratch = state.scratch
        if self.weight_decay:
            for decay_slice in decay_slices:
                np.multiply(theta[decay_slice], self.weight_decay, scratch[decay_slice])
                np.add(gradient[decay_slice], scratch[decay_slice], gradient[decay_slice])
        if self.momentum:
            velocity = state.slots["velocity"]
            np.multiply(velocity, self.momentum, velocity)
            np.add(velocity, gradient, velocity)
            factor = self.momentum if self.nesterov else 1.0
            np.multiply(velocity, learning_rate * factor, scratch)
            np.subtract(theta, scratch, theta)
        if self.nesterov or not self.momentum:
            np.multiply(gradient, learning_rate, gradient)
            np.subtract(theta, gradient, theta)
