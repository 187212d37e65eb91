"""Feature-wise linear modulation: one value scales and shifts the channels of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Annotated, Any

import numpy as np

from ldl.engine.init import Fans, Glorot, Ones, Zeros
from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    ParameterSpec,
    ScratchSpec,
    TensorSpec,
)
from ldl.engine.layers.shape_checks import format_shape, several_inputs
from ldl.errors import ShapeError
from ldl.fields import Choice


@dataclass(frozen=True, eq=False)
class Film(Layer):
    """y = γ(c) · x + β(c),  γ = c·w_γ + b_γ,  β = c·w_β + b_β;  x and y (N, …, C), c (N, D).

    The first input is x, the second the condition c; w (D, C), b (C,), with b_γ = 1 at the start.
    Source: Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, 2018.
    """

    init: Annotated[Any, Choice("initialiser")] = Glorot()

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The first input's shape; γ is kept for backward."""
        shapes = several_inputs(x)
        if len(shapes) != 2 or not shapes[0] or len(shapes[1]) != 1:
            names = " and ".join(map(format_shape, shapes))
            raise ShapeError(f"takes values (…, C) and a condition (D), got {names}")
        (*positions, channels), (inputs,) = shapes
        fans = Fans(inputs, channels)
        w = {
            "scale_weight": ParameterSpec((inputs, channels), self.init, fans),
            "scale_bias": ParameterSpec((channels,), Ones(), fans, decay=False),
            "shift_weight": ParameterSpec((inputs, channels), self.init, fans),
            "shift_bias": ParameterSpec((channels,), Zeros(), fans, decay=False),
        }
        size = prod(positions)
        buffers = {
            "gamma": ScratchSpec((1, channels)),
            "beta": ScratchSpec((1, channels), "forward"),
            "work": ScratchSpec((size, channels), "backward"),
            "d gamma": ScratchSpec((channels,), "backward"),
            "d beta": ScratchSpec((channels,), "backward"),
            "d condition": ScratchSpec((inputs,), "backward"),
        }
        cost = 2 * inputs * channels + size * channels
        return LayerPlan(y=shapes[0], w=w, buffers=buffers, multiply_adds=cost)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y and γ."""
        samples, w = len(ctx.y), ctx.w
        gamma, beta = ctx.buffers["gamma"], ctx.buffers["beta"]
        x, y = (a.reshape(samples, -1, gamma.shape[-1]) for a in (ctx.x[0], ctx.y))
        for name, out in (("scale", gamma[:, 0]), ("shift", beta[:, 0])):
            yield partial(ctx.x[1].dot, w[f"{name}_weight"], out)
            yield partial(np.add, out, w[f"{name}_bias"], out)
        yield partial(np.multiply, x, gamma, y)
        yield partial(np.add, y, beta, y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂γ = Σ ∂y·x and ∂β = Σ ∂y over positions;  ∂w = cᵀ·∂γ or cᵀ·∂β, ∂b their sums.

        ∂x = ∂y·γ,  ∂c = ∂γ·w_γᵀ + ∂β·w_βᵀ.
        """
        work, condition = ctx.buffers["work"], ctx.x[1]
        x, dy = ctx.x[0].reshape(work.shape), ctx.dy.reshape(work.shape)
        d_gamma, d_beta = ctx.buffers["d gamma"], ctx.buffers["d beta"]
        ones = np.ones(len(work), work.dtype)
        yield partial(np.multiply, dy, x, work)
        yield partial(np.add.reduce, work, axis=1, out=d_gamma)
        yield partial(np.add.reduce, dy, axis=1, out=d_beta)
        for name, d_out in (("scale", d_gamma), ("shift", d_beta)):
            yield partial(condition.T.dot, d_out, ctx.dw[f"{name}_weight"])
            yield partial(ones.dot, d_out, ctx.dw[f"{name}_bias"])
        if ctx.dx[0] is not None:
            yield partial(np.multiply, dy, ctx.buffers["gamma"], ctx.dx[0].reshape(work.shape))
        if ctx.dx[1] is not None:
            shift_term = ctx.buffers["d condition"]
            yield partial(d_gamma.dot, ctx.w["scale_weight"].T, ctx.dx[1])
            yield partial(d_beta.dot, ctx.w["shift_weight"].T, shift_term)
            yield partial(np.add, ctx.dx[1], shift_term, ctx.dx[1])
