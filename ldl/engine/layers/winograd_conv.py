"""Convolutions of stride 1 in tiles of a few rows, by Winograd's method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ldl.arrays import Array
from ldl.engine.layers.windows import Axes, WindowAxis
from ldl.engine.layers.winograd import ONE, matrices, product_share, tile_outputs
from ldl.engine.memory import aligned

MAX_PRODUCT_WORK = 1_000_000  # multiply-adds that OpenBLAS does without repacking: measured best
BLOCK_VALUES = 1 << 17  # values of windows a block: few calls, and still in a core's own cache
MIN_BLOCK_ROWS = 256  # windows a block at least, so that a large kernel needs few sums
VECTOR = 16  # values in a window's row that make copying it pay
# Multiply-adds an image: with fewer, copies and calls cost what the products save; and where few
# positions contribute, a rounding error in place of an exact 0 is all of a weight's gradient, of
# which Adam makes a whole step.
MIN_WORK = 60_000
MAX_PRODUCT_SHARE = 0.8  # of plain products that may remain, so that the sums pay


@dataclass(frozen=True)
class _TileGeometry:
    """m rows of y from n rows of x, in tiles; several outputs along a row from one window.

    The matrix of a kernel with few channels holds it several times, each time a column further
    right: more products, but fewer and longer windows to copy.
    """

    rows: WindowAxis
    columns: WindowAxis
    channels: int
    filters: int

    @property
    def m(self) -> int:
        """Rows of y in a tile."""
        return tile_outputs(self.rows.out, self.rows.kernel)

    @property
    def n(self) -> int:
        """Rows of x in a tile, and products for each of its columns."""
        return self.m + self.rows.kernel - 1

    @property
    def tiles(self) -> int:
        """The number of tiles in an image; the last may be partly empty."""
        return -(-self.rows.out // self.m)

    @property
    def columns_per_window(self) -> int:
        """The smallest divisor of a row's outputs that fills a vector, or the largest one below."""
        out, kernel = self.columns.out, self.columns.kernel
        divisors = [d for d in range(1, min(out, VECTOR) + 1) if out % d == 0]
        filling = (d for d in divisors if (kernel + d - 1) * self.channels >= VECTOR)
        return next(filling, divisors[-1])

    @property
    def windows_per_row(self) -> int:
        """The number of windows in a row of y."""
        return self.columns.out // self.columns_per_window

    @property
    def window_size(self) -> int:
        """The number of values in a row of a window."""
        return (self.columns.kernel + self.columns_per_window - 1) * self.channels

    @property
    def window_outputs(self) -> int:
        """The number of values of y from one window."""
        return self.columns_per_window * self.filters

    def block(self, samples: int) -> tuple[int, int]:
        """Images a block, and tiles of each: all, or some of one image."""
        lines = (
            max(MIN_BLOCK_ROWS, BLOCK_VALUES // (self.n * self.window_size)) // self.windows_per_row
        )
        if lines < self.tiles:
            return 1, max(1, lines)
        blocks = -(-samples // min(samples, lines // self.tiles))
        return -(-samples // blocks), self.tiles

    def groups(self, lines: int) -> int:
        """The number of products that those of `lines` tiles are divided into."""
        work = self.windows_per_row * self.window_size * self.window_outputs
        divisors = (d for d in range(1, lines + 1) if lines % d == 0)
        return next(d for d in divisors if lines // d * work <= MAX_PRODUCT_WORK or d == lines)


class _TileBuffers:
    """Memory that all blocks use in turn."""

    def __init__(self, shape: _TileGeometry, samples: int, dtype: np.dtype[np.floating]) -> None:
        images, tiles = shape.block(samples)
        lines, rows, columns = images * tiles, shape.rows, shape.columns
        height = tiles * shape.m + rows.kernel - 1
        self.padded = aligned((images, height, columns.padded, shape.channels), dtype)
        self.values = aligned((shape.n, lines, columns.padded * shape.channels), dtype)
        self.windows = self.values
        if shape.windows_per_row > 1:
            self.windows = aligned(
                (shape.n, lines * shape.windows_per_row, shape.window_size), dtype
            )
        self.products = aligned(
            (shape.n, lines * shape.windows_per_row, shape.window_outputs), dtype
        )
        self.y = aligned((images, tiles * shape.m, columns.out * shape.filters), dtype)


class _TileBlock:
    """Some tiles of some images: from x to windows, and from products to y."""

    def __init__(
        self,
        shape: _TileGeometry,
        buffers: _TileBuffers,
        x: Array,
        y: Array,
        tiles: tuple[int, int],
    ) -> None:
        n, m, images, (first, count) = shape.n, shape.m, len(x), tiles
        top, size = first * m - shape.rows.before, count * m + shape.rows.kernel - 1
        low, high = (min(max(row, 0), shape.rows.size) for row in (top, top + size))
        padded = buffers.padded[:images, :size]
        self.x = x[:, low:high]
        self.inside = padded[:, low - top : high - top, shape.columns.inside]
        # Padding keeps its zeros, except where another block of the same image left rows.
        margins = padded[:, : low - top], padded[:, high - top :]
        self.outside = margins if count < shape.tiles else ()
        image, row, _, value = padded.strides
        length = padded.shape[2] * padded.shape[3]
        self.tiles = as_strided(padded, (images, count, n, length), (image, m * row, row, value))
        lines = buffers.values[:, : images * count]
        self.values = lines.reshape(n, images, count, length, copy=False).transpose(1, 2, 0, 3)
        self.windows = buffers.windows[:, : images * count * shape.windows_per_row]
        sliding_shape = (n, images * count, shape.windows_per_row, shape.window_size)
        self.copied = (
            self.windows.reshape(sliding_shape, copy=False) if shape.windows_per_row > 1 else None
        )
        step = shape.columns_per_window * shape.channels * value
        self.sliding = as_strided(lines, sliding_shape, (*lines.strides[:2], step, value))
        self.products = buffers.products[:, : images * count * shape.windows_per_row]
        groups = (n, shape.groups(images * count), -1)
        self.window_groups = self.windows.reshape(*groups, shape.window_size, copy=False)
        self.product_groups = self.products.reshape(*groups, shape.window_outputs, copy=False)
        out = shape.windows_per_row * shape.window_outputs
        transposed = self.products.reshape(n, images, count, out, copy=False)
        self.transposed_products = transposed.transpose(1, 2, 0, 3)
        self.y = y[:, first * m : (first + count) * m].reshape(images, -1, out, copy=False)
        complete = self.y.shape[1] == count * m
        tile_rows = self.y if complete else buffers.y[:images, : count * m]
        self.tile_rows = tile_rows.reshape(images, count, m, out, copy=False)
        self.partial_rows = None if complete else tile_rows

    def read_windows(self, b: Array) -> None:
        """Overwrite the windows with those of Bᵀ x."""
        np.copyto(self.inside, self.x)
        for rows in self.outside:
            rows.fill(0.0)
        np.matmul(b, self.tiles, self.values)
        if self.copied is not None:
            np.copyto(self.copied, self.sliding)

    def write_outputs(self, a: Array) -> None:
        """y = Aᵀ products."""
        np.matmul(a, self.transposed_products, self.tile_rows)
        if self.partial_rows is not None:
            np.copyto(self.y, self.partial_rows[:, : self.y.shape[1]])

    def read_gradients(self, a: Array) -> None:
        """products = A ∂y, with ∂y in the memory of y."""
        if self.partial_rows is not None:
            np.copyto(self.partial_rows[:, : self.y.shape[1]], self.y)
            self.partial_rows[:, self.y.shape[1] :].fill(0.0)
        np.matmul(a, self.tile_rows, self.transposed_products)


class WinogradConv:
    """y = x * kernel + b, in tiles of m rows of y that need n products instead of m·K.

    In float32 its errors are at most about twice those of plain sums, and a window of zeros gives
    exactly b. Only in a gradient of the kernel a rounding error may stand in place of 0.
    """

    @staticmethod
    def fits(x: Array, y: Array, axes: Axes, groups: int) -> bool:
        """Whether the method saves enough products to be faster."""
        rows, columns = axes
        work = rows.out * columns.out * rows.kernel * columns.kernel * x.shape[3] * y.shape[3]
        is_dense = groups == 1 and all(a.stride == a.dilation == 1 for a in axes)
        return (
            is_dense
            and work >= MIN_WORK
            and product_share(rows.out, rows.kernel) <= MAX_PRODUCT_SHARE
        )

    def __init__(self, x: Array, y: Array, axes: Axes) -> None:
        self.shape = shape = _TileGeometry(*axes, x.shape[3], y.shape[3])
        n, size = shape.n, shape.columns.kernel
        self.b, self.g, self.a = matrices(shape.m, shape.rows.kernel, x.dtype)
        self.a_transposed = np.ascontiguousarray(self.a.T)
        self.transformed_kernel = aligned((n, size, shape.channels, shape.filters), x.dtype)
        copies = shape.columns_per_window
        u_shape = (n, size + copies - 1, shape.channels, copies, shape.filters)
        self.u = aligned(u_shape, x.dtype)
        point, down, channel, right, value = self.u.strides
        self.shifted_kernels = as_strided(
            self.u,
            (copies, *self.transformed_kernel.shape),
            (down + right, point, down, channel, value),
        )
        self.matrix = self.u.reshape(n, shape.window_size, shape.window_outputs, copy=False)
        self.block_sum = aligned(self.matrix.shape, x.dtype)
        self.bias = aligned((copies, shape.filters), x.dtype)
        self.blocks = list(self._blocks(x, y))
        self.ones = np.ones(self.blocks[0].products.shape[1], x.dtype)

    def _blocks(self, x: Array, y: Array) -> Iterator[_TileBlock]:
        """Blocks of images, or of the tiles of one image, in order."""
        images, tiles = self.shape.block(len(x))
        buffers = _TileBuffers(self.shape, len(x), x.dtype)
        for i in range(0, len(x), images):
            for first in range(0, self.shape.tiles, tiles):
                count = min(tiles, self.shape.tiles - first)
                xs, ys = x[i : i + images], y[i : i + images]
                yield _TileBlock(self.shape, buffers, xs, ys, (first, count))

    def forward(self, kernel: Array, bias: Array | None = None) -> None:
        """y = Aᵀ (Bᵀx · G kernel) + b; b is added at the point that reaches all rows of a tile."""
        flat = self.transformed_kernel.reshape(len(self.g), -1)
        np.matmul(self.g, kernel.reshape(self.g.shape[1], -1), flat)
        if self.shape.columns_per_window > 1:
            self.u.fill(0.0)
        np.copyto(self.shifted_kernels, self.transformed_kernel)
        if bias is not None:
            np.copyto(self.bias, bias)
        for block in self.blocks:
            block.read_windows(self.b)
            np.matmul(block.window_groups, self.matrix[:, None], block.product_groups)
            if bias is not None:
                np.add(block.products[ONE], self.bias.reshape(-1), block.products[ONE])
            block.write_outputs(self.a)

    def weight_gradient(self, dkernel: Array, dbias: Array | None = None) -> None:
        """∂kernel = Gᵀ Σ (Bᵀx)ᵀ A∂y and ∂b = Σ ∂y, the blocks added in their order."""
        self.matrix.fill(0.0)
        self.bias.fill(0.0)
        sums = self.bias.reshape(-1)
        for block in self.blocks:
            block.read_windows(self.b)
            block.read_gradients(self.a_transposed)
            np.matmul(block.windows.transpose(0, 2, 1), block.products, self.block_sum)
            np.add(self.matrix, self.block_sum, self.matrix)
            if dbias is not None:
                products = block.products[ONE]
                np.add(sums, self.ones[: len(products)].dot(products), sums)
        np.add.reduce(self.shifted_kernels, axis=0, out=self.transformed_kernel)
        flat = self.transformed_kernel.reshape(len(self.g), -1)
        np.matmul(self.g.T, flat, dkernel.reshape(self.g.shape[1], -1, copy=False))
        if dbias is not None:
            np.add.reduce(self.bias, axis=0, out=dbias)
