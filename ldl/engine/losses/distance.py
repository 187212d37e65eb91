"""Losses on values: mean squared, absolute and root mean squared error, and Huber's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.losses.base import TINY, LossScratch, Reducing
from ldl.engine.memory import scalar
from ldl.fields import Positive


@dataclass(frozen=True, eq=False)
class Mse(Reducing):
    """L = (p − t)², averaged over the values of a sample, then over samples.

    With `reduction: sum` the squared Euclidean distance, averaged over samples.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    slope: ClassVar[float] = 2.0

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        d = scratch.difference
        yield from self.make_target(ctx, scratch)
        yield partial(np.subtract, scratch.prediction, scratch.target, d)
        yield partial(np.vecdot, d, d, ctx.y)
        yield self.scaled(ctx)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂p = 2 (p − t) · ∂y."""
        yield partial(np.multiply, scratch.difference, self.rate(ctx), self.input_gradient(ctx))


@dataclass(frozen=True, eq=False)
class Mae(Reducing):
    """L = |p − t|, averaged over the values of a sample, then over samples; slope 0 at p = t."""

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        d = scratch.difference
        yield from self.make_target(ctx, scratch)
        yield partial(np.subtract, scratch.prediction, scratch.target, d)
        yield partial(np.absolute, d, d)
        yield partial(np.add.reduce, d, axis=1, out=ctx.y)
        yield self.scaled(ctx)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂p = sign(p − t) · ∂y."""
        d = scratch.difference
        yield partial(np.subtract, scratch.prediction, scratch.target, d)
        yield partial(np.sign, d, d)
        yield partial(np.multiply, d, self.rate(ctx), self.input_gradient(ctx))


@dataclass(frozen=True, eq=False)
class Rmse(Reducing):
    """L = √(mean of (p − t)² over the values of a sample), averaged over samples.

    The root is taken for each sample, so for one value a sample it is the absolute error.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"y"})

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        d = scratch.difference
        yield from self.make_target(ctx, scratch)
        yield partial(np.subtract, scratch.prediction, scratch.target, d)
        yield partial(np.vecdot, d, d, ctx.y)
        yield self.scaled(ctx)
        yield partial(np.sqrt, ctx.y, ctx.y)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂p = (p − t) / L · ∂y, and 0 where L is 0."""
        root = ctx.y.reshape(-1, 1)
        factor = np.empty_like(root)
        yield partial(np.maximum, root, TINY, out=factor)
        yield partial(np.divide, self.rate(ctx), factor, factor)
        yield partial(np.multiply, scratch.difference, factor, self.input_gradient(ctx))


@dataclass(frozen=True, eq=False)
class Huber(Reducing):
    """L = ½ d² where |d| < δ, else δ (|d| − ½ δ), with d = p − t, averaged as mse is.

    With c = d clipped to [−δ, δ] it is c d − ½ c², and its gradient c.
    Source: Huber, Robust Estimation of a Location Parameter, 1964. PyTorch's HuberLoss.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    delta: Positive = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As every loss, with one more buffer, for the clipped difference."""
        buffers = dict(super().plan(x).buffers)
        return LayerPlan(
            y=(), buffers={**buffers, "clipped": ScratchSpec(buffers["difference"].shape)}
        )

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,); NumPy clips faster against arrays than against a number."""
        d, c = scratch.difference, ctx.buffers["clipped"]
        squares = np.empty_like(ctx.y)
        yield from self.make_target(ctx, scratch)
        yield partial(np.subtract, scratch.prediction, scratch.target, d)
        yield partial(np.maximum, d, np.full_like(d, -self.delta), out=c)
        yield partial(np.minimum, c, np.full_like(d, self.delta), out=c)
        yield partial(np.vecdot, c, d, ctx.y)
        yield partial(np.vecdot, c, c, squares)
        yield partial(np.multiply, squares, scalar(0.5, d.dtype), squares)
        yield partial(np.subtract, ctx.y, squares, ctx.y)
        yield self.scaled(ctx)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂p = c · ∂y."""
        clipped = ctx.buffers["clipped"]
        yield partial(np.multiply, clipped, self.rate(ctx), self.input_gradient(ctx))
