"""The plain recurrent layer, of Elman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.layer import Buffer, Node
from ldl.engine.layers.recurrent import Recurrent


@dataclass(frozen=True, eq=False)
class Rnn(Recurrent):
    """hₜ = tanh(xₜ·w_ih + b_ih + hₜ₋₁·w_hh + b_hh),  x (N, L, C), y (N, H) or (N, L, H).

    `units` is H and h₀ = 0. The result is the last state, or with `return_sequences` every state,
    which another recurrent layer needs. `nonlinearity` may be relu. Weights are those of
    PyTorch's nn.RNN, matrices transposed: weight_ih (C, H), weight_hh (H, H), bias_ih and bias_hh
    (H,); the default `init` is its too, U(−1/√H, 1/√H), as all fan-ins count as H.

    Source: Elman, Finding Structure in Time, 1990.
    """

    gates: ClassVar[int] = 1
    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def scratch(self, length: int) -> dict[str, Buffer]:
        """The slopes of one step."""
        return {"slope": Buffer((self.units,), "backward")}

    def steps(self, node: Node) -> None:
        """Overwrite the states."""
        tmp = node.tmp
        wide, a = tmp["wide"], tmp["part"]
        if self.nonlinearity == "relu":
            for z, h in zip(tmp["z"], tmp["h"], strict=True):
                z.dot(wide, a)
                np.maximum(a, 0.0, out=h)
            return
        for z, h in zip(tmp["z"], tmp["h"], strict=True):
            z.dot(wide, a)
            np.tanh(a, h)

    def steps_back(self, node: Node) -> None:
        """∂aₜ = ∂hₜ·f′,  ∂hₜ₋₁ = ∂aₜ·w_hhᵀ (+ ∂yₜ₋₁)."""
        tmp = node.tmp
        whT, dh, slope = tmp["whT"], tmp["dh"], tmp["slope"]
        self.start_back(node)
        for h, dy, da in backwards(tmp, "h", "dy", "da"):
            if self.return_sequences:
                np.add(dh, dy, dh)
            if self.nonlinearity == "relu":
                np.greater(h, 0.0, slope)
            else:
                np.multiply(h, h, slope)
                np.subtract(tmp["one"], slope, slope)
            np.multiply(dh, slope, da)
            da.dot(whT, dh)
