"""Layers that remove axes: one position of an axis, or the mean over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.shape_checks import format_shape, normalize_axis, one_input
from ldl.engine.memory import scalar
from ldl.errors import SettingError, ShapeError


@dataclass(frozen=True, eq=False)
class Select(Layer):
    """y = x at position `index` of `axis`, counted without the samples' axis, which is removed.

    Both may count from the end, as −1.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    index: int = 0
    axis: int = 0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape without the axis."""
        shape = one_input(x)
        axis = normalize_axis(self.axis, shape)
        if not -shape[axis] <= self.index < shape[axis]:
            raise ShapeError(
                f"axis {self.axis} of {format_shape(shape)} has no position {self.index}"
            )
        return LayerPlan(y=(*shape[:axis], *shape[axis + 1 :]))

    def _position(self, rank: int) -> tuple[slice | int, ...]:
        """The index of the position in an array with `rank` axes."""
        return (*(slice(None),) * (self.axis % (rank - 1) + 1), self.index)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        yield partial(np.copyto, ctx.y, ctx.x[0][self._position(ctx.x[0].ndim)])

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y at the position, else 0."""
        dx = ctx.dx[0]
        if dx is not None:
            yield partial(dx.fill, 0.0)
            yield partial(np.copyto, dx[self._position(dx.ndim)], ctx.dy)


@dataclass(frozen=True, eq=False)
class Mean(Layer):
    """y = (1/K) Σ x over the K positions of `axis`, which is removed; x (N, …, K, …), y (N, …, …).

    Several axes are adjacent. All are counted without the samples' axis and may count from the
    end.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    axis: int | tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse an empty list of axes."""
        if self.axis == ():
            raise SettingError("axis", "needs at least one axis")

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape without the axes."""
        shape = one_input(x)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        ordered = sorted(normalize_axis(axis, shape) for axis in axes)
        if ordered != list(range(ordered[0], ordered[0] + len(ordered))):
            raise ShapeError(
                f"axes {format_shape(axes)} are not different ones next to one another"
            )
        rest = (*shape[: ordered[0]], *shape[ordered[-1] + 1 :])
        return LayerPlan(y=rest, multiply_adds=prod(shape))

    def _sizes(self, ctx: Context) -> tuple[int, int]:
        """K, and the number of values from one of the K positions to the next in memory."""
        shape = ctx.x[0].shape[1:]
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        ordered = sorted(axis % len(shape) for axis in axes)
        return prod(shape[i] for i in ordered), prod(shape[ordered[-1] + 1 :])

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y; a product with 1/K is faster than a sum."""
        size, inner = self._sizes(ctx)
        x, y = ctx.x[0].reshape(-1, size, inner), ctx.y.reshape(-1, inner)
        weights = np.full(size, 1.0 / size, y.dtype)
        if inner == 1:
            yield partial(x[..., 0].dot, weights, y[:, 0])
        else:
            yield partial(np.matmul, weights, x, y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y / K at every position."""
        if ctx.dx[0] is not None:
            size, inner = self._sizes(ctx)
            dy, dx = ctx.dy.reshape(-1, 1, inner), ctx.dx[0].reshape(-1, size, inner)
            yield partial(np.multiply, dy, scalar(1.0 / size, dy.dtype), dx)
