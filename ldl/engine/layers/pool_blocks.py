"""Windows of pooling layers, a block of images at a time: first along rows, then along columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call
from ldl.engine.layers.windows import Axes, WindowAxis, padded_shape
from ldl.engine.memory import aligned

BLOCK = 1 << 18  # values of x in a block: with the windows they stay in the second-level cache


class PoolBlock(NamedTuple):
    """A few images and the windows over them, of values or of gradients."""

    images: Array
    padded: Array  # the images with their padding, or the images themselves
    inside: Array  # the images within `padded`
    rows: list[Array]  # row i of every window of `padded`; empty where windows have one row
    row_reduced: Array  # the sum or maximum over the rows of each window, for every column
    columns: list[Array]  # column j of every window of `row_reduced`
    positions: list[Array]  # position (i, j) of every window of `padded`
    y: Array

    def pad(self) -> Iterator[Call]:
        """Copy the images into their padding, if they have any."""
        if self.padded is not self.images:
            yield partial(np.copyto, self.inside, self.images)

    def unpad(self) -> Iterator[Call]:
        """Copy the images out of their padding, if they have any."""
        if self.padded is not self.images:
            yield partial(np.copyto, self.images, self.inside)


def blocks(x: Array, y: Array, axes: Axes, padding_value: float) -> list[PoolBlock]:
    """Blocks of images x (N, H, W, C), with one value a window, y (N, H′, W′, C)."""
    rows, columns = axes
    count = max(1, min(len(x), BLOCK // prod(x.shape[1:])))
    shape = padded_shape(axes, x.shape[3])
    is_padded = shape != x.shape[1:]
    single = rows.kernel == rows.stride == 1
    padding = aligned((count, *shape), x.dtype) if is_padded else x[:0]
    padding.fill(padding_value)
    between = aligned((0 if single else count, rows.out, *shape[1:]), x.dtype)
    result = []
    for start in range(0, len(x), count):
        images = x[start : start + count]
        padded = padding[: len(images)] if is_padded else images
        row_reduced = padded if single else between[: len(images)]
        result.append(
            PoolBlock(
                images,
                padded,
                padded[:, rows.inside, columns.inside],
                [] if single else [padded[:, rows.at(i)] for i in range(rows.kernel)],
                row_reduced,
                [row_reduced[:, :, columns.at(j)] for j in range(columns.kernel)],
                [
                    padded[:, rows.at(i), columns.at(j)]
                    for i, j in product(range(rows.kernel), range(columns.kernel))
                ],
                y[start : start + count],
            )
        )
    return result


def fold(ufunc: np.ufunc, arrays: Sequence[Array], out: Array) -> Iterator[Call]:
    """out = arrays₁ ∘ arrays₂ ∘ …, in their order."""
    if len(arrays) == 1:
        yield partial(np.copyto, out, arrays[0])
        return
    yield partial(ufunc, arrays[0], arrays[1], out=out)
    for array in arrays[2:]:
        yield partial(ufunc, out, array, out=out)


def unfold(
    value: Array, targets: Sequence[Array], out: Array, windows: WindowAxis
) -> Iterator[Call]:
    """Overwrite `out` with zeros and add `value` to each of its views `targets`."""
    if not covers(windows):
        yield partial(out.fill, 0.0)
    for target in targets:
        if windows.stride >= windows.effective_kernel_size:
            yield partial(np.copyto, target, value)
        else:
            yield partial(np.add, target, value, target)


def covers(windows: WindowAxis) -> bool:
    """Whether every value is in exactly one window."""
    disjoint = windows.stride == windows.effective_kernel_size
    return disjoint and windows.padded == windows.out * windows.stride
