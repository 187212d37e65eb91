"""Layers that only rename axes: no arithmetic and no memory of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ldl.engine.layer import Call, Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.errors import SettingError, ShapeError


@dataclass(frozen=True, eq=False)
class View(Layer):
    """y is x with other axes; the values stay where they are."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    view: ClassVar[bool] = True

    def mirror(self, x: TensorSpec) -> Layer:
        """Back to the input's shape."""
        if not x.shape:
            raise ShapeError("has no mirror image on single numbers")
        return Reshape(x.shape)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """No calls: y is x's memory."""
        return iter(())

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """No calls: ∂x is ∂y's memory."""
        return iter(())


@dataclass(frozen=True, eq=False)
class Flatten(View):
    """y = x,  x (N, a, b, …), y (N, a·b·…)."""

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One axis beside the samples."""
        return LayerPlan(y=(prod(one_input(x)),))


@dataclass(frozen=True, eq=False)
class Reshape(View):
    """y = x,  x (N, …), y (N, *shape); one axis may be −1 and takes the remaining size.

    The order of the values is that of memory: the last axis moves fastest.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse sizes below 1, except for a single −1."""
        if not self.shape:
            raise SettingError("shape", "needs at least one axis")
        if any(size < 1 and size != -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise SettingError("shape", "sizes are at least 1, and at most one of them is -1")

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The shape of the settings, with −1 replaced."""
        old = one_input(x)
        total, fixed = prod(old), prod(size for size in self.shape if size != -1)
        shape = tuple(total // fixed if size == -1 else size for size in self.shape)
        if prod(shape) != total:
            raise ShapeError(
                f"cannot turn {format_shape(old)}, {total} values, into {format_shape(self.shape)}"
            )
        return LayerPlan(y=shape)
