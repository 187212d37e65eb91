"""Convolutions of stride 1 in tiles of a few rows, by the method of Toom and Cook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ldl.arrays import Array
from ldl.engine.layers.windows import Axis
from ldl.engine.layers.winograd import ONE, matrices, outputs_a_tile, share_of_products
from ldl.engine.memory import aligned

PRODUCT = 1_000_000  # multiply-adds that OpenBLAS does without repacking, which measured best
WINDOWS = 1 << 17  # values of windows a block: few calls, and still in a core's own cache
ROWS = 256  # windows a block at least, so that sums for a large kernel are few
VECTOR = 16  # values in a window's row that make copying it pay
# Multiply-adds an image: with fewer, copies and calls take the time that is saved; and where few
# positions count, a rounding in place of an exact 0 is all that a weight's gradient has, of which
# Adam makes a whole step.
LEAST = 60_000
SAVED = 0.8  # of the plain way's products: no more may remain, to pay for the sums


@dataclass(frozen=True)
class _Geometry:
    """m rows of y from n rows of x, in tiles; `wide` outputs along a row from one window.

    A kernel with few channels stands in its matrix several times, each time a column further
    right: more products, but fewer and longer windows to copy.
    """

    rows: Axis
    columns: Axis
    channels: int
    filters: int

    @property
    def m(self) -> int:
        return outputs_a_tile(self.rows.out, self.rows.kernel)

    @property
    def n(self) -> int:
        return self.m + self.rows.kernel - 1

    @property
    def tiles(self) -> int:
        """Tiles an image; the last may be partly empty."""
        return -(-self.rows.out // self.m)

    @property
    def wide(self) -> int:
        """The least divisor of the outputs of a row that fills a vector, or the largest below."""
        out, kernel = self.columns.out, self.columns.kernel
        some = [d for d in range(1, min(out, VECTOR) + 1) if out % d == 0]
        return next((d for d in some if (kernel + d - 1) * self.channels >= VECTOR), some[-1])

    @property
    def across(self) -> int:
        """Windows a row."""
        return self.columns.out // self.wide

    @property
    def inner(self) -> int:
        """Values a window's row."""
        return (self.columns.kernel + self.wide - 1) * self.channels

    @property
    def outer(self) -> int:
        """Values of y from one window."""
        return self.wide * self.filters

    def block(self, samples: int) -> tuple[int, int]:
        """Images a block, and tiles of each: all, or some of one image."""
        lines = max(ROWS, WINDOWS // (self.n * self.inner)) // self.across
        if lines < self.tiles:
            return 1, max(1, lines)
        blocks = -(-samples // min(samples, lines // self.tiles))
        return -(-samples // blocks), self.tiles

    def groups(self, lines: int) -> int:
        """Into how many products those of so many lines are divided."""
        work = self.across * self.inner * self.outer
        divisors = (d for d in range(1, lines + 1) if lines % d == 0)
        return next(d for d in divisors if lines // d * work <= PRODUCT or d == lines)


class _Buffers:
    """What one block after the other passes through."""

    def __init__(self, shape: _Geometry, samples: int, dtype: np.dtype[np.floating]) -> None:
        images, tiles = shape.block(samples)
        lines, rows, columns = images * tiles, shape.rows, shape.columns
        high = tiles * shape.m + rows.kernel - 1
        self.padded = aligned((images, high, columns.padded, shape.channels), dtype)
        self.values = aligned((shape.n, lines, columns.padded * shape.channels), dtype)
        self.windows = self.values
        if shape.across > 1:
            self.windows = aligned((shape.n, lines * shape.across, shape.inner), dtype)
        self.products = aligned((shape.n, lines * shape.across, shape.outer), dtype)
        self.y = aligned((images, tiles * shape.m, columns.out * shape.filters), dtype)


class _Block:
    """Some tiles of some images on their way from x to windows, and from products to y."""

    def __init__(
        self, shape: _Geometry, buffers: _Buffers, x: Array, y: Array, tiles: tuple[int, int]
    ) -> None:
        n, m, images, (first, count) = shape.n, shape.m, len(x), tiles
        top, size = first * m - shape.rows.before, count * m + shape.rows.kernel - 1
        low, high = (min(max(row, 0), shape.rows.size) for row in (top, top + size))
        padded = buffers.padded[:images, :size]
        self.x = x[:, low:high]
        self.inside = padded[:, low - top : high - top, shape.columns.inside]
        # Padding stays as it was made, but where another block of the same image left rows.
        around = padded[:, : low - top], padded[:, high - top :]
        self.outside = around if count < shape.tiles else ()
        image, row, _, value = padded.strides
        length = padded.shape[2] * padded.shape[3]
        self.tiles = as_strided(padded, (images, count, n, length), (image, m * row, row, value))
        lines = buffers.values[:, : images * count]
        self.values = lines.reshape(n, images, count, length, copy=False).transpose(1, 2, 0, 3)
        self.windows = buffers.windows[:, : images * count * shape.across]
        slid = (n, images * count, shape.across, shape.inner)
        self.copied = self.windows.reshape(slid, copy=False) if shape.across > 1 else None
        step = shape.wide * shape.channels * value
        self.sliding = as_strided(lines, slid, (*lines.strides[:2], step, value))
        self.products = buffers.products[:, : images * count * shape.across]
        groups = (n, shape.groups(images * count), -1)
        self.left = self.windows.reshape(*groups, shape.inner, copy=False)
        self.right = self.products.reshape(*groups, shape.outer, copy=False)
        out = shape.across * shape.outer
        turned = self.products.reshape(n, images, count, out, copy=False)
        self.turned = turned.transpose(1, 2, 0, 3)
        self.y = y[:, first * m : (first + count) * m].reshape(images, -1, out, copy=False)
        whole = self.y.shape[1] == count * m
        made = self.y if whole else buffers.y[:images, : count * m]
        self.made = made.reshape(images, count, m, out, copy=False)
        self.spare = None if whole else made

    def read(self, b: Array) -> None:
        """Windows of Bᵀ x."""
        np.copyto(self.inside, self.x)
        for rows in self.outside:
            rows.fill(0.0)
        np.matmul(b, self.tiles, self.values)
        if self.copied is not None:
            np.copyto(self.copied, self.sliding)

    def write(self, a: Array) -> None:
        """y = Aᵀ products."""
        np.matmul(a, self.turned, self.made)
        if self.spare is not None:
            np.copyto(self.y, self.spare[:, : self.y.shape[1]])

    def spread(self, a: Array) -> None:
        """products = A ∂y, of ∂y in the place of y."""
        if self.spare is not None:
            np.copyto(self.spare[:, : self.y.shape[1]], self.y)
            self.spare[:, self.y.shape[1] :].fill(0.0)
        np.matmul(a, self.made, self.turned)


class Tiles:
    """y = x * kernel + b, in tiles of m rows of y that need n products for m·K of the plain way.

    Rounding is that of the tile: float32 outputs are off by two to five times as much as plain
    sums are, and a window of zeros beside other values may give a rounding instead of 0.
    """

    @staticmethod
    def fits(x: Array, y: Array, axes: tuple[Axis, Axis], groups: int) -> bool:
        """Whether there are products to save, and so many that it pays."""
        rows, columns = axes
        work = rows.out * columns.out * rows.kernel * columns.kernel * x.shape[3] * y.shape[3]
        slides = groups == 1 and all(a.stride == a.dilation == 1 for a in axes)
        return slides and work >= LEAST and share_of_products(rows.out, rows.kernel) <= SAVED

    def __init__(self, x: Array, y: Array, axes: tuple[Axis, Axis]) -> None:
        self.shape = shape = _Geometry(*axes, x.shape[3], y.shape[3])
        n, size = shape.n, shape.columns.kernel
        self.b, self.g, self.a = matrices(shape.m, shape.rows.kernel, x.dtype)
        self.a_turned = np.ascontiguousarray(self.a.T)
        self.narrow = aligned((n, size, shape.channels, shape.filters), x.dtype)
        self.u = aligned(
            (n, size + shape.wide - 1, shape.channels, shape.wide, shape.filters), x.dtype
        )
        point, down, channel, right, value = self.u.strides
        self.nodes = as_strided(
            self.u, (shape.wide, *self.narrow.shape), (down + right, point, down, channel, value)
        )
        self.matrix = self.u.reshape(n, shape.inner, shape.outer, copy=False)
        self.part = aligned(self.matrix.shape, x.dtype)
        self.bias = aligned((shape.wide, shape.filters), x.dtype)
        self.blocks = list(self._blocks(x, y))
        self.ones = np.ones(self.blocks[0].products.shape[1], x.dtype)

    def _blocks(self, x: Array, y: Array) -> Iterator[_Block]:
        """A block of images after the other, or of one image's tiles."""
        images, tiles = self.shape.block(len(x))
        buffers = _Buffers(self.shape, len(x), x.dtype)
        for i in range(0, len(x), images):
            for first in range(0, self.shape.tiles, tiles):
                some = first, min(tiles, self.shape.tiles - first)
                yield _Block(self.shape, buffers, x[i : i + images], y[i : i + images], some)

    def products(self, kernel: Array, bias: Array | None = None) -> None:
        """y = Aᵀ (Bᵀx · G kernel) + b; b is added where it counts for all rows of a tile."""
        flat = self.narrow.reshape(len(self.g), -1)
        np.matmul(self.g, kernel.reshape(self.g.shape[1], -1), flat)
        if self.shape.wide > 1:
            self.u.fill(0.0)
        np.copyto(self.nodes, self.narrow)
        if bias is not None:
            np.copyto(self.bias, bias)
        for block in self.blocks:
            block.read(self.b)
            np.matmul(block.left, self.matrix[:, None], block.right)
            if bias is not None:
                np.add(block.products[ONE], self.bias.reshape(-1), block.products[ONE])
            block.write(self.a)

    def weights(self, dkernel: Array, dbias: Array | None = None) -> None:
        """∂kernel = Gᵀ Σ (Bᵀx)ᵀ A∂y and ∂b = Σ ∂y, the blocks added in their order."""
        self.matrix.fill(0.0)
        self.bias.fill(0.0)
        sums = self.bias.reshape(-1)
        for block in self.blocks:
            block.read(self.b)
            block.spread(self.a_turned)
            np.matmul(block.windows.transpose(0, 2, 1), block.products, self.part)
            np.add(self.matrix, self.part, self.matrix)
            if dbias is not None:
                one = block.products[ONE]
                np.add(sums, self.ones[: len(one)].dot(one), sums)
        np.add.reduce(self.nodes, axis=0, out=self.narrow)
        flat = self.narrow.reshape(len(self.g), -1)
        np.matmul(self.g.T, flat, dkernel.reshape(self.g.shape[1], -1, copy=False))
        if dbias is not None:
            np.add.reduce(self.bias, axis=0, out=dbias)
