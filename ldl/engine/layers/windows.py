"""Windows that slide over one or two axes: sizes, padding, and views of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.errors import ShapeError

Axes = tuple["WindowAxis", "WindowAxis"]
Padding = int | Sequence[int] | Literal["same"]


@dataclass(frozen=True)
class WindowAxis:
    """Windows of `kernel` values, `dilation` apart, every `stride`, over `size` padded values."""

    size: int
    kernel: int
    stride: int
    before: int
    after: int
    dilation: int = 1

    @property
    def effective_kernel_size(self) -> int:
        """Values from the first to the last one of a window, both included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def padded(self) -> int:
        """The size of the axis with its padding."""
        return self.before + self.size + self.after

    @property
    def out(self) -> int:
        """The number of windows."""
        return (self.padded - self.effective_kernel_size) // self.stride + 1

    @property
    def inside(self) -> slice:
        """The slice of the values within the padding."""
        return slice(self.before, self.before + self.size)

    def at(self, offset: int) -> slice:
        """The padded positions of the value number `offset` of every window."""
        start = offset * self.dilation
        return slice(start, start + (self.out - 1) * self.stride + 1, self.stride)


def window_axis(
    size: int, kernel: int, stride: int, padding: int | str, dilation: int = 1, ceil: bool = False
) -> WindowAxis:
    """The windows of one axis. Raises ShapeError where none fits.

    `same` pads so that the number of windows is ⌈size/stride⌉, the odd one after (TensorFlow's
    rule; with stride 1 also PyTorch's). With `ceil` a last window may begin within the padded
    axis and end beyond it (PyTorch's ceil_mode).
    """
    window = dilation * (kernel - 1) + 1
    if padding == "same":
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        axis = WindowAxis(size, kernel, stride, total // 2, total - total // 2, dilation)
    else:
        axis = WindowAxis(size, kernel, stride, int(padding), int(padding), dilation)
    if ceil:
        out = -(-(axis.padded - window) // stride) + 1
        if (out - 1) * stride >= size + axis.before:
            out -= 1  # a window that would begin in the padding after the values is left out
        extra = max((out - 1) * stride + window - axis.padded, 0)
        axis = WindowAxis(size, kernel, stride, axis.before, axis.after + extra, dilation)
    if axis.out < 1 or axis.padded < window:
        raise ShapeError(
            f"a window of {window} does not fit on an axis of {size}, padding included"
        )
    return axis


def pair(value: int | str | Sequence[int]) -> tuple[int | str, int | str]:
    """One number for both axes, or one for each."""
    if isinstance(value, int | str):
        return value, value
    first, second = value
    return first, second


def padded_shape(axes: Axes, channels: int) -> Shape:
    """(height, width, channels) with padding."""
    return axes[0].padded, axes[1].padded, channels


def sliding(x: Array, axes: Axes) -> Array:
    """The windows of padded x (N, H, W, C) as a view (N, out, out, kernel, kernel, C)."""
    n, h, w, c = x.strides
    rows, columns = axes
    shape = (len(x), rows.out, columns.out, rows.kernel, columns.kernel, x.shape[3])
    strides = (
        n, h * rows.stride, w * columns.stride, h * rows.dilation, w * columns.dilation, c,
    )  # fmt: skip
    return np.lib.stride_tricks.as_strided(x, shape, strides)
