"""The long short-term memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, ScratchSpec
from ldl.engine.layers.recurrent import Recurrent


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

    gates: ClassVar[tuple[int, ...]] = (0, 1, 3, 2)  # i, f, o and then g: what a σ follows is one
    sigmoids: ClassVar[int] = 3

    def scratch(self, length: int) -> dict[str, ScratchSpec]:
        """Gates, cells and their tanh by time; slopes, gradients and ∂c of one step."""
        H = self.units
        return {
            "gates": ScratchSpec((length, 4 * H)),
            "part": ScratchSpec((H,)),
            "c": ScratchSpec((length + 1, H)),
            "tanh_c": ScratchSpec((length, H)),
            "slopes": ScratchSpec((4 * H,), "backward"),
            "pulls": ScratchSpec((4 * H,), "backward"),
            "dc": ScratchSpec((H,), "backward"),
        }

    def bind(self, node: Context) -> None:
        """Time first, samples last."""
        super().bind(node)
        tmp, samples = node.tmp, len(node.y)
        for name in ("gates", "c", "tanh_c"):
            tmp[name] = self.by_time(node, name)
        for name in ("part", "slopes", "pulls", "dc"):
            if name in tmp:
                tmp[name] = tmp[name].reshape(-1, samples)

    def step(self, node: Context, t: int) -> Iterator[Call]:
        """Overwrite gates, cell and state."""
        tmp, gates, part = node.tmp, node.tmp["gates"][t], node.tmp["part"]
        c_old, c, tanh_c, h = tmp["c"][t], tmp["c"][t + 1], tmp["tanh_c"][t], tmp["h"][t]
        i, f, o, g = gates.reshape(4, *h.shape)
        sigmoids = gates[: 3 * self.units]
        if t == 0:
            yield partial(c_old.fill, 0.0)
        yield self.product(node, t, gates)
        yield partial(np.tanh, gates, gates)
        yield partial(np.multiply, sigmoids, tmp["half"], sigmoids)
        yield partial(np.add, sigmoids, tmp["half"], sigmoids)
        yield partial(np.multiply, f, c_old, c)
        yield partial(np.multiply, i, g, part)
        yield partial(np.add, c, part, c)
        yield partial(np.tanh, c, tanh_c)
        yield partial(np.multiply, o, tanh_c, h)

    def step_back(self, node: Context, t: int) -> Iterator[Call]:
        """∂cₜ = ∂hₜ·o·(1 − tanh²cₜ) + fₜ₊₁·∂cₜ₊₁,  ∂a = slopes·[∂c·g, ∂c·cₜ₋₁, ∂h·tanh c, ∂c·i].

        The slopes are σ(1 − σ) for i, f and o, and 1 − tanh² for g.
        """
        tmp, gates = node.tmp, node.tmp["gates"][t]
        dh, dc, part, slopes, pulls = (tmp[k] for k in ("dh", "dc", "part", "slopes", "pulls"))
        tanh_c, h = tmp["tanh_c"][t], tmp["h"][t]
        i, f, o, g = gates.reshape(4, *h.shape)
        pull_i, pull_f, pull_o, pull_g = pulls.reshape(4, *h.shape)
        end = 3 * self.units
        if t == len(tmp["h"]) - 1:
            yield partial(dc.fill, 0.0)
        yield partial(np.multiply, h, tanh_c, part)
        yield partial(np.subtract, o, part, part)
        yield partial(np.multiply, dh, part, part)
        yield partial(np.add, dc, part, dc)
        yield partial(np.multiply, gates, gates, slopes)
        yield partial(np.subtract, gates[:end], slopes[:end], slopes[:end])
        yield partial(np.subtract, tmp["unit"], slopes[end:], slopes[end:])
        yield partial(np.multiply, dc, g, pull_i)
        yield partial(np.multiply, dc, tmp["c"][t], pull_f)
        yield partial(np.multiply, dh, tanh_c, pull_o)
        yield partial(np.multiply, dc, i, pull_g)
        yield partial(np.multiply, pulls, slopes, tmp["da"][t])
        yield partial(np.multiply, dc, f, dc)
