"""The gated recurrent unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, ScratchSpec
from ldl.engine.layers.recurrent import Recurrent, RecurrentGradients, RecurrentScratch


@dataclass(frozen=True, eq=False)
class Gru(Recurrent):
    """hₜ = (1 − u)·n + u·hₜ₋₁,  n = tanh(nx + r·nh),  x (N, L, C), y (N, H) or (N, L, H).

    The reset gate r and the update gate u are σ(xₜ·w_ih + b_ih + hₜ₋₁·w_hh + b_hh), each with its
    columns; nx = xₜ·w_ih + b_ih and nh = hₜ₋₁·w_hh + b_hh with those of n. `units` is H, h₀ is 0.
    y is the last state, or with `return_sequences` every state, as another recurrent layer needs
    it. Weights are PyTorch's, matrices transposed, gates in its order r, u (its z), n:
    weight_ih (C, 3H), weight_hh (H, 3H), bias_ih and bias_hh (3H,). All count as having a fan-in
    of H, so that they start as PyTorch's do, from U(−1/√H, 1/√H).

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, in the
    variant of PyTorch's nn.GRU, which resets after the product.
    """

    gates: ClassVar[tuple[int, ...]] = (0, 1, 2)
    separate: ClassVar[tuple[int, ...]] = (2,)
    sigmoids: ClassVar[int] = 2

    def step_buffers(self, length: int) -> dict[str, ScratchSpec]:
        """r, u, nh and n by time, two buffers of one step, and ∂hₜ₋₁ by way of u."""
        return {
            "gates": ScratchSpec((length, 4 * self.units)),
            "work": ScratchSpec((self.units,)),
            "gate_gradients": ScratchSpec((4 * self.units,), "backward"),
            "carry": ScratchSpec((self.units,), "backward"),
        }

    def step(self, ctx: Context, scratch: RecurrentScratch, t: int) -> Iterator[Call]:
        """Overwrite gates and state."""
        gates, work = self.by_time(ctx, "gates")[t], self.feature_major(ctx, "work")
        h_old, h = scratch.h_old[t], scratch.h[t]
        r, u, nh, n = gates.reshape(4, *h.shape)
        sigmoids = gates[: 2 * self.units]
        yield self.product(scratch, t, gates)
        yield partial(np.tanh, sigmoids, sigmoids)
        yield partial(np.multiply, sigmoids, scratch.half, sigmoids)
        yield partial(np.add, sigmoids, scratch.half, sigmoids)
        yield partial(np.multiply, r, nh, work)
        yield partial(np.add, n, work, n)
        yield partial(np.tanh, n, n)
        yield partial(np.subtract, h_old, n, work)
        yield partial(np.multiply, u, work, work)
        yield partial(np.add, n, work, h)

    def step_backward(
        self, ctx: Context, scratch: RecurrentScratch, gradients: RecurrentGradients, t: int
    ) -> Iterator[Call]:
        """∂nx = ∂h·(1−u)·(1−n²), ∂nh = ∂nx·r, ∂r = ∂nx·nh·r(1−r), ∂u = ∂h·(hₜ₋₁−n)·u(1−u)."""
        gates, work = self.by_time(ctx, "gates")[t], self.feature_major(ctx, "work")
        dh, carry, h_old = gradients.dh, self.feature_major(ctx, "carry"), scratch.h_old[t]
        gate_gradients = self.feature_major(ctx, "gate_gradients")
        r, u, nh, n = gates.reshape(4, *h_old.shape)
        dr, du, dnh, dnx = gate_gradients.reshape(4, *h_old.shape)
        yield partial(np.multiply, dh, u, carry)
        yield partial(np.subtract, dh, carry, du)  # ∂n
        yield partial(np.multiply, n, n, dnx)
        yield partial(np.multiply, du, dnx, dnx)
        yield partial(np.subtract, du, dnx, dnx)
        yield partial(np.multiply, dnx, r, dnh)
        yield partial(np.multiply, dnh, nh, dr)
        yield partial(np.subtract, scratch.one, r, work)
        yield partial(np.multiply, dr, work, dr)
        yield partial(np.subtract, h_old, n, du)
        yield partial(np.multiply, carry, du, du)
        yield partial(np.subtract, scratch.one, u, work)
        yield partial(np.multiply, du, work, du)
        yield partial(np.copyto, gradients.da[t], gate_gradients)
