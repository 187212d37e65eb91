"""Augmentation: pictures (n, H, W, C) changed at random, each by numbers drawn for it alone.

What comes from outside a picture is 0 as the network sees it: black where `scale` leaves black at
0, the mean after `standard`. An entry is a function of the pictures and of u (n, draws), uniform in
[0, 1); who draws u decides what repeats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ldl.arrays import Array, ImageSize, Shape
from ldl.engine.streams import stream
from ldl.fields import Count, Range, Share, Size


class Augmentation(Protocol):
    """An entry of AUGMENTATIONS."""

    draws: ClassVar[int]  # random numbers to a picture

    def shape(self, picture: ImageSize) -> ImageSize:
        """The size of what comes of pictures of this size. Raises ValueError where none can."""
        ...

    def apply(self, x: Array, u: Array) -> Array:
        """x float32 (n, H, W, C), u (n, draws) → (n, H', W', C); x is left as it is."""
        ...


class _SameSize:
    """Pictures keep their size."""

    def shape(self, picture: ImageSize) -> ImageSize:
        """The same."""
        return picture


@dataclass(frozen=True)
class RandomCrop:
    """A square of `size` pixels a side from anywhere; the middle where the network is judged.

    `padding` zeros are put on every side before. Source: Krizhevsky, Sutskever and Hinton 2012.
    """

    draws: ClassVar[int] = 2
    size: Size
    padding: Count = 0

    def shape(self, picture: ImageSize) -> ImageSize:
        """(size, size, C)."""
        height, width, channels = picture
        if self.padding > min(height, width):
            raise ValueError(
                f"a padding of {self.padding} is more than the {height}×{width} pixels"
            )
        _fits(self.size, height + 2 * self.padding, width + 2 * self.padding)
        return self.size, self.size, channels

    def apply(self, x: Array, u: Array) -> Array:
        """u: where the square's top and left edges are."""
        return _cropped(padded(x, self.padding), u, self.size, self.size)


@dataclass(frozen=True)
class CenterCrop:
    """The square of `size` pixels a side in the middle, in training and where it is judged."""

    draws: ClassVar[int] = 0
    size: Size

    def shape(self, picture: ImageSize) -> ImageSize:
        """(size, size, C)."""
        _fits(self.size, *picture[:2])
        return self.size, self.size, picture[2]

    def apply(self, x: Array, u: Array) -> Array:
        """No draws."""
        return centred(x, self.size, self.size)


@dataclass(frozen=True)
class HorizontalFlip(_SameSize):
    """Left and right change places with `probability`."""

    draws: ClassVar[int] = 1
    probability: Share = 0.5

    def apply(self, x: Array, u: Array) -> Array:
        """u: whether."""
        chosen = u[:, 0] < self.probability
        y = x.copy()
        y[chosen] = x[chosen][:, :, ::-1]
        return y


@dataclass(frozen=True)
class Rotation(_SameSize):
    """Turned about the middle by an angle uniform in ±`degrees`, interpolated bilinearly."""

    draws: ClassVar[int] = 1
    degrees: Annotated[float, Range(0.0, 180.0)]

    def apply(self, x: Array, u: Array) -> Array:
        """u: the angle. Each pixel of the result is looked up where it came from."""
        height, width = x.shape[1:3]
        angle = np.deg2rad((2.0 * u[:, :1, None] - 1.0) * self.degrees)
        cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        row = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None]
        column = np.arange(width, dtype=np.float32) - (width - 1) / 2
        rows = cos * row + sin * column + np.float32((height - 1) / 2)
        columns = cos * column - sin * row + np.float32((width - 1) / 2)
        return _bilinear(x, rows, columns)


@dataclass(frozen=True)
class Shift(_SameSize):
    """Moved by a whole number of pixels, uniform in ±`pixels` down and across; 0 comes in."""

    draws: ClassVar[int] = 2
    pixels: Size

    def shape(self, picture: ImageSize) -> ImageSize:
        """The same."""
        if self.pixels >= min(picture[:2]):
            height, width, _ = picture
            raise ValueError(f"{self.pixels} pixels move {height}×{width} pictures out of sight")
        return picture

    def apply(self, x: Array, u: Array) -> Array:
        """u: how far down and across."""
        return _cropped(padded(x, self.pixels), u, *x.shape[1:3])


@dataclass(frozen=True)
class Cutout(_SameSize):
    """A square of `size` pixels a side becomes 0; its middle lies anywhere in the picture.

    Source: DeVries and Taylor 2017.
    """

    draws: ClassVar[int] = 2
    size: Size

    def apply(self, x: Array, u: Array) -> Array:
        """u: where the square's middle is."""
        inside = [self._inside(u[:, axis], x.shape[1 + axis]) for axis in (0, 1)]
        y = x.copy()
        y[inside[0][:, :, None] & inside[1][:, None, :]] = 0.0
        return y

    def _inside(self, u: Array, length: int) -> Array:
        """bool (n, length): whether a row or column belongs to the square."""
        first = _whole(u, length)[:, None] - self.size // 2
        place = np.arange(length)
        inside: Array = (place >= first) & (place < first + self.size)
        return inside


def _fits(size: int, height: int, width: int) -> None:
    if size > min(height, width):
        raise ValueError(f"{size}×{size} pixels cannot be cut from {height}×{width}")


def _whole(u: Array, count: int) -> Array:
    """u in [0, 1) → whole numbers from 0 to count − 1, equally likely."""
    return np.minimum((u * count).astype(np.int64), count - 1)


def padded(x: Array, padding: int) -> Array:
    """x (n, H, W, C) with so many zeros on every side; x itself for 0."""
    if not padding:
        return x
    n, height, width, channels = x.shape
    y = np.zeros((n, height + 2 * padding, width + 2 * padding, channels), x.dtype)
    y[:, padding : padding + height, padding : padding + width] = x
    return y


def _cropped(x: Array, u: Array, height: int, width: int) -> Array:
    """(n, height, width, C) of x, at places drawn by u (n, 2) from all that there are."""
    windows = np.moveaxis(sliding_window_view(x, (height, width), axis=(1, 2)), 3, -1)
    top, left = (_whole(u[:, axis], windows.shape[1 + axis]) for axis in (0, 1))
    cropped: Array = windows[np.arange(len(x)), top, left]
    return cropped


def centred(x: Array, height: int, width: int) -> Array:
    """The middle (n, height, width, C) of x (n, H, W, C), contiguous, with zeros where x ends."""
    margin = max(height - x.shape[1], width - x.shape[2], 0)
    x = padded(x, -(-margin // 2))
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    return np.ascontiguousarray(x[:, top : top + height, left : left + width])


def _bilinear(x: Array, rows: Array, columns: Array) -> Array:
    """x (n, H, W, C) read between its pixels, at rows and columns (n, H', W'); 0 outside."""
    n, height, width, channels = x.shape
    ring = padded(x, 1).reshape(-1, channels)
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top = np.minimum(rows.astype(np.int64), height)
    left = np.minimum(columns.astype(np.int64), width)
    down = (rows - top).astype(np.float32)[..., None]
    across = (columns - left).astype(np.float32)[..., None]
    step = width + 2
    corner = (np.arange(n)[:, None, None] * (height + 2) + top) * step + left
    above = ring.take(corner, 0) * (1 - across) + ring.take(corner + 1, 0) * across
    below = ring.take(corner + step, 0) * (1 - across) + ring.take(corner + step + 1, 0) * across
    between: Array = above * (1 - down) + below * down
    return between


AUGMENTATIONS: dict[str, type] = {
    "random_crop": RandomCrop,
    "center_crop": CenterCrop,
    "horizontal_flip": HorizontalFlip,
    "rotation": Rotation,
    "shift": Shift,
    "cutout": Cutout,
}


@dataclass(frozen=True)
class AugmentedInput:
    """Samples (n, ...) of the data's input `source`; those of one source change together."""

    source: str
    array: Array
    picture: ImageSize  # their size
    shape: Shape  # of a sample as the network sees it


@dataclass
class AugmentedBatches:
    """Batches of augmented feeds, by the names of the graph's inputs that take them.

    The numbers for sample i in epoch e are drawn from the seed, e and i alone, whatever batch the
    sample is in: a run that is resumed within an epoch, with or without shuffling, sees the same.
    """

    augmentations: Sequence[Augmentation]
    inputs: Mapping[str, AugmentedInput]
    seed: int
    _draws: dict[str, list[Array]] = field(init=False, default_factory=dict)

    def start(self, epoch: int) -> None:
        """Draw the numbers of an epoch."""
        counts = {feed.source: len(feed.array) for feed in self.inputs.values()}
        self._draws = {
            source: [
                stream(self.seed, "augment", epoch, source, i).random((count, choice.draws))
                for i, choice in enumerate(self.augmentations)
            ]
            for source, count in counts.items()
        }

    def batch(self, rows: Array) -> dict[str, Array]:
        """The feeds of the samples `rows` (b,), each (b, *shape)."""
        return {name: self._changed(feed, rows) for name, feed in self.inputs.items()}

    def _changed(self, feed: AugmentedInput, rows: Array) -> Array:
        x = feed.array.take(rows, 0).reshape(len(rows), *feed.picture)
        for choice, u in zip(self.augmentations, self._draws[feed.source], strict=True):
            x = choice.apply(x, u[rows])
        return np.ascontiguousarray(x).reshape(len(rows), *feed.shape)
