"""Layers that bring several values together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.shape_checks import several_inputs, words
from ldl.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Add(Layer):
    """y = x₁ + x₂ + …,  all of one shape."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The inputs' common shape."""
        shapes = several_inputs(x)
        if len(set(shapes)) > 1:
            raise ShapeError(f"cannot add {' and '.join(map(words, shapes))}")
        return LayerPlan(y=shapes[0])

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        first, second, *rest = node.x
        np.add(first, second, node.y)
        for x in rest:
            np.add(node.y, x, node.y)

    def backward(self, node: Context) -> None:
        """∂x₁ = ∂x₂ = … = ∂y."""
        for dx in node.dx:
            if dx is not None and dx is not node.dy:
                np.copyto(dx, node.dy)


@dataclass(frozen=True, eq=False)
class Multiply(Layer):
    """y = x₁ · x₂ · …,  value by value, all of one shape."""

    pointwise: ClassVar[bool] = True

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The inputs' common shape."""
        shapes = several_inputs(x)
        if len(set(shapes)) > 1:
            raise ShapeError(f"cannot multiply {' and '.join(map(words, shapes))}")
        return LayerPlan(y=shapes[0])

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        first, second, *rest = node.x
        np.multiply(first, second, node.y)
        for x in rest:
            np.multiply(node.y, x, node.y)

    def backward(self, node: Context) -> None:
        """∂xᵢ = ∂y · the product of the others."""
        for i, dx in enumerate(node.dx):
            if dx is not None:
                part = node.dy
                for x in node.x[:i] + node.x[i + 1 :]:
                    np.multiply(part, x, dx)
                    part = dx


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
        if not -rank <= self.axis < rank:
            raise ShapeError(f"axis {self.axis} does not exist in {words(shapes[0])}")
        axis = self.axis % rank
        rests = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
        if any(len(shape) != rank for shape in shapes) or len(rests) > 1:
            names = " and ".join(map(words, shapes))
            raise ShapeError(f"cannot join {names} along axis {self.axis}: other axes differ")
        total = sum(shape[axis] for shape in shapes)
        return LayerPlan(y=(*shapes[0][:axis], total, *shapes[0][axis + 1 :]))

    def bind(self, node: Context) -> None:
        """The parts of y and ∂y that belong to each input."""
        axis = self.axis % (node.y.ndim - 1) + 1
        start = 0
        for i, x in enumerate(node.x):
            part: list[slice] = [slice(None)] * node.y.ndim
            part[axis] = slice(start, start + x.shape[axis])
            start += x.shape[axis]
            node.tmp[f"y{i}"] = node.y[tuple(part)]
            if node.dy is not None:
                node.tmp[f"dy{i}"] = node.dy[tuple(part)]

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        for i, x in enumerate(node.x):
            np.copyto(node.tmp[f"y{i}"], x)

    def backward(self, node: Context) -> None:
        """∂xᵢ = its part of ∂y."""
        for i, dx in enumerate(node.dx):
            if dx is not None:
                np.copyto(dx, node.tmp[f"dy{i}"])
