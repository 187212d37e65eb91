"""Activation functions. All but softmax act on each value alone; shapes stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call, Context, Layer, LayerPlan, Layout, ScratchSpec, TensorSpec
from ldl.engine.layers.reshape import View
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import NonNegative


@dataclass(frozen=True, eq=False)
class Activation(Layer):
    """y = f(x), with f′ written in terms of y, so that y may take x's memory."""

    backward_reads: ClassVar[frozenset[str]] = frozenset({"y"})
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    layout: ClassVar[Layout] = "uniform"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape."""
        shape = one_input(x)
        return LayerPlan(y=shape, buffers={"slope": ScratchSpec(shape, "backward")})

    def mirror(self, x: TensorSpec) -> Layer:
        """The same activation."""
        return replace(self)


@dataclass(frozen=True, eq=False)
class Identity(View):
    """y = x."""

    pointwise: ClassVar[bool] = True
    layout: ClassVar[Layout] = "uniform"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape."""
        return LayerPlan(y=one_input(x))

    def mirror(self, x: TensorSpec) -> Layer:
        """The identity."""
        return replace(self)


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        yield partial(np.tanh, ctx.x[0], ctx.y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y − ∂y·y²."""
        y, dy, slope = ctx.y, ctx.dy, ctx.buffers["slope"]
        yield partial(np.multiply, y, y, slope)
        yield partial(np.multiply, dy, slope, slope)
        yield partial(np.subtract, dy, slope, ctx.dx[0])


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """y = σ(x) = 1 / (1 + e⁻ˣ)."""

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        y = ctx.y
        yield partial(np.negative, ctx.x[0], y)
        yield partial(np.exp, y, y)
        yield partial(np.add, y, scalar(1.0, y.dtype), y)
        yield partial(np.reciprocal, y, y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · y · (1 − y)."""
        y, slope = ctx.y, ctx.buffers["slope"]
        yield partial(np.multiply, y, y, slope)
        yield partial(np.subtract, y, slope, slope)
        yield partial(np.multiply, ctx.dy, slope, ctx.dx[0])


@dataclass(frozen=True, eq=False)
class Relu(Activation):
    """y = max(x, 0); the slope at 0 is 0."""

    def prepare(self, ctx: Context) -> Array:
        """Zeros: NumPy's maximum is three times faster against them than against 0."""
        return np.zeros_like(ctx.y)

    def forward(self, ctx: Context, scratch: Array) -> Iterator[Call]:
        """Overwrite y."""
        yield partial(np.maximum, ctx.x[0], scratch, out=ctx.y)

    def backward(self, ctx: Context, scratch: Array) -> Iterator[Call]:
        """∂x = ∂y where y > 0, else 0."""
        slope = ctx.buffers["slope"]
        yield partial(np.greater, ctx.y, scratch, slope)
        yield partial(np.multiply, ctx.dy, slope, ctx.dx[0])


@dataclass(frozen=True, eq=False)
class LeakyRelu(Activation):
    """y = max(x, 0) + slope · min(x, 0); the slope at 0 is `negative_slope`.

    Source: Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    negative_slope: NonNegative = 0.01

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the slopes are kept from forward to backward."""
        shape = one_input(x)
        return LayerPlan(y=shape, buffers={"slope": ScratchSpec(shape)})

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y and the slopes: 1 where x > 0, else the negative slope."""
        x, slope = ctx.x[0], ctx.buffers["slope"]
        yield partial(np.greater, x, 0.0, slope)
        yield partial(np.multiply, slope, 1.0 - self.negative_slope, slope)
        yield partial(np.add, slope, self.negative_slope, slope)
        yield partial(np.multiply, x, slope, ctx.y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y · slope."""
        yield partial(np.multiply, ctx.dy, ctx.buffers["slope"], ctx.dx[0])


@dataclass(frozen=True, eq=False)
class Softmax(Activation):
    """y_c = e^(x_c) / Σ_k e^(x_k), over the last axis; the maximum is subtracted first."""

    layout: ClassVar[Layout] = "sample_major"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape, and one number a row."""
        shape = one_input(x)
        if not shape:
            raise ShapeError("softmax needs an axis of values, got single numbers")
        return LayerPlan(y=shape, buffers={"row": ScratchSpec((*shape[:-1], 1))})

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        x, y, row = ctx.x[0], ctx.y, ctx.buffers["row"]
        yield partial(np.maximum.reduce, x, axis=-1, keepdims=True, out=row)
        yield partial(np.subtract, x, row, y)
        yield partial(np.exp, y, y)
        yield partial(np.add.reduce, y, axis=-1, keepdims=True, out=row)
        yield partial(np.divide, y, row, y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = y · (∂y − Σ_k ∂y_k y_k)."""
        y, dy, dx, row = ctx.y, ctx.dy, ctx.dx[0], ctx.buffers["row"]
        yield partial(np.vecdot, dy, y, row[..., 0])
        yield partial(np.subtract, dy, row, dx)
        yield partial(np.multiply, dx, y, dx)


@dataclass(frozen=True, eq=False)
class LogSoftmax(Activation):
    """y_c = x_c − log Σ_k e^(x_k), over the last axis; the maximum is subtracted first."""

    layout: ClassVar[Layout] = "sample_major"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape, one number a row, and the exponentials."""
        shape = one_input(x)
        if not shape:
            raise ShapeError("log_softmax needs an axis of values, got single numbers")
        buffers = {
            "exp": ScratchSpec(shape, "forward"),
            "slope": ScratchSpec(shape, "backward"),
            "row": ScratchSpec((*shape[:-1], 1)),
        }
        return LayerPlan(y=shape, buffers=buffers)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        x, y, row, exp = ctx.x[0], ctx.y, ctx.buffers["row"], ctx.buffers["exp"]
        yield partial(np.maximum.reduce, x, axis=-1, keepdims=True, out=row)
        yield partial(np.subtract, x, row, y)
        yield partial(np.exp, y, exp)
        yield partial(np.add.reduce, exp, axis=-1, keepdims=True, out=row)
        yield partial(np.log, row, row)
        yield partial(np.subtract, y, row, y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y − e^y Σ_k ∂y_k."""
        row, slope = ctx.buffers["row"], ctx.buffers["slope"]
        yield partial(np.add.reduce, ctx.dy, axis=-1, keepdims=True, out=row)
        yield partial(np.exp, ctx.y, slope)
        yield partial(np.multiply, slope, row, slope)
        yield partial(np.subtract, ctx.dy, slope, ctx.dx[0])
