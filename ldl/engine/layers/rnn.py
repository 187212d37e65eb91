"""The plain recurrent layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.layer import Buffer, Node
from ldl.engine.layers.recurrent import Recurrent
from ldl.engine.memory import scalar


@dataclass(frozen=True, eq=False)
class Rnn(Recurrent):
    """hₜ = tanh(xₜ·w_ih + b_ih + hₜ₋₁·w_hh + b_hh),  x (N, L, C), y (N, H) or (N, L, H).

    `units` is H, h₀ is 0. y is the last state, or with `return_sequences` every state, as another
    recurrent layer needs it. `nonlinearity` may be relu. Weights are PyTorch's, matrices
    transposed: weight_ih (C, H), weight_hh (H, H), bias_ih and bias_hh (H,). All count as having
    a fan-in of H, so that they start as PyTorch's do, from U(−1/√H, 1/√H).

    Source: Elman, Finding Structure in Time, 1990, as in PyTorch's nn.RNN.
    """

    gates: ClassVar[int] = 1
    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def scratch(self, length: int) -> dict[str, Buffer]:
        """The slopes of one step."""
        return {"slope": Buffer((self.units,), "backward")}

    def bind(self, node: Node) -> None:
        """Constants; the maximum is fastest against zeros of its own shape."""
        super().bind(node)
        node.tmp["zeros"] = np.zeros_like(node.tmp["a"])
        node.tmp["unit"] = scalar(1.0, node.y.dtype)

    def steps(self, node: Node) -> None:
        """hₜ = f(aₜ)."""
        tmp = node.tmp
        wide, a, zeros = tmp["wide"], tmp["a"], tmp["zeros"]
        relu = self.nonlinearity == "relu"
        for z, h in zip(tmp["z"], tmp["h"], strict=True):
            z.dot(wide, a)
            if relu:
                np.maximum(a, zeros, out=h)
            else:
                np.tanh(a, h)

    def steps_back(self, node: Node) -> None:
        """∂aₜ = ∂hₜ·f′(aₜ)."""
        tmp = node.tmp
        dh, slope, unit, zeros = tmp["dh"], tmp["slope"], tmp["unit"], tmp["zeros"]
        relu = self.nonlinearity == "relu"
        for h, da in self.from_the_last(node, "h", "da"):
            if relu:
                np.greater(h, zeros, slope)
            else:
                np.multiply(h, h, slope)
                np.subtract(unit, slope, slope)
            np.multiply(dh, slope, da)
