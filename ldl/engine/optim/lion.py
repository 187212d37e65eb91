"""Lion: steps by the sign of a running mean of gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.optim.base import Optimizer, OptimizerState, Slices
from ldl.fields import Momentum, NonNegative, Positive


@dataclass(frozen=True)
class Lion(Optimizer):
    """θ ← θ − η (sign(β₁ m + (1−β₁) g) + λ θ),  m ← β₂ m + (1−β₂) g; the sign of 0 is 0.

    λ is `weight_decay`, decoupled from the gradient. It leaves out biases and scales of norms,
    unless `train: {decay: all}`. Source: Chen et al., Symbolic Discovery of Optimization
    Algorithms, 2023, program 1. The slot holds m without its factor (1−β₂).
    """

    slot_names: ClassVar[tuple[str, ...]] = ("mean",)
    learning_rate: Positive = 0.0001
    beta1: Momentum = 0.9
    beta2: Momentum = 0.99
    weight_decay: NonNegative = 0.0

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
        mean, scratch = state.slots["mean"], state.scratch
        if self.weight_decay:
            for w in (theta[s] for s in decay_slices):
                np.multiply(w, 1.0 - learning_rate * self.weight_decay, w)
        np.multiply(mean, self.beta1 * (1.0 - self.beta2) / (1.0 - self.beta1), scratch)
        np.add(scratch, gradient, scratch)
        np.sign(scratch, scratch)
        np.multiply(scratch, learning_rate, scratch)
        np.subtract(theta, scratch, theta)
        np.multiply(mean, self.beta2, mean)
        np.add(mean, gradient, mean)
