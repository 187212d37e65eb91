"""The plain recurrent layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.layer import Call, Context, ScratchSpec
from ldl.engine.layers.recurrent import Recurrent


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

    def scratch(self, length: int) -> dict[str, ScratchSpec]:
        """Sums and slopes of one step."""
        return {
            "a": ScratchSpec((self.units,), "forward"),
            "slope": ScratchSpec((self.units,), "backward"),
        }

    def bind(self, node: Context) -> None:
        """Zeros: the maximum is fastest against an array of its own shape."""
        super().bind(node)
        tmp = node.tmp
        for name in ("a", "slope"):
            if name in tmp:
                tmp[name] = tmp[name].reshape(-1, len(node.y))
        tmp["zeros"] = np.zeros_like(tmp["a"])

    def step(self, node: Context, t: int) -> Iterator[Call]:
        """hₜ = f(aₜ)."""
        tmp, h = node.tmp, node.tmp["h"][t]
        yield self.product(node, t, tmp["a"])
        if self.nonlinearity == "relu":
            yield partial(np.maximum, tmp["a"], tmp["zeros"], out=h)
        else:
            yield partial(np.tanh, tmp["a"], h)

    def step_back(self, node: Context, t: int) -> Iterator[Call]:
        """∂aₜ = ∂hₜ·f′(aₜ)."""
        tmp, h, slope = node.tmp, node.tmp["h"][t], node.tmp["slope"]
        if self.nonlinearity == "relu":
            yield partial(np.greater, h, tmp["zeros"], slope)
        else:
            yield partial(np.multiply, h, h, slope)
            yield partial(np.subtract, tmp["unit"], slope, slope)
        yield partial(np.multiply, tmp["dh"], slope, tmp["da"][t])
