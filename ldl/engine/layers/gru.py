"""The gated recurrent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Buffer, Node
from ldl.engine.layers.recurrent import Recurrent
from ldl.engine.memory import scalar


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

    gates: ClassVar[int] = 3
    apart: ClassVar[int] = 1
    sigmoids: ClassVar[tuple[int, ...]] = (0, 1)

    def scratch(self, length: int) -> dict[str, Buffer]:
        """r, u, r·nh and n by time; gradients of one step."""
        return {
            "gates": Buffer((length, 4 * self.units)),
            "part": Buffer((self.units,), "forward"),
            "parts": Buffer((4 * self.units,), "backward"),
            "rest": Buffer((2 * self.units,), "backward"),
            "carry": Buffer((self.units,), "backward"),
        }

    def bind(self, node: Node) -> None:
        """The gates one after the other, each (N, H), and constants."""
        super().bind(node)
        tmp, H = node.tmp, self.units
        samples, length, _ = node.x[0].shape
        tmp["gates"] = tmp["gates"].reshape(length, 4, samples, H)
        tmp["unit"], tmp["half"] = scalar(1.0, node.y.dtype), scalar(0.5, node.y.dtype)
        if node.dy is not None:
            tmp["parts"] = tmp["parts"].reshape(4, samples, H)
            tmp["rest"] = tmp["rest"].reshape(2, samples, H)

    def steps(self, node: Node) -> None:
        """Overwrite gates and states."""
        tmp = node.tmp
        wide, a, half, part = tmp["wide"], tmp["a"], tmp["half"], tmp["part"]
        a_ru, a_nh, a_nx = (tmp["a_blocks"][k] for k in (slice(0, 2), 2, 3))
        for z, gates, h_old, h in zip(tmp["z"], tmp["gates"], tmp["h_old"], tmp["h"], strict=True):
            z.dot(wide, a)
            ru = gates[:2]
            np.tanh(a_ru, ru)
            np.multiply(ru, half, ru)
            np.add(ru, half, ru)
            r, u, reset, n = gates
            np.multiply(r, a_nh, reset)
            np.add(a_nx, reset, n)
            np.tanh(n, n)
            np.subtract(h_old, n, part)
            np.multiply(u, part, part)
            np.add(n, part, h)

    def steps_back(self, node: Node) -> None:
        """∂nx = ∂h·(1−u)·(1−n²), ∂nh = ∂nx·r, ∂r = ∂nx·nh·r(1−r), ∂u = ∂h·(hₜ₋₁−n)·u(1−u)."""
        tmp = node.tmp
        dh, carry, unit, parts, rest = (tmp[k] for k in ("dh", "carry", "unit", "parts", "rest"))
        of_r, of_u, of_nh, of_nx = parts
        for gates, h_old, da in self.from_the_last(node, "gates", "h_old", "da_blocks"):
            r, u, reset, n = gates
            np.multiply(dh, u, carry)
            np.subtract(dh, carry, of_u)  # ∂n
            np.multiply(n, n, of_nx)
            np.multiply(of_u, of_nx, of_nx)
            np.subtract(of_u, of_nx, of_nx)
            np.multiply(of_nx, r, of_nh)
            np.multiply(of_nx, reset, of_r)
            np.subtract(h_old, n, of_u)
            np.multiply(carry, of_u, of_u)
            np.subtract(unit, gates[:2], rest)
            np.multiply(parts[:2], rest, da[:2])
            np.copyto(da[2:], parts[2:])
