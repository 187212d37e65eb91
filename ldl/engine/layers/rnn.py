"""The plain recurrent layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.layer import Call, Context, ScratchSpec
from ldl.engine.layers.recurrent import Recurrent, RecurrentGradients, RecurrentScratch


@dataclass(frozen=True, eq=False)
class Rnn(Recurrent):
    """hₜ = tanh(xₜ·w_ih + b_ih + hₜ₋₁·w_hh + b_hh),  x (N, L, C), y (N, H) or (N, L, H).

    `units` is H, h₀ is 0. y is the last state, or with `return_sequences` every state, as another
    recurrent layer needs it. `nonlinearity` may be relu. Weights are PyTorch's, matrices
    transposed: weight_ih (C, H), weight_hh (H, H), bias_ih and bias_hh (H,). All count as having
    a fan-in of H, so that they start as PyTorch's do, from U(−1/√H, 1/√H).

    Source: Elman, Finding Structure in Time, 1990, as in PyTorch's nn.RNN.
    """

    gates: ClassVar[tuple[int, ...]] = (0,)
    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def step_buffers(self, length: int) -> dict[str, ScratchSpec]:
        """Sums and slopes of one step."""
        H = self.units
        return {"a": ScratchSpec((H,), "forward"), "slope": ScratchSpec((H,), "backward")}

    def step(self, ctx: Context, scratch: RecurrentScratch, t: int) -> Iterator[Call]:
        """hₜ = f(aₜ)."""
        a, h = self.feature_major(ctx, "a"), scratch.h[t]
        yield self.product(scratch, t, a)
        if self.nonlinearity == "relu":
            yield partial(np.maximum, a, scratch.zeros, out=h)
        else:
            yield partial(np.tanh, a, h)

    def step_backward(
        self, ctx: Context, scratch: RecurrentScratch, gradients: RecurrentGradients, t: int
    ) -> Iterator[Call]:
        """∂aₜ = ∂hₜ·f′(aₜ)."""
        h, slope = scratch.h[t], self.feature_major(ctx, "slope")
        if self.nonlinearity == "relu":
            yield partial(np.greater, h, scratch.zeros, slope)
        else:
            yield partial(np.multiply, h, h, slope)
            yield partial(np.subtract, scratch.one, slope, slope)
        yield partial(np.multiply, gradients.dh, slope, gradients.da[t])
