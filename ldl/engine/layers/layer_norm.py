"""Layer normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from math import prod

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call, Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.norm import BLOCK, Norm, channels, nearest_divisor, scale_and_shift
from ldl.engine.memory import scalar
from ldl.fields import Positive


@dataclass(frozen=True)
class LayerNormScratch:
    """Blocks of rows: x̂ (blocks, rows, C), 1/√(σ² + ε) (blocks, rows), and two numbers a row."""

    normal: Array
    rate: Array
    first: Array
    second: Array

    def blocks(self, array: Array) -> Array:
        """An array of x's shape, divided into the same blocks."""
        return array.reshape(self.normal.shape)


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
        buffers = {"normal": ScratchSpec(shape), "rate": ScratchSpec(shape[:-1])}
        w = scale_and_shift(shape[-1])
        return LayerPlan(y=shape, w=w, buffers=buffers, multiply_adds=2 * prod(shape))

    def prepare(self, ctx: Context) -> LayerNormScratch:
        """Blocks of rows that stay in cache."""
        size, dtype = ctx.y.shape[-1], ctx.y.dtype
        rows = nearest_divisor(ctx.y.size // size, size, BLOCK)
        return LayerNormScratch(
            ctx.buffers["normal"].reshape(-1, rows, size),
            ctx.buffers["rate"].reshape(-1, rows),
            np.empty(rows, dtype),
            np.empty(rows, dtype),
        )

    def forward(self, ctx: Context, scratch: LayerNormScratch) -> Iterator[Call]:
        """Overwrite y, x̂ and 1/√(σ² + ε)."""
        size, dtype = ctx.y.shape[-1], ctx.y.dtype
        weight, bias, mean = ctx.w["weight"], ctx.w["bias"], scratch.first
        weights = np.full(size, 1.0 / size, dtype)
        share, epsilon = scalar(1.0 / size, dtype), scalar(self.epsilon, dtype)
        xs, ys = scratch.blocks(ctx.x[0]), scratch.blocks(ctx.y)
        for x, normal, rate, y in zip(xs, scratch.normal, scratch.rate, ys, strict=True):
            yield partial(x.dot, weights, mean)
            yield partial(np.subtract, x, mean[:, None], normal)
            yield partial(np.vecdot, normal, normal, rate)
            yield partial(np.multiply, rate, share, rate)
            yield partial(np.add, rate, epsilon, rate)
            yield partial(np.sqrt, rate, rate)
            yield partial(np.reciprocal, rate, rate)
            yield partial(np.multiply, normal, rate[:, None], normal)
            yield partial(np.multiply, normal, weight, y)
            yield partial(np.add, y, bias, y)

    def backward(self, ctx: Context, scratch: LayerNormScratch) -> Iterator[Call]:
        """∂w = Σ ∂y·x̂,  ∂b = Σ ∂y,  ∂x = (g − mean g − x̂ · mean g·x̂) / √(σ² + ε),  g = ∂y·w."""
        _, rows, size = scratch.normal.shape
        dtype, dw, db = ctx.y.dtype, ctx.dw["weight"], ctx.dw["bias"]
        block, ones, part = (
            np.empty((rows, size), dtype),
            np.ones(rows, dtype),
            np.empty(size, dtype),
        )
        weights = np.empty(size, dtype)  # w / C: products with it are means of g
        yield partial(np.multiply, ctx.w["weight"], scalar(1.0 / size, dtype), weights)
        yield partial(dw.fill, 0.0)
        yield partial(db.fill, 0.0)
        dxs = repeat(None) if ctx.dx[0] is None else scratch.blocks(ctx.dx[0])
        dys = scratch.blocks(ctx.dy)
        for normal, rate, dy, dx in zip(scratch.normal, scratch.rate, dys, dxs, strict=False):
            yield partial(np.multiply, dy, normal, block)
            yield partial(ones.dot, block, part)
            yield partial(np.add, dw, part, dw)
            yield partial(ones.dot, dy, part)
            yield partial(np.add, db, part, db)
            if dx is not None:
                yield partial(dy.dot, weights, scratch.first)
                yield partial(block.dot, weights, scratch.second)
                yield partial(np.multiply, normal, scratch.second[:, None], block)
                yield partial(np.multiply, dy, ctx.w["weight"], dx)
                yield partial(np.subtract, dx, block, dx)
                yield partial(np.subtract, dx, scratch.first[:, None], dx)
                yield partial(np.multiply, dx, rate[:, None], dx)
