"""Noise on the inputs, after scaling; targets and the clean inputs are left as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np

from ldl.arrays import Array
from ldl.data.scalers import row_blocks
from ldl.errors import SettingError
from ldl.fields import Choice, Doc, NonNegative, Share


class Noise(Protocol):
    """An entry of NOISES."""

    def apply(
        self, clean: Array, out: Array, rng: np.random.Generator, low: Array, high: Array
    ) -> None:
        """clean float32 (n, ...) → out, its like; low and high limit the training inputs."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """x̃ = x + std·ε, ε ~ N(0, 1) independent for every number."""

    std: NonNegative
    clip: Annotated[bool, Doc("cut to the training inputs' range")] = False

    def apply(
        self, clean: Array, out: Array, rng: np.random.Generator, low: Array, high: Array
    ) -> None:
        """clean float32 (n, ...) → out; draws n·size normal numbers."""
        rng.standard_normal(dtype=np.float32, out=out)
        out *= np.float32(self.std)
        out += clean
        if self.clip:
            np.clip(out, low, high, out=out)


@dataclass(frozen=True)
class Replace:
    """x̃ = u with probability `share`, else x; u uniform over the training inputs' range."""

    share: Share

    def apply(
        self, clean: Array, out: Array, rng: np.random.Generator, low: Array, high: Array
    ) -> None:
        """clean float32 (n, ...) → out; the range is a picture's as a whole, else a feature's."""
        width = high - low
        for rows in row_blocks(clean):
            hit = rng.random(clean[rows].shape, dtype=np.float32) < self.share
            uniform = rng.random(clean[rows].shape, dtype=np.float32)
            out[rows] = np.where(hit, low + width * uniform, clean[rows])


@dataclass(frozen=True)
class Mask:
    """x̃ = 0 with probability `share`, else x."""

    share: Share

    def apply(
        self, clean: Array, out: Array, rng: np.random.Generator, low: Array, high: Array
    ) -> None:
        """clean float32 (n, ...) → out; draws n·size uniform numbers."""
        for rows in row_blocks(clean):
            kept = rng.random(clean[rows].shape, dtype=np.float32) >= self.share
            np.multiply(clean[rows], kept, out=out[rows])


@dataclass(frozen=True)
class Mixed:
    """Each sample has one of `noises`, drawn for it, all as likely."""

    noises: tuple[Annotated[Any, Choice("noise")], ...]

    def __post_init__(self) -> None:
        """Refuse an empty list."""
        if not self.noises:
            raise SettingError("noises", "needs at least one")

    def apply(
        self, clean: Array, out: Array, rng: np.random.Generator, low: Array, high: Array
    ) -> None:
        """clean float32 (n, ...) → out; first a whole number a sample, then each noise's draws."""
        drawn = rng.integers(len(self.noises), size=len(clean))
        for i, noise in enumerate(self.noises):
            rows = np.flatnonzero(drawn == i)
            noisy = np.empty_like(clean[rows])
            noise.apply(clean[rows], noisy, rng, low, high)
            out[rows] = noisy


NOISES: dict[str, type] = {"gaussian": Gaussian, "replace": Replace, "mask": Mask, "mixed": Mixed}
