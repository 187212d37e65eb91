"""The long short-term memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, ScratchSpec
from ldl.engine.layers.recurrent import Recurrent, RecurrentGradients, RecurrentScratch


@dataclass(frozen=True, eq=False)
class Lstm(Recurrent):
    """cₜ = f·cₜ₋₁ + i·g,  hₜ = o·tanh cₜ,  x (N, L, C), y (N, H) or (N, L, H).

    The gates i, f, o are σ(xₜ·w_ih + b_ih + hₜ₋₁·w_hh + b_hh), each with its columns, and g the
    same with tanh. `units` is H; h₀ and c₀ are 0. y is the last state, or with
    `return_sequences` every state, as another recurrent layer needs it. Weights are PyTorch's,
    matrices transposed, gates in its order i, f, g, o: weight_ih (C, 4H), weight_hh (H, 4H),
    bias_ih and bias_hh (4H,). All count as having a fan-in of H, so that they start as PyTorch's
    do, from U(−1/√H, 1/√H).

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997, with the forget gate of
    Gers et al., Learning to Forget, 2000, as in PyTorch's nn.LSTM.
    """

    gates: ClassVar[tuple[int, ...]] = (0, 1, 3, 2)  # i, f, o, g: gates with a σ come first
    sigmoids: ClassVar[int] = 3

    def step_buffers(self, length: int) -> dict[str, ScratchSpec]:
        """Gates, cells and their tanh by time; slopes, gradients and ∂c of one step."""
        H = self.units
        return {
            "gates": ScratchSpec((length, 4 * H)),
            "work": ScratchSpec((H,)),
            "c": ScratchSpec((length + 1, H)),
            "tanh_c": ScratchSpec((length, H)),
            "slopes": ScratchSpec((4 * H,), "backward"),
            "gate_gradients": ScratchSpec((4 * H,), "backward"),
            "dc": ScratchSpec((H,), "backward"),
        }

    def step(self, ctx: Context, scratch: RecurrentScratch, t: int) -> Iterator[Call]:
        """Overwrite gates, cell and state."""
        gates, work = self.by_time(ctx, "gates")[t], self.feature_major(ctx, "work")
        cells, tanh_c, h = self.by_time(ctx, "c"), self.by_time(ctx, "tanh_c")[t], scratch.h[t]
        c_old, c = cells[t], cells[t + 1]
        i, f, o, g = gates.reshape(4, *h.shape)
        sigmoids = gates[: 3 * self.units]
        if t == 0:
            yield partial(c_old.fill, 0.0)
        yield self.product(scratch, t, gates)
        yield partial(np.tanh, gates, gates)
        yield partial(np.multiply, sigmoids, scratch.half, sigmoids)
        yield partial(np.add, sigmoids, scratch.half, sigmoids)
        yield partial(np.multiply, f, c_old, c)
        yield partial(np.multiply, i, g, work)
        yield partial(np.add, c, work, c)
        yield partial(np.tanh, c, tanh_c)
        yield partial(np.multiply, o, tanh_c, h)

    def step_backward(
        self, ctx: Context, scratch: RecurrentScratch, gradients: RecurrentGradients, t: int
    ) -> Iterator[Call]:
        """∂cₜ = ∂hₜ·o·(1 − tanh²cₜ) + fₜ₊₁·∂cₜ₊₁,  ∂a = slopes·[∂c·g, ∂c·cₜ₋₁, ∂h·tanh c, ∂c·i].

        The slopes are σ(1 − σ) for i, f and o, and 1 − tanh² for g.
        """
        gates, h, dh = self.by_time(ctx, "gates")[t], scratch.h[t], gradients.dh
        c_old, tanh_c = self.by_time(ctx, "c")[t], self.by_time(ctx, "tanh_c")[t]
        dc, work, slopes, gate_gradients = (
            self.feature_major(ctx, name) for name in ("dc", "work", "slopes", "gate_gradients")
        )
        i, f, o, g = gates.reshape(4, *h.shape)
        di, df, do, dg = gate_gradients.reshape(4, *h.shape)
        end = 3 * self.units
        if t == len(scratch.h) - 1:
            yield partial(dc.fill, 0.0)
        yield partial(np.multiply, h, tanh_c, work)
        yield partial(np.subtract, o, work, work)
        yield partial(np.multiply, dh, work, work)
        yield partial(np.add, dc, work, dc)
        yield partial(np.multiply, gates, gates, slopes)
        yield partial(np.subtract, gates[:end], slopes[:end], slopes[:end])
        yield partial(np.subtract, scratch.one, slopes[end:], slopes[end:])
        yield partial(np.multiply, dc, g, di)
        yield partial(np.multiply, dc, c_old, df)
        yield partial(np.multiply, dh, tanh_c, do)
        yield partial(np.multiply, dc, i, dg)
        yield partial(np.multiply, gate_gradients, slopes, gradients.da[t])
        yield partial(np.multiply, dc, f, dc)
