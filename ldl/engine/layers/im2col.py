"""The products of convolutions: windows copied for few images at a time."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.engine.layers.windows import Axis, sliding
from ldl.engine.layers.winograd_conv import Tiles
from ldl.engine.memory import aligned

CACHED = 1 << 20  # bytes of windows that are worth copying at once: about a core's own cache


def _channels(array: Array, group: int, groups: int) -> Array:
    """The channels of one group."""
    size = array.shape[-1] // groups
    return array[..., group * size : (group + 1) * size]


class Gather:
    """Copies windows of x, a block of images at a time, and multiplies them."""

    def __init__(
        self, x: Array, y: Array, axes: tuple[Axis, Axis], group: int, groups: int
    ) -> None:
        x, y = _channels(x, group, groups), _channels(y, group, groups)
        rows, columns = axes
        channels, outputs = x.shape[3], y.shape[3]
        kernel = (rows.kernel, columns.kernel, channels)
        window, positions = prod(kernel), rows.out * columns.out
        padding = rows.padded > rows.size or columns.padded > columns.size
        single = window == channels and rows.stride == columns.stride == 1
        plain = single and not padding and groups == 1  # the values are the windows
        block = (
            len(x) if plain else max(1, min(len(x), CACHED // (positions * window * x.itemsize)))
        )
        buffer = aligned((0 if plain else block * positions * window,), x.dtype)
        inner = None
        if padding:
            inner = aligned((block, rows.padded, columns.padded, channels), x.dtype)
        self.part = None if groups == 1 else aligned((block * positions, outputs), x.dtype)
        self.sum, self.ones = (
            aligned((window, outputs), x.dtype),
            np.ones(block * positions, x.dtype),
        )
        self.steps: list[_Step] = []
        for start in range(0, len(x), block):
            count = min(block, len(x) - start)
            images, y_block = x[start : start + count], y[start : start + count]
            source = images if inner is None else inner[:count]
            into = None if inner is None else source[:, rows.inside, columns.inside]
            part = y_block if self.part is None else self.part[: count * positions]
            flat = part.reshape(-1, outputs, copy=False)
            if plain:
                matrix = images.reshape(-1, channels, copy=False)
                self.steps.append(_Step(images, None, None, images, matrix, y_block, flat))
                continue
            view, shape = sliding(source, axes), (count, rows.out, columns.out, *kernel)
            if channels == 1:
                # Of one channel a window's rows are short: copies run along the image's instead.
                view, shape = view.transpose(3, 4, 5, 0, 1, 2), (*kernel, *shape[:3])
            windows = buffer[: count * positions * window].reshape(shape)
            matrix = windows.reshape(window, -1).T if channels == 1 else windows.reshape(-1, window)
            self.steps.append(_Step(images, into, view, windows, matrix, y_block, flat))

    def products(self, kernel: Array, bias: Array | None = None) -> None:
        """y = windows · kernel + b."""
        for step in self.steps:
            step.read()
            step.matrix.dot(kernel, step.flat)
            if bias is not None:
                np.add(step.flat, bias, step.flat)
            if self.part is not None:
                np.copyto(step.y, step.flat.reshape(step.y.shape))

    def weights(self, dkernel: Array, dbias: Array | None = None) -> None:
        """∂kernel = Σ windowsᵀ · ∂y and ∂b = Σ ∂y, the blocks added in their order."""
        dkernel.fill(0.0)
        if dbias is not None:
            dbias.fill(0.0)
        for step in self.steps:
            step.read()
            flat = step.flat
            if self.part is not None:
                np.copyto(flat.reshape(step.y.shape), step.y)
            np.dot(step.matrix.T, flat, self.sum)
            np.add(dkernel, self.sum, dkernel)
            if dbias is not None:
                np.add(dbias, self.ones[: len(flat)].dot(flat), dbias)


class _Step(NamedTuple):
    """A block of images, the way to their windows as a matrix, and their part of y."""

    images: Array
    into: Array | None  # the images' place within their padding
    view: Array | None  # windows where they lie; None where the images are the matrix
    windows: Array
    matrix: Array
    y: Array
    flat: Array  # y as a matrix, or a spare where a group's channels do not lie together

    def read(self) -> None:
        """Copy the windows."""
        if self.into is not None:
            np.copyto(self.into, self.images)
        if self.view is not None:
            np.copyto(self.windows, self.view)


def correlation(
    x: Array, y: Array, axes: tuple[Axis, Axis], group: int = 0, groups: int = 1
) -> Gather | Tiles:
    """The quicker way to y = x * kernel for these windows."""
    if Tiles.fits(x, y, axes, groups):
        return Tiles(x, y, axes)
    return Gather(x, y, axes, group, groups)


class Correlate:
    """∂x as a convolution of padded ∂y with the kernel turned round; for stride 1."""

    @staticmethod
    def fits(axes: tuple[Axis, Axis], groups: int) -> bool:
        """Whether windows of ∂y can be laid over ∂x this way."""
        near = all(max(a.before, a.after) < a.kernel for a in axes)
        return groups == 1 and near and all(a.stride == a.dilation == 1 for a in axes)

    def __init__(
        self, dx: Array, dy: Array, axes: tuple[Axis, Axis], group: int, groups: int
    ) -> None:
        turned = tuple(
            Axis(a.out, a.kernel, 1, a.kernel - 1 - a.before, a.kernel - 1 - a.after) for a in axes
        )
        rows, columns = axes
        self.shape = (rows.kernel, columns.kernel, dx.shape[3], dy.shape[3])
        self.turned = aligned((rows.kernel, columns.kernel, dy.shape[3], dx.shape[3]), dx.dtype)
        self.matrix = self.turned.reshape(-1, dx.shape[3])
        self.correlation = correlation(dy, dx, (turned[0], turned[1]))

    def inputs(self, kernel: Array) -> None:
        """∂x[h] = Σ_k ∂y[h + before − k] · w[k]ᵀ."""
        w = kernel.reshape(self.shape)
        np.copyto(self.turned, w[::-1, ::-1].transpose(0, 1, 3, 2))
        self.correlation.products(self.matrix)


class Scatter:
    """∂x by adding each window's share where it was read; for any stride, dilation and groups."""

    def __init__(
        self, dx: Array, dy: Array, axes: tuple[Axis, Axis], group: int, groups: int
    ) -> None:
        rows, columns = self.axes = axes
        self.dx, self.dy = _channels(dx, group, groups), _channels(dy, group, groups)
        channels, positions = self.dx.shape[3], rows.out * columns.out
        window = rows.kernel * columns.kernel * channels
        block = max(1, min(len(dx), CACHED // (positions * window * dx.itemsize)))
        self.block = block
        self.padded = aligned((block, rows.padded, columns.padded, channels), dx.dtype)
        self.part = aligned((block, rows.out, columns.out, self.dy.shape[3]), dx.dtype)
        self.windows = aligned(
            (block, rows.out, columns.out, rows.kernel, columns.kernel, channels), dx.dtype
        )

    def inputs(self, kernel: Array) -> None:
        """Windows' gradients ∂y · wᵀ, added up in the order of the kernel's positions."""
        rows, columns = self.axes
        for start in range(0, len(self.dx), self.block):
            count = min(self.block, len(self.dx) - start)
            part, windows, padded = self.part[:count], self.windows[:count], self.padded[:count]
            np.copyto(part, self.dy[start : start + count])
            matrix = windows.reshape(-1, len(kernel))
            np.dot(part.reshape(len(matrix), -1), kernel.T, matrix)
            padded.fill(0.0)
            for i in range(rows.kernel):
                for j in range(columns.kernel):
                    place = padded[:, rows.at(i), columns.at(j)]
                    np.add(place, windows[:, :, :, i, j], place)
            np.copyto(self.dx[start : start + count], padded[:, rows.inside, columns.inside])
