"""The long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Buffer, Node
from ldl.engine.layers.recurrent import Recurrent
from ldl.engine.memory import Array, scalar


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

    gates: ClassVar[int] = 4
    sigmoids: ClassVar[tuple[int, ...]] = (0, 1, 3)

    def scratch(self, length: int) -> dict[str, Buffer]:
        """Gates, cells and their tanh by time; slopes, gradients and ∂c of one step."""
        H = self.units
        return {
            "gates": Buffer((length, 4 * H)),
            "part": Buffer((H,)),
            "c": Buffer((length + 1, H)),
            "tanh_c": Buffer((length, H)),
            "slopes": Buffer((4 * H,), "backward"),
            "pulls": Buffer((4 * H,), "backward"),
            "dc": Buffer((H,), "backward"),
        }

    def bind(self, node: Node) -> None:
        """The gates one after the other, each (N, H): contiguous for the work on values."""
        super().bind(node)
        tmp, dtype = node.tmp, node.y.dtype
        samples, length, _ = node.x[0].shape
        gates = (4, samples, self.units)
        tmp["gates"] = tmp["gates"].reshape(length, *gates)
        cells = tmp["c"].reshape(length + 1, *gates[1:])
        tmp["c_old"], tmp["c"] = cells[:-1], cells[1:]
        tmp["tanh_c"] = tmp["tanh_c"].reshape(length, *gates[1:])
        tmp["unit"] = scalar(1.0, dtype)
        tmp["factor"] = np.array([0.5, 0.5, 1.0, 0.5], dtype)[:, None, None]
        tmp["offset"] = np.array([0.5, 0.5, 0.0, 0.5], dtype)[:, None, None]
        if node.dy is not None:
            tmp["slopes"] = tmp["slopes"].reshape(gates)
            tmp["pulls"] = tmp["pulls"].reshape(gates)

    def steps(self, node: Node) -> None:
        """Overwrite gates, cells and states."""
        tmp = node.tmp
        wide, a, blocks = tmp["wide"], tmp["a"], tmp["a_blocks"]
        factor, offset, part = tmp["factor"], tmp["offset"], tmp["part"]
        tmp["c_old"][0].fill(0.0)
        names = ("z", "gates", "c_old", "c", "tanh_c", "h")
        for z, gates, c_old, c, tanh_c, h in zip(*(tmp[name] for name in names), strict=True):
            z.dot(wide, a)
            np.tanh(blocks, gates)
            np.multiply(gates, factor, gates)
            np.add(gates, offset, gates)
            i, f, g, o = gates
            np.multiply(f, c_old, c)
            np.multiply(i, g, part)
            np.add(c, part, c)
            np.tanh(c, tanh_c)
            np.multiply(o, tanh_c, h)

    def steps_back(self, node: Node) -> None:
        """∂cₜ = ∂hₜ·o·(1 − tanh²cₜ) + fₜ₊₁·∂cₜ₊₁,  ∂a = slopes·[∂c·g, ∂c·cₜ₋₁, ∂c·i, ∂h·tanh c]."""
        tmp = node.tmp
        dh, dc, part, slopes, pulls = (tmp[k] for k in ("dh", "dc", "part", "slopes", "pulls"))
        pull_i, pull_f, pull_g, pull_o = pulls
        dc.fill(0.0)
        names = ("gates", "c_old", "tanh_c", "h", "da_blocks")
        for gates, c_old, tanh_c, h, da in self.from_the_last(node, *names):
            i, f, g, o = gates
            np.multiply(h, tanh_c, part)
            np.subtract(o, part, part)
            np.multiply(dh, part, part)
            np.add(dc, part, dc)
            self._slopes(gates, slopes, tmp["unit"])
            np.multiply(dc, g, pull_i)
            np.multiply(dc, c_old, pull_f)
            np.multiply(dc, i, pull_g)
            np.multiply(dh, tanh_c, pull_o)
            np.multiply(pulls, slopes, da)
            np.multiply(dc, f, dc)

    @staticmethod
    def _slopes(gates: Array, slopes: Array, unit: Array) -> None:
        """σ(1 − σ) for i, f, o and 1 − tanh² for g."""
        np.multiply(gates, gates, slopes)
        np.subtract(gates[:2], slopes[:2], slopes[:2])
        np.subtract(gates[3], slopes[3], slopes[3])
        np.subtract(unit, slopes[2], slopes[2])
