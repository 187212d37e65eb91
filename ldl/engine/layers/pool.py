"""Pooling over one or two axes: one position of all windows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.layer import Call, Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.pool_blocks import PoolBlock, blocks, covers, fold, unfold
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.engine.layers.upsample import Upsample
from ldl.engine.layers.windows import Axes, WindowAxis, pair, window_axis
from ldl.engine.memory import scalar
from ldl.errors import SettingError, ShapeError
from ldl.fields import Count, Size


@dataclass(frozen=True, eq=False)
class _Pool(Layer):
    """The base of pooling layers; all see images (N, H, W, C)."""

    kernel_size: Any = 2
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False

    padding_value: ClassVar[float] = 0.0
    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Refuse padding of more than half a window, as PyTorch does."""
        for size, padding in zip(pair(self.kernel_size), pair(self.padding), strict=True):
            if int(padding) > int(size) // 2:
                raise SettingError("padding", f"is at most half of the window of {size}")

    def axes(self, image: Shape) -> Axes:
        """The windows over the height and width of an image; a sequence has a height of 1."""
        stride = self.kernel_size if self.stride is None else self.stride
        settings = [pair(value) for value in (self.kernel_size, stride, self.padding)]
        axes = [
            window_axis(size, int(kernel), int(step), pad, ceil=self.ceil_mode)
            for size, (kernel, step, pad) in zip(
                image[2 - self.rank : 2],
                list(zip(*settings, strict=True))[-self.rank :],
                strict=True,
            )
        ]
        return (window_axis(1, 1, 1, 0), axes[0]) if self.rank == 1 else (axes[0], axes[1])

    def image(self, shape: Shape) -> Shape:
        """The input as (height, width, channels). Raises ShapeError."""
        if len(shape) != self.rank + 1:
            expected = "(length, channels)" if self.rank == 1 else "(height, width, channels)"
            raise ShapeError(f"takes {expected}, got {format_shape(shape)}")
        return (1, *shape) if self.rank == 1 else shape

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """A value for each window and channel."""
        image = self.image(one_input(x))
        axes = self.axes(image)
        sizes = (axes[0].out, axes[1].out)[2 - self.rank :]
        return LayerPlan(y=(*sizes, image[2]))

    def windows(self, x: TensorSpec) -> tuple[WindowAxis, ...]:
        """An axis of windows for each axis of the input."""
        return self.axes(self.image(x.shape))[2 - self.rank :]

    def mirror(self, x: TensorSpec) -> Layer:
        """Values repeated, to the sizes of `x`."""
        return Upsample(size=x.shape[0] if self.rank == 1 else (x.shape[0], x.shape[1]))

    def blocks(self, ctx: Context, x: Array, y: Array, padding_value: float) -> list[PoolBlock]:
        """Blocks of images x and of their windows y, or of the gradients of both."""
        image = self.image(ctx.x[0].shape[1:])
        rows, columns = axes = self.axes(image)
        windows = y.reshape(len(y), rows.out, columns.out, image[2])
        return blocks(x.reshape(len(x), *image), windows, axes, padding_value)


@dataclass(frozen=True, eq=False)
class MaxPool2d(_Pool):
    """y = max over each window of K_h × K_w,  x (N, H, W, C), y (N, H′, W′, C).

    The default `stride` is the size of the window. The first of equal values, row by row, gets
    the gradient, as in PyTorch.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x", "y"})
    padding_value: ClassVar[float] = -np.inf

    kernel_size: Size | tuple[Size, Size] = 2
    stride: Size | tuple[Size, Size] | None = None
    padding: Count | tuple[Count, Count] = 0

    def prepare(self, ctx: Context) -> list[PoolBlock]:
        """Blocks of x and y, which both passes read."""
        return self.blocks(ctx, ctx.x[0], ctx.y, self.padding_value)

    def forward(self, ctx: Context, scratch: list[PoolBlock]) -> Iterator[Call]:
        """Overwrite y: the maximum over each window's rows, then over their columns."""
        for block in scratch:
            yield from block.pad()
            if block.rows:
                yield from fold(np.maximum, block.rows, block.row_reduced)
            yield from fold(np.maximum, block.columns, block.y)

    def backward(self, ctx: Context, scratch: list[PoolBlock]) -> Iterator[Call]:
        """∂x = ∂y at the first position of each window that is the maximum, else 0.

        The last position is not compared: it gets what no earlier one took.
        """
        rows, columns = self.axes(self.image(ctx.x[0].shape[1:]))
        disjoint = all(a.stride >= a.effective_kernel_size for a in (rows, columns))
        covered = covers(rows) and covers(columns)
        gradients = self.blocks(ctx, ctx.dx[0], ctx.dy, 0.0)
        share, remainder = np.empty_like(gradients[0].y), np.empty_like(gradients[0].y)
        for values, gradient in zip(scratch, gradients, strict=True):
            yield from values.pad()
            if not covered:
                yield partial(gradient.padded.fill, 0.0)
            yield from _max_gradients(values, gradient, share, remainder, disjoint)
            yield from gradient.unpad()


def _max_gradients(
    values: PoolBlock, gradient: PoolBlock, share: Array, remainder: Array, disjoint: bool
) -> Iterator[Call]:
    """Give ∂y of each window to its first maximum; `share` and `remainder` are scratch."""
    remaining, count = gradient.y, len(values.y)
    share, remainder = share[:count], remainder[:count]
    for x, dx in zip(values.positions, gradient.positions, strict=True):
        contribution = remaining
        if x is not values.positions[-1]:
            contribution = share
            yield partial(np.equal, x, values.y, contribution)
            yield partial(np.multiply, contribution, remaining, contribution)
            yield partial(np.subtract, remaining, contribution, remainder)
            remaining = remainder
        if disjoint:
            yield partial(np.copyto, dx, contribution)
        else:
            yield partial(np.add, dx, contribution, dx)


@dataclass(frozen=True, eq=False)
class AvgPool2d(_Pool):
    """y = mean over each window of K_h × K_w,  x (N, H, W, C), y (N, H′, W′, C).

    Padding counts as zeros; positions that ceil_mode adds beyond it do not count, as in PyTorch.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()

    kernel_size: Size | tuple[Size, Size] = 2
    stride: Size | tuple[Size, Size] | None = None
    padding: Count | tuple[Count, Count] = 0

    def prepare(self, ctx: Context) -> Array:
        """One over the number of values in each window, as one number where all are equal."""
        image = self.image(ctx.x[0].shape[1:])
        counts = [self._counts(axis, image[i]) for i, axis in enumerate(self.axes(image))]
        inverse = 1.0 / np.multiply.outer(*counts)
        if (inverse == inverse.flat[0]).all():
            return scalar(inverse.flat[0], ctx.y.dtype)
        return inverse[:, :, None].astype(ctx.y.dtype)

    @staticmethod
    def _counts(windows: WindowAxis, size: int) -> Array:
        """The number of values of each window; positions beyond the padding are not counted."""
        start = np.arange(windows.out) * windows.stride
        end = np.minimum(start + windows.effective_kernel_size, 2 * windows.before + size)
        return end - start

    def forward(self, ctx: Context, scratch: Array) -> Iterator[Call]:
        """Overwrite y: the sum over each window's rows, then over their columns, over K."""
        for block in self.blocks(ctx, ctx.x[0], ctx.y, self.padding_value):
            yield from block.pad()
            if block.rows:
                yield from fold(np.add, block.rows, block.row_reduced)
            yield from fold(np.add, block.columns, block.y)
            yield partial(np.multiply, block.y, scratch, block.y)

    def backward(self, ctx: Context, scratch: Array) -> Iterator[Call]:
        """∂x = the sum of ∂y / K over the windows that x is in."""
        rows, columns = self.axes(self.image(ctx.x[0].shape[1:]))
        gradients = self.blocks(ctx, ctx.dx[0], ctx.dy, 0.0)
        shares = np.empty_like(gradients[0].y)
        for block in gradients:
            share = shares[: len(block.y)]
            yield partial(np.multiply, block.y, scratch, share)
            yield from unfold(share, block.columns, block.row_reduced, columns)
            if block.rows:
                yield from unfold(block.row_reduced, block.rows, block.padded, rows)
            yield from block.unpad()


@dataclass(frozen=True, eq=False)
class MaxPool1d(MaxPool2d):
    """y = max over each window of K,  x (N, L, C), y (N, L′, C); otherwise as maxpool2d."""

    rank: ClassVar[int] = 1

    kernel_size: Size = 2
    stride: Size | None = None
    padding: Count = 0


@dataclass(frozen=True, eq=False)
class AvgPool1d(AvgPool2d):
    """y = mean over each window of K,  x (N, L, C), y (N, L′, C); otherwise as avgpool2d."""

    rank: ClassVar[int] = 1

    kernel_size: Size = 2
    stride: Size | None = None
    padding: Count = 0
