"""Layers that only rename axes: no arithmetic and no memory of their own."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from ldl.engine.layer import Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.shape_checks import one_input, words
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

    def forward(self, node: Context) -> None:
        """Nothing: y is x's memory."""

    def backward(self, node: Context) -> None:
        """Nothing: ∂x is ∂y's memory."""


@dataclass(frozen=True, eq=False)
class Flatten(View):
    """y = x,  x (N, a, b, …), y (N, a·b·…)."""

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One axis beside the samples."""
        return LayerPlan(y=(prod(one_input(x)),))


@dataclass(frozen=True, eq=False)
class Reshape(View):
    """y = x,  x (N, …), y (N, *shape); one axis may be −1 and takes what is left.

    The order of the values is that of memory: the last axis moves fastest.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse sizes below 1, but for a single −1."""
        if not self.shape:
            raise SettingError("shape", "needs at least one axis")
        if any(size < 1 and size != -1 for size in self.shape) or self.shape.count(-1) > 1:
            raise SettingError("shape", "sizes are at least 1, and at most one of them is -1")

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The given shape, with −1 worked out."""
        given = one_input(x)
        total, known = prod(given), prod(size for size in self.shape if size != -1)
        shape = tuple(total // known if size == -1 else size for size in self.shape)
        if prod(shape) != total:
            raise ShapeError(
                f"cannot turn {words(given)}, {total} values, into {words(self.shape)}"
            )
        return LayerPlan(y=shape)
