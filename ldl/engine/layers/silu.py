"""The sigmoid linear unit, also called swish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ldl.engine.layer import Call, Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar


@dataclass(frozen=True, eq=False)
class Silu(Activation):
    """y = x · σ(x), also called swish.

    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units for Neural Network Function
    Approximation in Reinforcement Learning, 2018.
    """

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; σ(x) is kept from forward to backward."""
        shape = one_input(x)
        buffers = {"sigma": ScratchSpec(shape), "slope": ScratchSpec(shape, "backward")}
        return LayerPlan(y=shape, buffers=buffers)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y and σ(x)."""
        x, sigma = ctx.x[0], ctx.buffers["sigma"]
        yield partial(np.negative, x, sigma)
        yield partial(np.exp, sigma, sigma)
        yield partial(np.add, sigma, scalar(1.0, sigma.dtype), sigma)
        yield partial(np.reciprocal, sigma, sigma)
        yield partial(np.multiply, x, sigma, ctx.y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · (σ + y (1 − σ))."""
        sigma, slope = ctx.buffers["sigma"], ctx.buffers["slope"]
        yield partial(np.subtract, scalar(1.0, sigma.dtype), sigma, slope)
        yield partial(np.multiply, slope, ctx.y, slope)
        yield partial(np.add, slope, sigma, slope)
        yield partial(np.multiply, ctx.dy, slope, ctx.dx[0])
