"""Softplus, a smooth relu."""

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
from ldl.fields import Positive


@dataclass(frozen=True, eq=False)
class Softplus(Activation):
    """y = log(1 + e^(βx)) / β, a smooth relu.

    Computed as (max(βx, 0) + log(1 + e^−|βx|)) / β, which never overflows. With u the exponential
    and w = 1 + u as rounded, log(1 + u) is log w + (u − (w − 1)) / w: the second term restores
    what rounding lost, so that far left y is e^(βx) / β and not 0. PyTorch's `threshold` is not
    needed. Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better
    Option Pricing, 2001; the correction: Hewlett-Packard, HP-15C Advanced Functions Handbook, 1982.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x"})
    beta: Positive = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape, and buffers for u, w and w − 1."""
        shape = one_input(x)
        buffers = {name: ScratchSpec(shape, "forward") for name in ("u", "w", "v")}
        buffers["slope"] = ScratchSpec(shape, "backward")
        return LayerPlan(y=shape, buffers=buffers)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        x, y, dtype = ctx.x[0], ctx.y, ctx.y.dtype
        u, w, v = (ctx.buffers[name] for name in ("u", "w", "v"))
        one = scalar(1.0, dtype)
        yield partial(np.absolute, x, u)
        yield partial(np.multiply, u, scalar(-self.beta, dtype), u)
        yield partial(np.exp, u, u)
        yield partial(np.maximum, x, np.zeros_like(y), out=y)
        yield partial(np.multiply, y, scalar(self.beta, dtype), y)
        yield partial(np.add, u, one, w)
        yield partial(np.subtract, w, one, v)
        yield partial(np.subtract, u, v, u)
        yield partial(np.divide, u, w, u)
        yield partial(np.log, w, w)
        yield partial(np.add, w, u, w)
        yield partial(np.add, y, w, y)
        yield partial(np.multiply, y, scalar(1.0 / self.beta, dtype), y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · σ(βx)."""
        slope, dtype = ctx.buffers["slope"], ctx.y.dtype
        yield partial(np.multiply, ctx.x[0], scalar(-self.beta, dtype), slope)
        yield partial(np.exp, slope, slope)
        yield partial(np.add, slope, scalar(1.0, dtype), slope)
        yield partial(np.divide, ctx.dy, slope, ctx.dx[0])
