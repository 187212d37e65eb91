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
from ldl.engine.layers.norm import (
    BLOCK,
    Norm,
    nearest_divisor,
    scale_and_shift,
    shape_with_channels,
)
from ldl.engine.memory import scalar
from ldl.fields import Positive


@dataclass(frozen=True)
class LayerNormScratch:
    """Blocks of rows: x̂ (blocks, rows, C), 1/√(σ² + ε) (blocks, rows), and two means (rows,)."""

    normalized: Array
    inverse_std: Array
    mean: Array
    product_mean: Array

    def blocks(self, array: Array) -> Array:
        """An array of x's shape, divided into the same blocks."""
        return array.reshape(self.normalized.shape)


@dataclass(frozen=True, eq=False)
class LayerNorm(Norm):
    """y = (x − μ) / √(σ² + ε) · w + b,  x and y (N, …, C); μ and σ² (N, …), w and b (C,).

    μ and σ² are mean and variance over the last axis of each sample. Source: Ba, Kiros and Hinton,
    Layer Normalization, 2016, with PyTorch's ε under the root. Weight decay applies to w and b with
    `train: {decay: all}` alone.
    """

    epsilon: Positive = 1e-5

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; x̂ and 1/√(σ² + ε) are kept for backward."""
        shape = shape_with_channels(x)
        buffers = {"normalized": ScratchSpec(shape), "inverse_std": ScratchSpec(shape[:-1])}
        w = scale_and_shift(shape[-1])
        return LayerPlan(y=shape, w=w, buffers=buffers, multiply_adds=2 * prod(shape))

    def prepare(self, ctx: Context) -> LayerNormScratch:
        """Blocks of rows that stay in cache."""
        size, dtype = ctx.y.shape[-1], ctx.y.dtype
        rows = nearest_divisor(ctx.y.size // size, size, BLOCK)
        return LayerNormScratch(
            ctx.buffers["normalized"].reshape(-1, rows, size),
            ctx.buffers["inverse_std"].reshape(-1, rows),
            np.empty(rows, dtype),
            np.empty(rows, dtype),
        )

    def forward(self, ctx: Context, scratch: LayerNormScratch) -> Iterator[Call]:
        """Overwrite y, x̂ and 1/√(σ² + ε)."""
        size, dtype = ctx.y.shape[-1], ctx.y.dtype
        weight, bias, mean = ctx.w["weight"], ctx.w["bias"], scratch.mean
        weights = np.full(size, 1.0 / size, dtype)
        inverse_size, epsilon = scalar(1.0 / size, dtype), scalar(self.epsilon, dtype)
        xs, ys = scratch.blocks(ctx.x[0]), scratch.blocks(ctx.y)
        for x, normalized, inverse_std, y in zip(
            xs, scratch.normalized, scratch.inverse_std, ys, strict=True
        ):
            yield partial(x.dot, weights, mean)
            yield partial(np.subtract, x, mean[:, None], normalized)
            yield partial(np.vecdot, normalized, normalized, inverse_std)
            yield partial(np.multiply, inverse_std, inverse_size, inverse_std)
            yield partial(np.add, inverse_std, epsilon, inverse_std)
            yield partial(np.sqrt, inverse_std, inverse_std)
            yield partial(np.reciprocal, inverse_std, inverse_std)
            yield partial(np.multiply, normalized, inverse_std[:, None], normalized)
            yield partial(np.multiply, normalized, weight, y)
            yield partial(np.add, y, bias, y)

    def backward(self, ctx: Context, scratch: LayerNormScratch) -> Iterator[Call]:
        """∂w = Σ ∂y·x̂,  ∂b = Σ ∂y,  ∂x = (g − mean g − x̂ · mean g·x̂) / √(σ² + ε),  g = ∂y·w."""
        _, rows, size = scratch.normalized.shape
        dtype, dw, db = ctx.y.dtype, ctx.dw["weight"], ctx.dw["bias"]
        block, block_sum = np.empty((rows, size), dtype), np.empty(size, dtype)
        ones = np.ones(rows, dtype)
        weights = np.empty(size, dtype)  # w / C: products with it are means of g
        yield partial(np.multiply, ctx.w["weight"], scalar(1.0 / size, dtype), weights)
        yield partial(dw.fill, 0.0)
        yield partial(db.fill, 0.0)
        dxs = repeat(None) if ctx.dx[0] is None else scratch.blocks(ctx.dx[0])
        dys = scratch.blocks(ctx.dy)
        for normalized, inverse_std, dy, dx in zip(
            scratch.normalized, scratch.inverse_std, dys, dxs, strict=False
        ):
            yield partial(np.multiply, dy, normalized, block)
            yield partial(ones.dot, block, block_sum)
            yield partial(np.add, dw, block_sum, dw)
            yield partial(ones.dot, dy, block_sum)
            yield partial(np.add, db, block_sum, db)
            if dx is not None:
                yield partial(dy.dot, weights, scratch.mean)
                yield partial(block.dot, weights, scratch.product_mean)
                yield partial(np.multiply, normalized, scratch.product_mean[:, None], block)
                yield partial(np.multiply, dy, ctx.w["weight"], dx)
                yield partial(np.subtract, dx, block, dx)
                yield partial(np.subtract, dx, scratch.mean[:, None], dx)
                yield partial(np.multiply, dx, inverse_std[:, None], dx)
