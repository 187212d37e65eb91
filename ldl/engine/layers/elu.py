"""The exponential linear unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar
from ldl.fields import NonNegative


@dataclass(frozen=True, eq=False)
class Elu(Activation):
    """y = x where x > 0, else α (eˣ − 1); the slope at 0 is α.

    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by
    Exponential Linear Units, 2016.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    alpha: NonNegative = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the slopes are kept from forward to backward."""
        shape = one_input(x)
        buffers = {"slope": ScratchSpec(shape), "work": ScratchSpec(shape, "forward")}
        return LayerPlan(y=shape, buffers=buffers)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y = max(x, 0) + α e^min(x, 0) − α, and the slopes: 1 where x > 0."""
        x, y, slope, work = ctx.x[0], ctx.y, ctx.buffers["slope"], ctx.buffers["work"]
        zeros, alpha = np.zeros_like(y), scalar(self.alpha, y.dtype)
        yield partial(np.minimum, x, zeros, out=slope)
        yield partial(np.exp, slope, slope)
        yield partial(np.multiply, slope, alpha, slope)
        yield partial(np.subtract, slope, alpha, work)
        yield partial(np.maximum, x, zeros, out=y)
        yield partial(np.add, y, work, y)
        yield partial(np.greater, y, zeros, work)
        yield partial(np.multiply, work, scalar(1.0 - self.alpha, y.dtype), work)
        yield partial(np.add, slope, work, slope)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · slope."""
        yield partial(np.multiply, ctx.dy, ctx.buffers["slope"], ctx.dx[0])
