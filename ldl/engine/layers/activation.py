"""Activation functions. All but softmax work on each value alone; shapes stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    Order,
    Recorded,
    ScratchSpec,
    TensorSpec,
)
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
    order: ClassVar[Order] = "same"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape."""
        shape = one_input(x)
        return LayerPlan(y=shape, tmp={"slope": ScratchSpec(shape, "backward")})

    def mirror(self, x: TensorSpec) -> Layer:
        """The same activation."""
        return replace(self)


@dataclass(frozen=True, eq=False)
class Identity(Activation):
    """y = x."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    view: ClassVar[bool] = True

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape."""
        return LayerPlan(y=one_input(x))

    def forward(self, node: Context) -> None:
        """Nothing: y is x."""

    def backward(self, node: Context) -> None:
        """Nothing: ∂x is ∂y."""


@dataclass(frozen=True, eq=False)
class Tanh(Activation, Recorded):
    """y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)."""

    def ahead(self, node: Context) -> Iterator[Call]:
        """Overwrite y."""
        yield partial(np.tanh, node.x[0], node.y)

    def back(self, node: Context) -> Iterator[Call]:
        """∂x = ∂y − ∂y·y²."""
        y, dy, slope = node.y, node.dy, node.tmp["slope"]
        yield partial(np.multiply, y, y, slope)
        yield partial(np.multiply, dy, slope, slope)
        yield partial(np.subtract, dy, slope, node.dx[0])


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation, Recorded):
    """y = σ(x) = 1 / (1 + e⁻ˣ)."""

    def bind(self, node: Context) -> None:
        """The number 1."""
        node.tmp["one"] = scalar(1.0, node.y.dtype)

    def ahead(self, node: Context) -> Iterator[Call]:
        """Overwrite y."""
        y = node.y
        yield partial(np.negative, node.x[0], y)
        yield partial(np.exp, y, y)
        yield partial(np.add, y, node.tmp["one"], y)
        yield partial(np.reciprocal, y, y)

    def back(self, node: Context) -> Iterator[Call]:
        """∂x = ∂y · y · (1 − y)."""
        y, slope = node.y, node.tmp["slope"]
        yield partial(np.multiply, y, y, slope)
        yield partial(np.subtract, y, slope, slope)
        yield partial(np.multiply, node.dy, slope, node.dx[0])


@dataclass(frozen=True, eq=False)
class Relu(Activation, Recorded):
    """y = max(x, 0); the slope at 0 is 0."""

    def bind(self, node: Context) -> None:
        """Zeros of y's shape: NumPy's maximum is three times faster against them than against 0."""
        node.tmp["zeros"] = np.zeros_like(node.y)

    def ahead(self, node: Context) -> Iterator[Call]:
        """Overwrite y."""
        yield partial(np.maximum, node.x[0], node.tmp["zeros"], out=node.y)

    def back(self, node: Context) -> Iterator[Call]:
        """∂x = ∂y where y > 0, else 0."""
        slope = node.tmp["slope"]
        yield partial(np.greater, node.y, node.tmp["zeros"], slope)
        yield partial(np.multiply, node.dy, slope, node.dx[0])


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
        return LayerPlan(y=shape, tmp={"slope": ScratchSpec(shape)})

    def forward(self, node: Context) -> None:
        """Overwrite y and the slopes: 1 where x > 0, else the negative slope."""
        slope = node.tmp["slope"]
        np.greater(node.x[0], 0.0, slope)
        np.multiply(slope, 1.0 - self.negative_slope, slope)
        np.add(slope, self.negative_slope, slope)
        np.multiply(node.x[0], slope, node.y)

    def backward(self, node: Context) -> None:
        """∂x = ∂y · slope."""
        np.multiply(node.dy, node.tmp["slope"], node.dx[0])


@dataclass(frozen=True, eq=False)
class Softmax(Activation):
    """y_c = e^(x_c) / Σ_k e^(x_k), over the last axis; the maximum is taken off first."""

    order: ClassVar[Order] = "first"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape, and one number a row."""
        shape = one_input(x)
        if not shape:
            raise ShapeError("softmax needs an axis of values, got single numbers")
        rows = ScratchSpec((*shape[:-1], 1))
        return LayerPlan(y=shape, tmp={"row": rows})

    def bind(self, node: Context) -> None:
        """The rows' numbers without their last axis, where sums over it go."""
        node.tmp["sums"] = node.tmp["row"][..., 0]

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        row, y = node.tmp["row"], node.y
        np.maximum.reduce(node.x[0], axis=-1, keepdims=True, out=row)
        np.subtract(node.x[0], row, y)
        np.exp(y, y)
        np.add.reduce(y, axis=-1, keepdims=True, out=row)
        np.divide(y, row, y)

    def backward(self, node: Context) -> None:
        """∂x = y · (∂y − Σ_k ∂y_k y_k)."""
        row, dx = node.tmp["row"], node.dx[0]
        np.vecdot(node.dy, node.y, node.tmp["sums"])
        np.subtract(node.dy, row, dx)
        np.multiply(dx, node.y, dx)


@dataclass(frozen=True, eq=False)
class LogSoftmax(Activation):
    """y_c = x_c − log Σ_k e^(x_k), over the last axis; the maximum is taken off first."""

    order: ClassVar[Order] = "first"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape, one number a row, and the exponentials."""
        shape = one_input(x)
        if not shape:
            raise ShapeError("log_softmax needs an axis of values, got single numbers")
        work = {"exp": ScratchSpec(shape, "forward"), "slope": ScratchSpec(shape, "backward")}
        return LayerPlan(y=shape, tmp={**work, "row": ScratchSpec((*shape[:-1], 1))})

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        row, exp, y = node.tmp["row"], node.tmp["exp"], node.y
        np.maximum.reduce(node.x[0], axis=-1, keepdims=True, out=row)
        np.subtract(node.x[0], row, y)
        np.exp(y, exp)
        np.add.reduce(exp, axis=-1, keepdims=True, out=row)
        np.log(row, row)
        np.subtract(y, row, y)

    def backward(self, node: Context) -> None:
        """∂x = ∂y − e^y Σ_k ∂y_k."""
        row, slope = node.tmp["row"], node.tmp["slope"]
        np.add.reduce(node.dy, axis=-1, keepdims=True, out=row)
        np.exp(node.y, slope)
        np.multiply(slope, row, slope)
        np.subtract(node.dy, slope, node.dx[0])
