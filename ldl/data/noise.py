"""Noise on the scaled inputs; targets and clean inputs do not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.random import Generator

from ldl.arrays import Array
from ldl.data.scalers import ValueRange, row_blocks
from ldl.errors import SettingError
from ldl.fields import Choice, Doc, NonNegative, Share


class Noise(Protocol):
    """An entry of NOISES."""

    def apply(self, clean: Array, out: Array, rng: Generator, limits: ValueRange) -> None:
        """clean float32 (n, ...) → out (n, ...); limits is the training inputs' range."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """x̃ = x + std·ε, ε ~ N(0, 1) independent for every value."""

    std: NonNegative
    clip: Annotated[bool, Doc("clip to the training inputs' range")] = False

    def apply(self, clean: Array, out: Array, rng: Generator, limits: ValueRange) -> None:
        """clean float32 (n, ...) → out; draws one normal number per value."""
        rng.standard_normal(dtype=np.float32, out=out)
        out *= np.float32(self.std)
        out += clean
        if self.clip:
            np.clip(out, *limits, out=out)


@dataclass(frozen=True)
class Replace:
    """x̃ = u with probability `share`, else x; u uniform over the training inputs' range."""

    share: Share

    def apply(self, clean: Array, out: Array, rng: Generator, limits: ValueRange) -> None:
        """clean float32 (n, ...) → out; the range is an image's as a whole, else a feature's."""
        low, high = limits
        width = high - low
        for rows in row_blocks(clean):
            replaced = rng.random(clean[rows].shape, dtype=np.float32) < self.share
            uniform = rng.random(clean[rows].shape, dtype=np.float32)
            out[rows] = np.where(replaced, low + width * uniform, clean[rows])


@dataclass(frozen=True)
class Mask:
    """x̃ = 0 with probability `share`, else x."""

    share: Share

    def apply(self, clean: Array, out: Array, rng: Generator, limits: ValueRange) -> None:
        """clean float32 (n, ...) → out; draws one uniform number per value."""
        for rows in row_blocks(clean):
            unmasked = rng.random(clean[rows].shape, dtype=np.float32) >= self.share
            np.multiply(clean[rows], unmasked, out=out[rows])


@dataclass(frozen=True)
class Mixed:
    """Each sample gets one of `noises`, drawn with equal probability."""

    noises: tuple[Annotated[Any, Choice("noise")], ...]

    def __post_init__(self) -> None:
        if not self.noises:
            raise SettingError("noises", "needs at least one")

    def apply(self, clean: Array, out: Array, rng: Generator, limits: ValueRange) -> None:
        """clean float32 (n, ...) → out; draws one index per sample, then each noise draws."""
        choices = rng.integers(len(self.noises), size=len(clean))
        for i, noise in enumerate(self.noises):
            rows = np.flatnonzero(choices == i)
            noisy = np.empty_like(clean[rows])
            noise.apply(clean[rows], noisy, rng, limits)
            out[rows] = noisy


NOISES: dict[str, type] = {"gaussian": Gaussian, "replace": Replace, "mask": Mask, "mixed": Mixed}
