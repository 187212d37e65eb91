"""Dropout: random values are set to 0 in training, none in evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar
from ldl.fields import Momentum


def draw_mask(ctx: Context, rate: float) -> Iterator[Call]:
    """The calls that overwrite the buffer `mask`: 0 with probability `rate`, else 1 / (1 − rate).

    Draws are float32 whatever the precision of the context, so that float64 sees the same mask.
    """
    mask = ctx.buffers["mask"]
    draws = mask.reshape(-1).view(np.float32)[: mask.size].reshape(mask.shape)
    yield partial(ctx.rng.random, out=draws, dtype=np.float32)
    yield partial(np.greater_equal, draws, scalar(rate, np.float32), mask)
    yield partial(np.multiply, mask, scalar(1.0 / (1.0 - rate), mask.dtype), mask)


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """y = x · m,  m = 0 with probability `rate`, else 1 / (1 − rate), drawn for each value.

    In evaluation y = x. Source: Srivastava et al., Dropout, 2014, inverted, as PyTorch has it.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    rate: Momentum = 0.5

    @property
    def data_parallel(self) -> bool:
        """False: the draws would depend on the division into shards."""
        return False

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the mask is kept for backward."""
        shape = one_input(x)
        return LayerPlan(y=shape, buffers={"mask": ScratchSpec(shape)})

    def mirror(self, x: TensorSpec) -> Layer:
        """The same dropout."""
        return replace(self)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y and the mask."""
        if ctx.training:
            yield from draw_mask(ctx, self.rate)
            yield partial(np.multiply, ctx.x[0], ctx.buffers["mask"], ctx.y)
        elif ctx.y is not ctx.x[0]:
            yield partial(np.copyto, ctx.y, ctx.x[0])

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · m."""
        if ctx.training:
            yield partial(np.multiply, ctx.dy, ctx.buffers["mask"], ctx.dx[0])
        elif ctx.dx[0] is not ctx.dy:
            yield partial(np.copyto, ctx.dx[0], ctx.dy)
