"""Windows of pooling layers, a block of images at a time: rows first, then what is left of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.engine.layers.windows import Axis, padded_shape
from ldl.engine.memory import aligned

BLOCK = 1 << 18  # values of x in a block: with what comes of them they stay in the second cache


class Block(NamedTuple):
    """A few images and the windows over them, of values or of gradients."""

    images: Array
    wide: Array  # with their padding, or just the images
    inside: Array  # the images' place in it
    rows: list[Array]  # of wide, number i of the rows of every window; none where each has one
    half: Array  # one value for each window's rows, in every column
    columns: list[Array]  # of half, number j of the columns of every window
    positions: list[Array]  # of wide, number (i, j) of every window
    y: Array

    def pad(self) -> None:
        """Put the images into their padding."""
        if self.wide is not self.images:
            np.copyto(self.inside, self.images)

    def unpad(self) -> None:
        """Take the images out of their padding."""
        if self.wide is not self.images:
            np.copyto(self.images, self.inside)


def blocks(x: Array, y: Array, axes: tuple[Axis, Axis], border: float) -> list[Block]:
    """Blocks of images x (N, H, W, C) and of what stands for their windows, y."""
    rows, columns = axes
    count = max(1, min(len(x), BLOCK // prod(x.shape[1:])))
    shape = padded_shape(axes, x.shape[3])
    pads = shape != x.shape[1:]
    single = rows.kernel == rows.stride == 1
    padding = aligned((count, *shape), x.dtype) if pads else x[:0]
    padding.fill(border)
    between = aligned((0 if single else count, rows.out, *shape[1:]), x.dtype)
    made = []
    for start in range(0, len(x), count):
        images = x[start : start + count]
        wide = padding[: len(images)] if pads else images
        half = wide if single else between[: len(images)]
        made.append(
            Block(
                images,
                wide,
                wide[:, rows.inside, columns.inside],
                [] if single else [wide[:, rows.at(i)] for i in range(rows.kernel)],
                half,
                [half[:, :, columns.at(j)] for j in range(columns.kernel)],
                [
                    wide[:, rows.at(i), columns.at(j)]
                    for i, j in product(range(rows.kernel), range(columns.kernel))
                ],
                y[start : start + count],
            )
        )
    return made


def fold(ufunc: np.ufunc, parts: Sequence[Array], out: Array) -> None:
    """out = the first part ∘ the second ∘ …, in their order."""
    if len(parts) == 1:
        np.copyto(out, parts[0])
        return
    ufunc(parts[0], parts[1], out=out)
    for part in parts[2:]:
        ufunc(out, part, out=out)


def unfold(part: Array, places: Sequence[Array], whole: Array, windows: Axis) -> None:
    """Overwrite `whole` with the sum of `part` over the places that lie in it."""
    apart = windows.stride >= windows.reach
    if not covers(windows):
        whole.fill(0.0)
    for place in places:
        if apart:
            np.copyto(place, part)
        else:
            np.add(place, part, place)


def covers(windows: Axis) -> bool:
    """Whether every value is in one window and no other."""
    return windows.stride == windows.reach and windows.padded == windows.out * windows.stride
