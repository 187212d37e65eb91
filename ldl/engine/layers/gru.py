"""The gated recurrent unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, ScratchSpec
from ldl.engine.layers.recurrent import Recurrent


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
    apart: ClassVar[tuple[int, ...]] = (2,)
    sigmoids: ClassVar[int] = 2

    def scratch(self, length: int) -> dict[str, ScratchSpec]:
        """r, u, nh and n by time, scratch of one step, ∂hₜ₋₁ by way of u."""
        return {
            "gates": ScratchSpec((length, 4 * self.units)),
            "part": ScratchSpec((self.units,)),
            "parts": ScratchSpec((4 * self.units,), "backward"),
            "carry": ScratchSpec((self.units,), "backward"),
        }

    def bind(self, node: Context) -> None:
        """Time first, samples last."""
        super().bind(node)
        tmp, samples = node.tmp, len(node.y)
        tmp["gates"] = self.by_time(node, "gates")
        for name in ("part", "parts", "carry"):
            if name in tmp:
                tmp[name] = tmp[name].reshape(-1, samples)

    def step(self, node: Context, t: int) -> Iterator[Call]:
        """Overwrite gates and state."""
        tmp, gates, part = node.tmp, node.tmp["gates"][t], node.tmp["part"]
        h_old, h = tmp["h_old"][t], tmp["h"][t]
        r, u, nh, n = gates.reshape(4, *h.shape)
        sigmoids = gates[: 2 * self.units]
        yield self.product(node, t, gates)
        yield partial(np.tanh, sigmoids, sigmoids)
        yield partial(np.multiply, sigmoids, tmp["half"], sigmoids)
        yield partial(np.add, sigmoids, tmp["half"], sigmoids)
        yield partial(np.multiply, r, nh, part)
        yield partial(np.add, n, part, n)
        yield partial(np.tanh, n, n)
        yield partial(np.subtract, h_old, n, part)
        yield partial(np.multiply, u, part, part)
        yield partial(np.add, n, part, h)

    def step_back(self, node: Context, t: int) -> Iterator[Call]:
        """∂nx = ∂h·(1−u)·(1−n²), ∂nh = ∂nx·r, ∂r = ∂nx·nh·r(1−r), ∂u = ∂h·(hₜ₋₁−n)·u(1−u)."""
        tmp, gates, part = node.tmp, node.tmp["gates"][t], node.tmp["part"]
        dh, carry, parts, h_old = tmp["dh"], tmp["carry"], tmp["parts"], tmp["h_old"][t]
        r, u, nh, n = gates.reshape(4, *h_old.shape)
        of_r, of_u, of_nh, of_nx = parts.reshape(4, *h_old.shape)
        yield partial(np.multiply, dh, u, carry)
        yield partial(np.subtract, dh, carry, of_u)  # ∂n
        yield partial(np.multiply, n, n, of_nx)
        yield partial(np.multiply, of_u, of_nx, of_nx)
        yield partial(np.subtract, of_u, of_nx, of_nx)
        yield partial(np.multiply, of_nx, r, of_nh)
        yield partial(np.multiply, of_nh, nh, of_r)
        yield partial(np.subtract, tmp["unit"], r, part)
        yield partial(np.multiply, of_r, part, of_r)
        yield partial(np.subtract, h_old, n, of_u)
        yield partial(np.multiply, carry, of_u, of_u)
        yield partial(np.subtract, tmp["unit"], u, part)
        yield partial(np.multiply, of_u, part, of_u)
        yield partial(np.copyto, tmp["da"][t], parts)
