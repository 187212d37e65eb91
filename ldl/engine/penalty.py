"""Weight penalties, and gradient clipping, which training applies before the optimizer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ldl.arrays import Array


@dataclass(frozen=True)
class Penalty:
    """P = λ₁ Σ |w| + λ₂ Σ w² over the weights without biases, as in Keras.

    λ₂ is half of PyTorch's weight_decay. The slope of |w| at 0 is 0.
    """

    l1: float = 0.0
    l2: float = 0.0

    def value(self, theta: Array, decay_slices: Sequence[slice]) -> float:
        """P of the `decay_slices` of θ."""
        total = 0.0
        for w in (theta[s] for s in decay_slices):
            total += self.l2 * float(w.dot(w)) if self.l2 else 0.0
            total += self.l1 * float(np.abs(w).sum()) if self.l1 else 0.0
        return total

    def add_gradient(
        self, theta: Array, gradient: Array, decay_slices: Sequence[slice], scratch: Array
    ) -> None:
        """g ← g + 2 λ₂ w + λ₁ sign(w) in place; `scratch` is a vector like θ."""
        for w, g, term in ((theta[s], gradient[s], scratch[s]) for s in decay_slices):
            if self.l2:
                np.multiply(w, 2.0 * self.l2, term)
                np.add(g, term, g)
            if self.l1:
                np.sign(w, term)
                np.multiply(term, self.l1, term)
                np.add(g, term, g)


@dataclass(frozen=True)
class Clipping:
    """g ← g · min(1, c / ‖g‖₂), and each value of g clipped to [−v, v].

    c is `norm`, v is `value`; None switches a rule off. Source: Pascanu, Mikolov and Bengio, On
    the difficulty of training recurrent neural networks, 2013, in PyTorch's variant:
    c / (‖g‖₂ + 1e-6).
    """

    norm: float | None = None
    value: float | None = None

    def apply(self, gradient: Array, norm: float) -> None:
        """Clip the gradient in place; `norm` is its Euclidean norm."""
        if self.norm is not None and norm + 1e-6 > self.norm:
            np.multiply(gradient, self.norm / (norm + 1e-6), gradient)
        if self.value is not None:
            np.clip(gradient, -self.value, self.value, out=gradient)
