"""Noise on the inputs, after scaling; targets and the clean inputs are left as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ldl.data.fits import blocks
from ldl.data.info import Array
from ldl.fields import NonNegative, Share


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
    clip: bool = False  # cut to the training inputs' range

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
        for rows in blocks(clean):
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
        for rows in blocks(clean):
            kept = rng.random(clean[rows].shape, dtype=np.float32) >= self.share
            np.multiply(clean[rows], kept, out=out[rows])


NOISES: dict[str, type] = {"gaussian": Gaussian, "replace": Replace, "mask": Mask}
