"""Adam and its variants: a mean of gradients over the root of a mean of their squares."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.optim.base import Optimizer, OptimizerState, Slices
from ldl.fields import Momentum, NonNegative, Positive


@dataclass(frozen=True)
class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g,  v ← β₂v + (1−β₂)g²,  θ ← θ − η · m̂ / (√v̂ + ε).

    m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ) at step t. Source: Kingma and Ba, Adam, 2015,
    algorithm 1, with ε outside the root and after the correction. The slots hold the moments
    without their factors (1−β), which saves two passes over the vectors.
    """

    slot_names: ClassVar[tuple[str, ...]] = ("mean", "square")
    learning_rate: Positive = 0.001
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    epsilon: Positive = 1e-8

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
        mean, square, scratch = state.slots["mean"], state.slots["square"], state.scratch
        np.multiply(mean, self.beta1, mean)
        np.add(mean, gradient, mean)
        np.multiply(square, self.beta2, square)
        np.multiply(gradient, gradient, scratch)
        np.add(square, scratch, square)
        # √v̂ + ε = r·(√square + ε/r) with r = root: one pass for the factors instead of three.
        mean_factor = (1.0 - self.beta1) / (1.0 - self.beta1**state.steps)
        root = sqrt((1.0 - self.beta2) / (1.0 - self.beta2**state.steps))
        np.sqrt(square, scratch)
        np.add(scratch, self.epsilon / root, scratch)
        np.divide(mean, scratch, scratch)
        np.multiply(scratch, learning_rate * mean_factor / root, scratch)
        np.subtract(theta, scratch, theta)


@dataclass(frozen=True)
class AdamW(Adam):
    """θ ← θ − η λ θ, then the step of Adam: decoupled weight decay λ.

    Weight decay does not apply to biases and scales of norms, unless `train: {decay: all}`. Source:
    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, in PyTorch's variant, where
    η multiplies λ.
    """

    weight_decay: NonNegative = 0.01

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta`."""
        for w in (theta[s] for s in decay_slices):
            np.multiply(w, 1.0 - learning_rate * self.weight_decay, w)
        super().step(theta, gradient, state, learning_rate, decay_slices)


@dataclass(frozen=True)
class Adamax(Optimizer):
    """m ← β₁m + (1−β₁)g,  u ← max(β₂u, |g| + ε),  θ ← θ − η / (1−β₁ᵗ) · m / u.

    Adam with a maximum in place of the root of a mean. Source: Kingma and Ba, Adam, 2015,
    algorithm 2, in PyTorch's variant, where ε keeps u above 0. The slot `mean` holds m without its
    factor (1−β₁).
    """

    slot_names: ClassVar[tuple[str, ...]] = ("mean", "largest")
    learning_rate: Positive = 0.002
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    epsilon: Positive = 1e-8

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
        mean, largest, scratch = state.slots["mean"], state.slots["largest"], state.scratch
        np.multiply(mean, self.beta1, mean)
        np.add(mean, gradient, mean)
        np.multiply(largest, self.beta2, largest)
        np.absolute(gradient, scratch)
        np.add(scratch, self.epsilon, scratch)
        np.maximum(largest, scratch, out=largest)
        factor = (1.0 - self.beta1) / (1.0 - self.beta1**state.steps)
        np.divide(mean, largest, scratch)
        np.multiply(scratch, learning_rate * factor, scratch)
        np.subtract(theta, scratch, theta)


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov's momentum: θ ← θ − η · (a g + b m) / (√v̂ + ε), m and v as in Adam.

    μ_t = β₁ (1 − ½ · 0.96^(ψt)) and Π_t the product of all μ up to t; a = (1 − μ_t) / (1 − Π_t),
    b = μ_(t+1) / (1 − Π_(t+1)). ψ is `momentum_decay`. Source: Dozat, Incorporating Nesterov
    Momentum into Adam, 2016, in PyTorch's variant. The slots hold the
    moments without their factors.
    """

    slot_names: ClassVar[tuple[str, ...]] = ("mean", "square")
    learning_rate: Positive = 0.002
    beta1: Momentum = 0.9
    beta2: Momentum = 0.999
    epsilon: Positive = 1e-8
    momentum_decay: NonNegative = 0.004

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
        mean, square, scratch = state.slots["mean"], state.slots["square"], state.scratch
        gradient_factor, momentum_factor = self._factors(state)
        np.multiply(mean, self.beta1, mean)
        np.add(mean, gradient, mean)
        np.multiply(square, self.beta2, square)
        np.multiply(gradient, gradient, scratch)
        np.add(square, scratch, square)
        np.multiply(mean, (1.0 - self.beta1) * momentum_factor / gradient_factor, scratch)
        np.add(gradient, scratch, gradient)
        root = sqrt((1.0 - self.beta2) / (1.0 - self.beta2**state.steps))
        np.sqrt(square, scratch)
        np.add(scratch, self.epsilon / root, scratch)
        np.divide(gradient, scratch, gradient)
        np.multiply(gradient, learning_rate * gradient_factor / root, gradient)
        np.subtract(theta, gradient, theta)

    def _factors(self, state: OptimizerState) -> tuple[float, float]:
        """a and b of this step; the state holds the product of all μ."""
        momentum, next_momentum = self._momentum(state.steps), self._momentum(state.steps + 1)
        product = state.numbers.get("product", 1.0) * momentum
        state.numbers["product"] = product
        return (1.0 - momentum) / (1.0 - product), next_momentum / (1.0 - product * next_momentum)

    def _momentum(self, t: int) -> float:
        """μ at step t."""
        decrease: float = 0.96 ** (t * self.momentum_decay)
        return self.beta1 * (1.0 - 0.5 * decrease)
