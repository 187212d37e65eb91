"""Samples drawn from a formula; the run's seed decides them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.engine.streams import stream
from ldl.fields import NonNegative, Positive, Range, Size


def _plane(samples: int, *classes: str) -> DatasetInfo:
    return DatasetInfo({"x": (2,)}, Target("classes", classes), None, samples)


def _raw(info: DatasetInfo, x: Array, y: Array) -> RawDataset:
    return RawDataset(info, {"x": x}, y.astype(np.int64))


@dataclass(frozen=True)
class Gaussians:
    """x ~ N(centre of its class, std²·I) in the plane; 2 or 4 classes of equal size.

    The centres are corners of a square with side `separation` around 0: all four, or two that
    face each other across it.
    """

    clusters: Literal[2, 4] = 2
    samples: Annotated[int, Range(4)] = 500
    std: Positive = 0.3
    separation: Positive = 2.0

    def describe(self) -> DatasetInfo:
        """Two coordinates, classes by number."""
        return _plane(self.samples, *"0123"[: self.clusters])

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, gaussians)."""
        rng = stream(seed, "data", "gaussians")
        corners = np.array([(-1, -1), (1, 1), (-1, 1), (1, -1)]) * (self.separation / 2)
        y = np.arange(self.samples) % self.clusters
        x = corners[y] + self.std * rng.standard_normal((self.samples, 2))
        return _raw(self.describe(), x, y)


@dataclass(frozen=True)
class Circles:
    """Two circles around 0, radius 1 (outer) and `factor` (inner), plus N(0, noise²).

    Source: scikit-learn's `make_circles`.
    """

    noise: NonNegative = 0.1
    samples: Annotated[int, Range(4)] = 500
    factor: Annotated[float, Range(0.0, 1.0, above=True, below=True)] = 0.5

    def describe(self) -> DatasetInfo:
        """Two coordinates, outer or inner."""
        return _plane(self.samples, "outer", "inner")

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, circles)."""
        outer, inner = self.samples // 2, self.samples - self.samples // 2
        angle = np.concatenate([2 * np.pi * np.arange(n) / n for n in (outer, inner)])
        y = np.arange(self.samples) >= outer
        radius = np.where(y, self.factor, 1.0)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        noise = stream(seed, "data", "circles").standard_normal(x.shape)
        return _raw(self.describe(), x + self.noise * noise, y)


@dataclass(frozen=True)
class Moons:
    """Two interleaved half circles of radius 1, plus N(0, noise²).

    Source: scikit-learn's `make_moons`.
    """

    noise: NonNegative = 0.1
    samples: Annotated[int, Range(4)] = 500

    def describe(self) -> DatasetInfo:
        """Two coordinates, upper or lower half circle."""
        return _plane(self.samples, "upper", "lower")

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, moons)."""
        upper, lower = (
            np.linspace(0, np.pi, n) for n in (self.samples // 2, self.samples - self.samples // 2)
        )
        x = np.concatenate(
            [
                np.stack([np.cos(upper), np.sin(upper)], axis=1),
                np.stack([1 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
            ]
        )
        noise = stream(seed, "data", "moons").standard_normal(x.shape)
        return _raw(self.describe(), x + self.noise * noise, np.arange(self.samples) >= len(upper))


@dataclass(frozen=True)
class Bands:
    """x uniform in [0, 1]²; the class is ⌊classes·x₁⌋, a vertical band."""

    classes: Annotated[int, Range(2, 100)] = 4
    samples: Size = 1000

    def describe(self) -> DatasetInfo:
        """Two coordinates, bands by number from the left."""
        return _plane(self.samples, *map(str, range(self.classes)))

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, bands)."""
        x = stream(seed, "data", "bands").random((self.samples, 2))
        return _raw(self.describe(), x, np.floor(self.classes * x[:, 0]))


@dataclass(frozen=True)
class Disc:
    """x uniform in [0, 1]²; inside if |x − (½, ½)| < 1/√(2π), a disc of half the square's area."""

    samples: Size = 1000

    def describe(self) -> DatasetInfo:
        """Two coordinates, outside or inside."""
        return _plane(self.samples, "outside", "inside")

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, disc)."""
        x = stream(seed, "data", "disc").random((self.samples, 2))
        return _raw(self.describe(), x, ((x - 0.5) ** 2).sum(axis=1) < 1 / (2 * np.pi))


@dataclass(frozen=True)
class Line:
    """y = a·x + b + N(0, noise²), x ~ N(0, I); |aᵢ| in [0.5, 2] and b in [−1, 1] are drawn too."""

    features: Size = 1
    samples: Size = 1000
    noise: NonNegative = 0.1

    target: ClassVar[Target] = Target("values", ("y",))

    def describe(self) -> DatasetInfo:
        """`features` inputs, one value."""
        return DatasetInfo({"x": (self.features,)}, self.target, None, self.samples)

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, line)."""
        rng = stream(seed, "data", "line")
        a = rng.uniform(0.5, 2.0, self.features) * rng.choice([-1.0, 1.0], self.features)
        b = rng.uniform(-1.0, 1.0)
        x = rng.standard_normal((self.samples, self.features))
        y = x @ a + b + self.noise * rng.standard_normal(self.samples)
        return RawDataset(self.describe(), {"x": x}, y[:, None])
