"""The Gaussian error linear unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import pi, sqrt
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.erfc import upper_tail
from ldl.engine.layer import Call, Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar


@dataclass(frozen=True, eq=False)
class Gelu(Activation):
    """y = x Φ(x), with Φ the normal distribution: y = max(x, 0) − |x| Q(|x|), Q = ½ erfc(·/√2).

    With `approximate: tanh`, y = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), which is faster.
    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016; `ldl.engine.erfc` says how
    Q is computed.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    approximate: Literal["none", "tanh"] = "none"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the slopes are kept from forward to backward."""
        shape = one_input(x)
        buffers = {name: ScratchSpec(shape, "forward") for name in ("u", "v", "w")}
        return LayerPlan(y=shape, buffers={**buffers, "slope": ScratchSpec(shape)})

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y and the slopes."""
        return self._by_tanh(ctx) if self.approximate == "tanh" else self._by_tail(ctx)

    def _by_tail(self, ctx: Context) -> Iterator[Call]:
        """The slope is h = Q − |x| φ(x) where x < 0, and 1 − h where x > 0."""
        x, y, dtype = ctx.x[0], ctx.y, ctx.y.dtype
        u, tail, work, slope = (ctx.buffers[name] for name in ("u", "v", "w", "slope"))
        zeros = np.zeros_like(y)
        yield partial(np.absolute, x, u)
        yield partial(np.multiply, u, u, slope)
        yield partial(np.multiply, slope, scalar(-0.5, dtype), slope)
        yield partial(np.exp, slope, slope)
        yield from upper_tail(u, slope, tail, work)
        yield partial(np.multiply, slope, scalar(1.0 / sqrt(2.0 * pi), dtype), slope)
        yield partial(np.multiply, slope, u, slope)
        yield partial(np.subtract, tail, slope, slope)
        yield partial(np.multiply, u, tail, tail)
        yield partial(np.greater, x, zeros, u)
        yield partial(np.multiply, slope, scalar(2.0, dtype), work)
        yield partial(np.subtract, scalar(1.0, dtype), work, work)
        yield partial(np.multiply, work, u, work)
        yield partial(np.add, slope, work, slope)
        yield partial(np.maximum, x, zeros, out=y)
        yield partial(np.subtract, y, tail, y)

    def _by_tanh(self, ctx: Context) -> Iterator[Call]:
        """With g = ½ (1 + tanh) and c its argument's slope, y = x g and y′ = g + 2 (1 − g) y c."""
        x, y, dtype = ctx.x[0], ctx.y, ctx.y.dtype
        c, g, slope = (ctx.buffers[name] for name in ("u", "v", "slope"))
        factor = sqrt(2.0 / pi)
        one, rate = scalar(1.0, dtype), scalar(factor, dtype)
        yield partial(np.multiply, x, x, c)
        yield partial(np.multiply, c, scalar(0.044715 * factor, dtype), g)
        yield partial(np.add, g, rate, g)
        yield partial(np.multiply, g, x, g)
        yield partial(np.tanh, g, g)
        yield partial(np.subtract, one, g, slope)
        yield partial(np.add, g, one, g)
        yield partial(np.multiply, g, scalar(0.5, dtype), g)
        yield partial(np.multiply, c, scalar(3.0 * 0.044715 * factor, dtype), c)
        yield partial(np.add, c, rate, c)
        yield partial(np.multiply, x, g, y)
        yield partial(np.multiply, slope, c, slope)
        yield partial(np.multiply, slope, y, slope)
        yield partial(np.add, slope, g, slope)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · slope."""
        yield partial(np.multiply, ctx.dy, ctx.buffers["slope"], ctx.dx[0])
