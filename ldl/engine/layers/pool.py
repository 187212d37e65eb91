"""Pooling over one or two axes: the same value of every window at once, one slice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.layer import Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.deconv import Upsample
from ldl.engine.layers.pool_blocks import blocks, covers, fold, unfold
from ldl.engine.layers.shape_checks import one_input, words
from ldl.engine.layers.windows import Axis, axis, pair
from ldl.engine.memory import scalar
from ldl.errors import SettingError, ShapeError
from ldl.fields import Count, Size


@dataclass(frozen=True, eq=False)
class _Pool(Layer):
    """What pooling layers share; all see images (N, H, W, C)."""

    kernel_size: Any = 2
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False

    border: ClassVar[float] = 0.0  # what stands in the padding
    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Refuse padding of more than half a window, as PyTorch does."""
        for size, padding in zip(pair(self.kernel_size), pair(self.padding), strict=True):
            if int(padding) > int(size) // 2:
                raise SettingError("padding", f"is at most half of the window of {size}")

    def axes(self, shape: Shape) -> tuple[Axis, Axis]:
        """The windows over rows and columns; a line is an image of one row."""
        stride = self.kernel_size if self.stride is None else self.stride
        settings = [pair(each) for each in (self.kernel_size, stride, self.padding)]
        found = [
            axis(size, int(kernel), int(step), pad, ceil=self.ceil_mode)
            for size, (kernel, step, pad) in zip(
                shape[-3:-1], list(zip(*settings, strict=True))[-self.rank :], strict=False
            )
        ]
        return (axis(1, 1, 1, 0), found[0]) if self.rank == 1 else (found[0], found[1])

    def image(self, shape: Shape) -> Shape:
        """The input as (height, width, channels). Raises ShapeError."""
        if len(shape) != self.rank + 1:
            wanted = "(length, channels)" if self.rank == 1 else "(height, width, channels)"
            raise ShapeError(f"takes {wanted}, got {words(shape)}")
        return (1, *shape) if self.rank == 1 else shape

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """A value for each window and channel."""
        image = self.image(one_input(x))
        axes = self._axes(image)
        outs = (axes[0].out, axes[1].out)[2 - self.rank :]
        return LayerPlan(y=(*outs, image[2]))

    def _axes(self, image: Shape) -> tuple[Axis, Axis]:
        return self.axes(image[1:] if self.rank == 1 else image)

    def windows(self, x: TensorSpec) -> tuple[Axis, ...]:
        """An axis of windows for each axis of the input."""
        return self._axes(self.image(x.shape))[2 - self.rank :]

    def mirror(self, x: TensorSpec) -> Layer:
        """Values repeated, to the sizes of `x`."""
        return Upsample(size=x.shape[0] if self.rank == 1 else (x.shape[0], x.shape[1]))

    def bind(self, node: Context) -> None:
        """Blocks of images and their windows, of x and of ∂x."""
        tmp, samples = node.tmp, len(node.x[0])
        image = self.image(node.x[0].shape[1:])
        axes = tmp["rows"], tmp["columns"] = self._axes(image)
        x = node.x[0].reshape(samples, *image)
        y = node.y.reshape(samples, axes[0].out, axes[1].out, image[2])
        tmp["values"] = blocks(x, y, axes, self.border)
        if node.dy is None or node.dx[0] is None:
            return
        dx, dy = node.dx[0].reshape(x.shape), node.dy.reshape(y.shape)
        tmp["gradients"] = blocks(dx, dy, axes, 0.0)
        first = tmp["gradients"][0].y
        tmp["part"], tmp["rest"] = np.empty_like(first), np.empty_like(first)


@dataclass(frozen=True, eq=False)
class MaxPool2d(_Pool):
    """y = max over each window of K_h × K_w,  x (N, H, W, C), y (N, H′, W′, C).

    `stride` is the window's size where it is left out. Of equal values the first, row by row,
    takes the gradient, as in PyTorch.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x", "y"})
    border: ClassVar[float] = -np.inf

    kernel_size: Size | tuple[Size, Size] = 2
    stride: Size | tuple[Size, Size] | None = None
    padding: Count | tuple[Count, Count] = 0

    def forward(self, node: Context) -> None:
        """Overwrite y: the maximum over each window's rows, then over their columns."""
        for block in node.tmp["values"]:
            block.pad()
            if block.rows:
                fold(np.maximum, block.rows, block.half)
            fold(np.maximum, block.columns, block.y)

    def backward(self, node: Context) -> None:
        """∂x = ∂y where x is the window's maximum and no earlier position was.

        If none before it was, the last one is.
        """
        rows, columns = node.tmp["rows"], node.tmp["columns"]
        apart = all(a.stride >= a.reach for a in (rows, columns))
        whole = covers(rows) and covers(columns)
        for values, gradients in zip(node.tmp["values"], node.tmp["gradients"], strict=True):
            values.pad()
            if not whole:
                gradients.wide.fill(0.0)
            left, count = gradients.y, len(values.y)
            part, rest = node.tmp["part"][:count], node.tmp["rest"][:count]
            for x, dx in zip(values.positions, gradients.positions, strict=True):
                share = left
                if x is not values.positions[-1]:
                    share = part
                    np.equal(x, values.y, part)
                    np.multiply(part, left, part)
                    np.subtract(left, part, rest)
                    left = rest
                if apart:
                    np.copyto(dx, share)
                else:
                    np.add(dx, share, dx)
            gradients.unpad()


@dataclass(frozen=True, eq=False)
class AvgPool2d(_Pool):
    """y = mean over each window of K_h × K_w,  x (N, H, W, C), y (N, H′, W′, C).

    Padding counts as zeros; what ceil_mode adds beyond it does not count, as in PyTorch.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()

    kernel_size: Size | tuple[Size, Size] = 2
    stride: Size | tuple[Size, Size] | None = None
    padding: Count | tuple[Count, Count] = 0

    def bind(self, node: Context) -> None:
        """As for every pooling, with one over the number of values in each window."""
        super().bind(node)
        image = self.image(node.x[0].shape[1:])
        counts = [self._counts(a, image[i]) for i, a in enumerate(self._axes(image))]
        inverse = 1.0 / np.multiply.outer(*counts)
        uniform = bool((inverse == inverse.flat[0]).all())
        node.tmp["inverse"] = scalar(inverse.flat[0], node.y.dtype)
        if not uniform:
            node.tmp["inverse"] = inverse[:, :, None].astype(node.y.dtype)

    @staticmethod
    def _counts(windows: Axis, size: int) -> Array:
        """How many values each window has; those beyond the padding itself are not counted."""
        start = np.arange(windows.out) * windows.stride
        end = np.minimum(start + windows.reach, 2 * windows.before + size)
        return end - start

    def forward(self, node: Context) -> None:
        """Overwrite y: the sum over each window's rows, then over their columns, over K."""
        inverse = node.tmp["inverse"]
        for block in node.tmp["values"]:
            block.pad()
            if block.rows:
                fold(np.add, block.rows, block.half)
            fold(np.add, block.columns, block.y)
            np.multiply(block.y, inverse, block.y)

    def backward(self, node: Context) -> None:
        """∂x = the sum of ∂y / K over the windows that x is in."""
        rows, columns, inverse = (node.tmp[name] for name in ("rows", "columns", "inverse"))
        for block in node.tmp["gradients"]:
            part = node.tmp["part"][: len(block.y)]
            np.multiply(block.y, inverse, part)
            unfold(part, block.columns, block.half, columns)
            if block.rows:
                unfold(block.half, block.rows, block.wide, rows)
            block.unpad()


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
