"""What a training adds to the gradient, and how it cuts it, before the optimizer sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldl.arrays import Array


@dataclass(frozen=True)
class Penalty:
    """P = λ₁ Σ |w| + λ₂ Σ w² over the decayed weights (biases left out), as Keras has it.

    So λ₂ is half of PyTorch's weight_decay, and λ₁'s slope at 0 is 0.
    """

    l1: float = 0.0
    l2: float = 0.0

    def value(self, theta: Array, decayed: Sequence[slice]) -> float:
        """P, of the parts `decayed` of θ."""
        total = 0.0
        for w in (theta[part] for part in decayed):
            total += self.l2 * float(w.dot(w)) if self.l2 else 0.0
            total += self.l1 * float(np.abs(w).sum()) if self.l1 else 0.0
        return total

    def add_gradient(
        self, theta: Array, gradient: Array, decayed: Sequence[slice], tmp: Array
    ) -> None:
        """g ← g + 2 λ₂ w + λ₁ sign(w), by way of `tmp`."""
        for w, g, part in ((theta[part], gradient[part], tmp[part]) for part in decayed):
            if self.l2:
                np.multiply(w, 2.0 * self.l2, part)
                np.add(g, part, g)
            if self.l1:
                np.sign(w, part)
                np.multiply(part, self.l1, part)
                np.add(g, part, g)


@dataclass(frozen=True)
class Clipping:
    """g ← g · min(1, c / ‖g‖₂) for the whole vector, or every value of g cut to [−v, v].

    c is `norm`, v is `value`. Source: Pascanu, Mikolov and Bengio, On the difficulty of training
    recurrent neural networks, 2013, in PyTorch's variant: c / (‖g‖₂ + 1e-6).
    """

    norm: float | None = None
    value: float | None = None

    def apply(self, gradient: Array, norm: float) -> None:
        """Cut the gradient, whose norm is known."""
        if self.norm is not None and norm + 1e-6 > self.norm:
            np.multiply(gradient, self.norm / (norm + 1e-6), gradient)
        if self.value is not None:
            np.clip(gradient, -self.value, self.value, out=gradient)
