"""Lion: the sign of a momentum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.optim.base import Optimizer, OptimizerState, Parts
from ldl.fields import Momentum, NonNegative, Positive


@dataclass(frozen=True)
class Lion(Optimizer):
    """θ ← θ − η (sign(β₁ m + (1−β₁) g) + λ θ),  m ← β₂ m + (1−β₂) g; the sign of 0 is 0.

    λ is `weight_decay`, apart from the gradient, biases left out. Source: Chen et al., Symbolic
    Discovery of Optimization Algorithms, 2023, program 1. The momentum is kept without its
    factor (1−β₂).
    """

    moments: ClassVar[tuple[str, ...]] = ("mean",)
    learning_rate: Positive = 0.0001
    beta1: Momentum = 0.9
    beta2: Momentum = 0.99
    weight_decay: NonNegative = 0.0

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
        mean, tmp = memory.moments["mean"], memory.tmp
        if self.weight_decay:
            for part in decayed:
                np.multiply(theta[part], 1.0 - learning_rate * self.weight_decay, theta[part])
        np.multiply(mean, self.beta1 * (1.0 - self.beta2) / (1.0 - self.beta1), tmp)
        np.add(tmp, gradient, tmp)
        np.sign(tmp, tmp)
        np.multiply(tmp, learning_rate, tmp)
        np.subtract(theta, tmp, theta)
        np.multiply(mean, self.beta2, mean)
        np.add(mean, gradient, mean)
