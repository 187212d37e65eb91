"""Convolutions as matrix products: windows are copied for a few images at a time."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.engine.layers.windows import Axes, WindowAxis, sliding
from ldl.engine.layers.winograd_conv import WinogradConv
from ldl.engine.memory import aligned

CACHE_BYTES = 1 << 20  # of windows that are copied at once: about the cache of one core
SUM_ROWS = 256  # of windows in one product for ∂kernel: longer sums would round more


def _channels(array: Array, group: int, groups: int) -> Array:
    """The channels of one group."""
    size = array.shape[-1] // groups
    return array[..., group * size : (group + 1) * size]


class Im2col:
    """y = x * kernel + b: windows of x are copied, a block of images at a time, and multiplied."""

    def __init__(self, x: Array, y: Array, axes: Axes, group: int, groups: int) -> None:
        x, y = _channels(x, group, groups), _channels(y, group, groups)
        rows, columns = axes
        channels, outputs = x.shape[3], y.shape[3]
        kernel = (rows.kernel, columns.kernel, channels)
        window, positions = prod(kernel), rows.out * columns.out
        padding = rows.padded > rows.size or columns.padded > columns.size
        single = window == channels and rows.stride == columns.stride == 1
        is_matrix = single and not padding and groups == 1  # the values are the windows
        fitting = CACHE_BYTES // (positions * window * x.itemsize)
        block = len(x) if is_matrix else max(1, min(len(x), fitting))
        buffer = aligned((0 if is_matrix else block * positions * window,), x.dtype)
        padded = None
        if padding:
            padded = aligned((block, rows.padded, columns.padded, channels), x.dtype)
        self.group_y = None if groups == 1 else aligned((block * positions, outputs), x.dtype)
        self.sum = aligned((window, outputs), x.dtype)
        self.ones = np.ones(block * positions, x.dtype)
        self.blocks: list[_WindowBlock] = []
        for start in range(0, len(x), block):
            count = min(block, len(x) - start)
            images, y_block = x[start : start + count], y[start : start + count]
            source = images if padded is None else padded[:count]
            inside = None if padded is None else source[:, rows.inside, columns.inside]
            group_y = y_block if self.group_y is None else self.group_y[: count * positions]
            flat = group_y.reshape(-1, outputs, copy=False)
            if is_matrix:
                matrix = images.reshape(-1, channels, copy=False)
                self.blocks.append(_WindowBlock(images, None, None, images, matrix, y_block, flat))
                continue
            view, shape = sliding(source, axes), (count, rows.out, columns.out, *kernel)
            if channels == 1:
                # A window of one channel has short rows: copies run along those of the image.
                view, shape = view.transpose(3, 4, 5, 0, 1, 2), (*kernel, *shape[:3])
            windows = buffer[: count * positions * window].reshape(shape)
            matrix = windows.reshape(window, -1).T if channels == 1 else windows.reshape(-1, window)
            self.blocks.append(_WindowBlock(images, inside, view, windows, matrix, y_block, flat))

    def forward(self, kernel: Array, bias: Array | None = None) -> None:
        """y = windows · kernel + b."""
        for block in self.blocks:
            block.read_windows()
            block.matrix.dot(kernel, block.flat)
            if bias is not None:
                np.add(block.flat, bias, block.flat)
            if self.group_y is not None:
                np.copyto(block.y, block.flat.reshape(block.y.shape))

    def weight_gradient(self, dkernel: Array, dbias: Array | None = None) -> None:
        """∂kernel = Σ windowsᵀ · ∂y and ∂b = Σ ∂y, the blocks added in their order."""
        dkernel.fill(0.0)
        if dbias is not None:
            dbias.fill(0.0)
        for block in self.blocks:
            block.read_windows()
            flat = block.flat
            if self.group_y is not None:
                np.copyto(flat.reshape(block.y.shape), block.y)
            for start in range(0, len(flat), SUM_ROWS):
                rows = slice(start, start + SUM_ROWS)
                np.dot(block.matrix[rows].T, flat[rows], self.sum)
                np.add(dkernel, self.sum, dkernel)
            if dbias is not None:
                np.add(dbias, self.ones[: len(flat)].dot(flat), dbias)


class _WindowBlock(NamedTuple):
    """A block of images, their windows as a matrix, and their outputs y."""

    images: Array
    inside: Array | None  # the images within their padding
    view: Array | None  # windows before they are copied; None where the images are the matrix
    windows: Array
    matrix: Array
    y: Array
    flat: Array  # y as a matrix, or a copy where a group's channels are not contiguous

    def read_windows(self) -> None:
        """Copy the windows of the images into the matrix."""
        if self.inside is not None:
            np.copyto(self.inside, self.images)
        if self.view is not None:
            np.copyto(self.windows, self.view)


def convolution(
    x: Array, y: Array, axes: Axes, group: int = 0, groups: int = 1
) -> Im2col | WinogradConv:
    """The faster method of y = x * kernel for these windows."""
    if WinogradConv.fits(x, y, axes, groups):
        return WinogradConv(x, y, axes)
    return Im2col(x, y, axes, group, groups)


class FlippedConv:
    """∂x as a convolution of padded ∂y with the flipped kernel; for stride 1."""

    @staticmethod
    def fits(axes: Axes, groups: int) -> bool:
        """Whether windows of ∂y cover ∂x this way."""
        narrow = all(max(a.before, a.after) < a.kernel for a in axes)
        return groups == 1 and narrow and all(a.stride == a.dilation == 1 for a in axes)

    def __init__(self, dx: Array, dy: Array, axes: Axes) -> None:
        rows, columns = axes
        self.shape = (rows.kernel, columns.kernel, dx.shape[3], dy.shape[3])
        self.flipped = aligned((rows.kernel, columns.kernel, dy.shape[3], dx.shape[3]), dx.dtype)
        self.matrix = self.flipped.reshape(-1, dx.shape[3])
        self.convolution = convolution(dy, dx, (_flipped(rows), _flipped(columns)))

    def input_gradient(self, kernel: Array) -> None:
        """∂x[h] = Σ_k ∂y[h + before − k] · w[k]ᵀ."""
        w = kernel.reshape(self.shape)
        np.copyto(self.flipped, w[::-1, ::-1].transpose(0, 1, 3, 2))
        self.convolution.forward(self.matrix)


def _flipped(axis: WindowAxis) -> WindowAxis:
    """The windows of ∂y that contribute to each value of ∂x."""
    last = axis.kernel - 1
    return WindowAxis(axis.out, axis.kernel, 1, last - axis.before, last - axis.after)


class Col2im:
    """∂x = the sum of the windows' gradients at their positions; any stride, dilation, groups."""

    def __init__(self, dx: Array, dy: Array, axes: Axes, group: int, groups: int) -> None:
        rows, columns = self.axes = axes
        self.dx, self.dy = _channels(dx, group, groups), _channels(dy, group, groups)
        channels, positions = self.dx.shape[3], rows.out * columns.out
        window = rows.kernel * columns.kernel * channels
        block = max(1, min(len(dx), CACHE_BYTES // (positions * window * dx.itemsize)))
        self.block = block
        self.padded = aligned((block, rows.padded, columns.padded, channels), dx.dtype)
        self.dy_block = aligned((block, rows.out, columns.out, self.dy.shape[3]), dx.dtype)
        self.windows = aligned(
            (block, rows.out, columns.out, rows.kernel, columns.kernel, channels), dx.dtype
        )

    def input_gradient(self, kernel: Array) -> None:
        """The gradients ∂y · wᵀ of the windows, added in the order of the kernel's positions."""
        rows, columns = self.axes
        for start in range(0, len(self.dx), self.block):
            count = min(self.block, len(self.dx) - start)
            windows, padded, dy = self.windows[:count], self.padded[:count], self.dy_block[:count]
            np.copyto(dy, self.dy[start : start + count])
            matrix = windows.reshape(-1, len(kernel))
            np.dot(dy.reshape(len(matrix), -1), kernel.T, matrix)
            padded.fill(0.0)
            for i in range(rows.kernel):
                for j in range(columns.kernel):
                    target = padded[:, rows.at(i), columns.at(j)]
                    np.add(target, windows[:, :, :, i, j], target)
            np.copyto(self.dx[start : start + count], padded[:, rows.inside, columns.inside])


def transposed_convolution(
    dx: Array, dy: Array, axes: Axes, group: int = 0, groups: int = 1
) -> FlippedConv | Col2im:
    """The faster method of ∂x, (N, H, W, C_in), from ∂y for these windows."""
    if FlippedConv.fits(axes, groups):
        return FlippedConv(dx, dy, axes)
    return Col2im(dx, dy, axes, group, groups)
