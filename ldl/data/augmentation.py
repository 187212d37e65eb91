"""Augmentation: random changes of images (n, H, W, C), drawn separately for each image.

Pixels from outside an image are 0 as the network sees them: black where `scale` maps black to 0,
the mean after `standard`. An augmentation is a function of the images and of u (n, draws), uniform
in [0, 1); `AugmentedBatches` draws u for each sample and epoch.
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

    draws: ClassVar[int]  # random numbers per image

    def output_size(self, image: ImageSize) -> ImageSize:
        """The size that images of this size get. Raises ValueError where they do not fit."""
        ...

    def apply(self, x: Array, u: Array) -> Array:
        """x float32 (n, H, W, C), u (n, draws) → (n, H', W', C); x does not change."""
        ...


class _SameSize:
    """Images keep their size."""

    def output_size(self, image: ImageSize) -> ImageSize:
        """The same size."""
        return image


@dataclass(frozen=True)
class RandomCrop:
    """A square of `size` pixels a side at a random position; in evaluation, the centre.

    `padding` zeros are added on every side first. Source: Krizhevsky, Sutskever and Hinton 2012.
    """

    draws: ClassVar[int] = 2
    size: Size
    padding: Count = 0

    def output_size(self, image: ImageSize) -> ImageSize:
        """(size, size, C)."""
        height, width, channels = image
        if self.padding > min(height, width):
            raise ValueError(
                f"a padding of {self.padding} is more than the {height}×{width} pixels"
            )
        _check_crop(self.size, height + 2 * self.padding, width + 2 * self.padding)
        return self.size, self.size, channels

    def apply(self, x: Array, u: Array) -> Array:
        """u gives the square's top and left edges."""
        return _random_crop(_padded(x, self.padding), u, self.size, self.size)


@dataclass(frozen=True)
class CenterCrop:
    """The square of `size` pixels a side at the centre, in training and in evaluation."""

    draws: ClassVar[int] = 0
    size: Size

    def output_size(self, image: ImageSize) -> ImageSize:
        """(size, size, C)."""
        _check_crop(self.size, *image[:2])
        return self.size, self.size, image[2]

    def apply(self, x: Array, u: Array) -> Array:
        """No draws."""
        return center_crop(x, self.size, self.size)


@dataclass(frozen=True)
class HorizontalFlip(_SameSize):
    """Left and right are exchanged with `probability`."""

    draws: ClassVar[int] = 1
    probability: Share = 0.5

    def apply(self, x: Array, u: Array) -> Array:
        """u decides whether to flip."""
        flipped = u[:, 0] < self.probability
        y = x.copy()
        y[flipped] = x[flipped][:, :, ::-1]
        return y


@dataclass(frozen=True)
class Rotation(_SameSize):
    """Rotated about the centre by an angle uniform in ±`degrees`, with bilinear interpolation."""

    draws: ClassVar[int] = 1
    degrees: Annotated[float, Range(0.0, 180.0)]

    def apply(self, x: Array, u: Array) -> Array:
        """u gives the angle. Each pixel of the result is read at its position in the original."""
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
    """Moved by whole pixels, uniform in ±`pixels` vertically and horizontally; 0 moves in."""

    draws: ClassVar[int] = 2
    pixels: Size

    def output_size(self, image: ImageSize) -> ImageSize:
        """The same size."""
        if self.pixels >= min(image[:2]):
            height, width, _ = image
            raise ValueError(f"a shift of {self.pixels} pixels can empty {height}×{width} images")
        return image

    def apply(self, x: Array, u: Array) -> Array:
        """u gives the vertical and the horizontal distance."""
        return _random_crop(_padded(x, self.pixels), u, *x.shape[1:3])


@dataclass(frozen=True)
class Cutout(_SameSize):
    """A square of `size` pixels a side becomes 0; its centre is anywhere in the image.

    Source: DeVries and Taylor 2017.
    """

    draws: ClassVar[int] = 2
    size: Size

    def apply(self, x: Array, u: Array) -> Array:
        """u gives the square's centre."""
        rows, columns = (self._covered(u[:, axis], x.shape[1 + axis]) for axis in (0, 1))
        y = x.copy()
        y[rows[:, :, None] & columns[:, None, :]] = 0.0
        return y

    def _covered(self, u: Array, length: int) -> Array:
        """bool (n, length): whether the square covers a row or column."""
        first = _random_index(u, length)[:, None] - self.size // 2
        index = np.arange(length)
        covered: Array = (index >= first) & (index < first + self.size)
        return covered


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
    """An array to augment; arrays from the same input of the data get the same changes."""

    input_name: str  # in the data
    array: Array  # (n, ...)
    image: ImageSize  # of a sample before augmentation
    shape: Shape  # of a sample as the network gets it


@dataclass
class AugmentedBatches:
    """Batches of augmented arrays, by the names of the graph's inputs.

    The random numbers of sample i in epoch e depend on the seed, e and i alone, not on the batch:
    a run that resumes within an epoch, with or without shuffling, gets the same images.
    """

    augmentations: Sequence[Augmentation]
    inputs: Mapping[str, AugmentedInput]
    seed: int
    _draws: dict[str, list[Array]] = field(init=False, default_factory=dict)

    def start(self, epoch: int) -> None:
        """Draw the random numbers of an epoch."""
        counts = {x.input_name: len(x.array) for x in self.inputs.values()}
        self._draws = {
            name: [
                stream(self.seed, "augment", epoch, name, i).random((count, augmentation.draws))
                for i, augmentation in enumerate(self.augmentations)
            ]
            for name, count in counts.items()
        }

    def batch(self, rows: Array) -> dict[str, Array]:
        """The augmented arrays of the samples `rows` (b,), each (b, *shape)."""
        return {name: self._augment(augmented, rows) for name, augmented in self.inputs.items()}

    def _augment(self, augmented: AugmentedInput, rows: Array) -> Array:
        x = augmented.array.take(rows, 0).reshape(len(rows), *augmented.image)
        draws = self._draws[augmented.input_name]
        for augmentation, u in zip(self.augmentations, draws, strict=True):
            x = augmentation.apply(x, u[rows])
        return np.ascontiguousarray(x).reshape(len(rows), *augmented.shape)


def center_crop(x: Array, height: int, width: int) -> Array:
    """The centre (n, height, width, C) of x (n, H, W, C), contiguous, padded with zeros."""
    margin = max(height - x.shape[1], width - x.shape[2], 0)
    x = _padded(x, -(-margin // 2))
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    return np.ascontiguousarray(x[:, top : top + height, left : left + width])


def _check_crop(size: int, height: int, width: int) -> None:
    if size > min(height, width):
        raise ValueError(f"{size}×{size} pixels cannot be cropped from {height}×{width}")


def _random_index(u: Array, count: int) -> Array:
    """u in [0, 1) → whole numbers from 0 to count − 1, with equal probability."""
    return np.minimum((u * count).astype(np.int64), count - 1)


def _padded(x: Array, padding: int) -> Array:
    """x (n, H, W, C) with `padding` zeros on every side; x itself for 0."""
    if not padding:
        return x
    n, height, width, channels = x.shape
    y = np.zeros((n, height + 2 * padding, width + 2 * padding, channels), x.dtype)
    y[:, padding : padding + height, padding : padding + width] = x
    return y


def _random_crop(x: Array, u: Array, height: int, width: int) -> Array:
    """(n, height, width, C) of x, at positions drawn by u (n, 2)."""
    windows = np.moveaxis(sliding_window_view(x, (height, width), axis=(1, 2)), 3, -1)
    top, left = (_random_index(u[:, axis], windows.shape[1 + axis]) for axis in (0, 1))
    cropped: Array = windows[np.arange(len(x)), top, left]
    return cropped


def _bilinear(x: Array, rows: Array, columns: Array) -> Array:
    """x (n, H, W, C) interpolated at rows and columns (n, H', W'); 0 outside."""
    n, height, width, channels = x.shape
    pixels = _padded(x, 1).reshape(-1, channels)
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top = np.minimum(rows.astype(np.int64), height)
    left = np.minimum(columns.astype(np.int64), width)
    down = (rows - top).astype(np.float32)[..., None]
    across = (columns - left).astype(np.float32)[..., None]
    step = width + 2
    corner = (np.arange(n)[:, None, None] * (height + 2) + top) * step + left
    above = pixels.take(corner, 0) * (1 - across) + pixels.take(corner + 1, 0) * across
    corner += step
    below = pixels.take(corner, 0) * (1 - across) + pixels.take(corner + 1, 0) * across
    interpolated: Array = above * (1 - down) + below * down
    return interpolated
