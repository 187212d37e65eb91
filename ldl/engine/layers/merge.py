"""Layers that combine several values: sum, product, concatenation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.layer import Call, Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.shape_checks import format_shape, normalize_axis, several_inputs
from ldl.errors import ShapeError


def _common_shape(x: tuple[TensorSpec, ...], verb: str) -> Shape:
    """The one shape of all inputs. Raises ShapeError."""
    shapes = several_inputs(x)
    if len(set(shapes)) > 1:
        raise ShapeError(f"cannot {verb} {' and '.join(map(format_shape, shapes))}")
    return shapes[0]


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """y = x₁ + x₂ + …,  all of one shape."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The inputs' common shape."""
        return LayerPlan(y=_common_shape(x, "add"))

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        first, second, *rest = ctx.x
        yield partial(np.add, first, second, ctx.y)
        for x in rest:
            yield partial(np.add, ctx.y, x, ctx.y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x₁ = ∂x₂ = … = ∂y."""
        for dx in ctx.dx:
            if dx is not None and dx is not ctx.dy:
                yield partial(np.copyto, dx, ctx.dy)


@dataclass(frozen=True, eq=False)
class Multiply(Layer):
    """y = x₁ · x₂ · …,  value by value, all of one shape."""

    pointwise: ClassVar[bool] = True

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The inputs' common shape."""
        return LayerPlan(y=_common_shape(x, "multiply"))

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        first, second, *rest = ctx.x
        yield partial(np.multiply, first, second, ctx.y)
        for x in rest:
            yield partial(np.multiply, ctx.y, x, ctx.y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂xᵢ = ∂y · the product of the other inputs."""
        for i, dx in enumerate(ctx.dx):
            if dx is not None:
                factor = ctx.dy
                for x in ctx.x[:i] + ctx.x[i + 1 :]:
                    yield partial(np.multiply, factor, x, dx)
                    factor = dx


@dataclass(frozen=True, eq=False)
class Concat(Layer):
    """y = [x₁ x₂ …] along `axis`, counted without the samples' axis; the other axes agree."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    pointwise: ClassVar[bool] = True
    axis: int = -1

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The inputs' shape with the sizes along the axis summed."""
        shapes = several_inputs(x)
        rank = len(shapes[0])
        axis = normalize_axis(self.axis, shapes[0])
        rests = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        if any(len(shape) != rank for shape in shapes) or len(rests) > 1:
            names = " and ".join(map(format_shape, shapes))
            raise ShapeError(f"cannot join {names} along axis {self.axis}: other axes differ")
        total = sum(shape[axis] for shape in shapes)
        return LayerPlan(y=(*shapes[0][:axis], total, *shapes[0][axis + 1 :]))

    def _split(self, array: Array, inputs: Sequence[Array]) -> list[Array]:
        """Views of `array`, y or ∂y, one for each input."""
        axis = self.axis % (array.ndim - 1) + 1
        ends = np.cumsum([x.shape[axis] for x in inputs])
        return np.split(array, ends[:-1], axis)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        for y, x in zip(self._split(ctx.y, ctx.x), ctx.x, strict=True):
            yield partial(np.copyto, y, x)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂xᵢ = the slice of ∂y that xᵢ was copied to."""
        for dy, dx in zip(self._split(ctx.dy, ctx.x), ctx.dx, strict=True):
            if dx is not None:
                yield partial(np.copyto, dx, dy)
