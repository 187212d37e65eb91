"""Layer normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from math import prod

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.norm import BLOCK, Norm, channels, near, weights
from ldl.engine.memory import scalar
from ldl.fields import Positive


@dataclass(frozen=True, eq=False)
class LayerNorm(Norm):
    """y = (x − μ) / √(σ² + ε) · w + b,  x and y (N, …, C); μ and σ² (N, …), w and b (C,).

    μ and σ² are mean and variance over the last axis of each sample. Source: Ba, Kiros and
    Hinton, Layer Normalization, 2016, with PyTorch's ε under the root.
    """

    epsilon: Positive = 1e-5

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; x̂ and 1/√(σ² + ε) are kept for backward."""
        shape = channels(x)
        tmp = {"normal": ScratchSpec(shape), "rate": ScratchSpec(shape[:-1])}
        return LayerPlan(y=shape, w=weights(shape[-1]), tmp=tmp, multiply_adds=2 * prod(shape))

    def bind(self, node: Context) -> None:
        """Blocks of rows that stay in cache, one number a row as a column, constants."""
        tmp, size, dtype = node.tmp, node.y.shape[-1], node.y.dtype
        lines = near(node.y.size // size, size, BLOCK)
        named = {"x": node.x[0], "y": node.y, "dy": node.dy, "dx": node.dx[0]}
        for name, array in {**named, "normal": tmp["normal"]}.items():
            if array is not None:
                tmp[name] = array.reshape(-1, lines, size)
        tmp["rate"] = tmp["rate"].reshape(-1, lines)
        tmp["rates"] = tmp["rate"].reshape(-1, lines, 1)
        tmp["block"] = np.empty((lines, size), dtype)
        for name in ("first", "second"):
            tmp[name] = np.empty(lines, dtype)
            tmp[f"{name}, column"] = tmp[name].reshape(-1, 1)
        for name in ("weights", "part"):
            tmp[name] = np.empty(size, dtype)
        tmp["ones"], tmp["shares"] = np.ones(lines, dtype), np.full(size, 1.0 / size, dtype)
        tmp["share"], tmp["epsilon"] = scalar(1.0 / size, dtype), scalar(self.epsilon, dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y, x̂ and 1/√(σ² + ε)."""
        tmp, weight, bias = node.tmp, node.w["weight"], node.w["bias"]
        mean, column = tmp["first"], tmp["first, column"]
        share, epsilon = tmp["share"], tmp["epsilon"]
        blocks = zip(tmp["x"], tmp["normal"], tmp["rate"], tmp["rates"], tmp["y"], strict=True)
        for x, normal, rate, rates, y in blocks:
            x.dot(tmp["shares"], mean)
            np.subtract(x, column, normal)
            np.vecdot(normal, normal, rate)
            np.multiply(rate, share, rate)
            np.add(rate, epsilon, rate)
            np.sqrt(rate, rate)
            np.reciprocal(rate, rate)
            np.multiply(normal, rates, normal)
            np.multiply(normal, weight, y)
            np.add(y, bias, y)

    def backward(self, node: Context) -> None:
        """∂w = Σ ∂y·x̂,  ∂b = Σ ∂y,  ∂x = (g − mean g − x̂ · mean g·x̂) / √(σ² + ε),  g = ∂y·w."""
        tmp, dw, db = node.tmp, node.dw["weight"], node.dw["bias"]
        block, ones, part = tmp["block"], tmp["ones"], tmp["part"]
        np.multiply(node.w["weight"], tmp["share"], tmp["weights"])
        dw.fill(0.0)
        db.fill(0.0)
        dxs = repeat(None) if node.dx[0] is None else tmp["dx"]
        for normal, rates, dy, dx in zip(tmp["normal"], tmp["rates"], tmp["dy"], dxs, strict=False):
            np.multiply(dy, normal, block)
            ones.dot(block, part)
            np.add(dw, part, dw)
            ones.dot(dy, part)
            np.add(db, part, db)
            if dx is not None:
                self._pull(node, normal, rates, dy, dx)

    def _pull(self, node: Context, normal: Array, rates: Array, dy: Array, dx: Array) -> None:
        """Overwrite a block of ∂x; ∂y·x̂ lies in `block`."""
        tmp, block = node.tmp, node.tmp["block"]
        dy.dot(tmp["weights"], tmp["first"])
        block.dot(tmp["weights"], tmp["second"])
        np.multiply(normal, tmp["second, column"], block)
        np.multiply(dy, node.w["weight"], dx)
        np.subtract(dx, block, dx)
        np.subtract(dx, tmp["first, column"], dx)
        np.multiply(dx, rates, dx)
