"""Samples drawn from a formula and the seed of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.engine.streams import stream
from ldl.fields import NonNegative, Positive, Range, Size


class _PlaneSource:
    """Classes of points in the plane."""

    samples: Size
    class_names: ClassVar[tuple[str, ...]]

    def describe(self) -> DatasetInfo:
        """Two coordinates and the names of the classes."""
        return DatasetInfo({"x": (2,)}, Target("classes", self._names()), None, self.samples)

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, NAME)."""
        x, y = self._draw(seed)
        return RawDataset(self.describe(), {"x": x}, y.astype(np.int64))

    def _names(self) -> tuple[str, ...]:
        return self.class_names

    def _draw(self, seed: int) -> tuple[Array, Array]:
        """x (n, 2) and the classes y (n,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussians(_PlaneSource):
    """x ~ N(centre of its class, std²·I) in the plane; 2 or 4 classes of equal size.

    The centres are corners of a square with side `separation` around 0: all four, or two that are
    diagonally opposite.
    """

    clusters: Literal[2, 4] = 2
    samples: Annotated[int, Range(4)] = 500
    std: Positive = 0.3
    separation: Positive = 2.0

    def _names(self) -> tuple[str, ...]:
        return tuple("0123"[: self.clusters])

    def _draw(self, seed: int) -> tuple[Array, Array]:
        rng = stream(seed, "data", "gaussians")
        corners = np.array([(-1, -1), (1, 1), (-1, 1), (1, -1)]) * (self.separation / 2)
        y = np.arange(self.samples) % self.clusters
        return corners[y] + self.std * rng.standard_normal((self.samples, 2)), y


@dataclass(frozen=True)
class Xor(_PlaneSource):
    """The four clouds of `gaussians`; diagonally opposite ones are a class: exclusive or.

    x ~ N(corner of a square around 0, std²·I), its side is `separation`. No line separates them.
    """

    class_names = ("equal", "unequal")
    samples: Annotated[int, Range(4)] = 500
    std: Positive = 0.25
    separation: Positive = 2.0

    def _draw(self, seed: int) -> tuple[Array, Array]:
        x, cloud = Gaussians(4, self.samples, self.std, self.separation)._draw(seed)
        return x, cloud // 2


@dataclass(frozen=True)
class Circles(_PlaneSource):
    """Two circles around 0, radius 1 (outer) and `factor` (inner), plus N(0, noise²).

    Source: scikit-learn's `make_circles`.
    """

    class_names = ("outer", "inner")
    noise: NonNegative = 0.1
    samples: Annotated[int, Range(4)] = 500
    factor: Annotated[float, Range(0.0, 1.0, above=True, below=True)] = 0.5

    def _draw(self, seed: int) -> tuple[Array, Array]:
        outer, inner = self.samples // 2, self.samples - self.samples // 2
        angle = np.concatenate([2 * np.pi * np.arange(n) / n for n in (outer, inner)])
        y = np.arange(self.samples) >= outer
        radius = np.where(y, self.factor, 1.0)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        noise = stream(seed, "data", "circles").standard_normal(x.shape)
        return x + self.noise * noise, y


@dataclass(frozen=True)
class Moons(_PlaneSource):
    """Two interleaved half circles of radius 1, plus N(0, noise²).

    Source: scikit-learn's `make_moons`.
    """

    class_names = ("upper", "lower")
    noise: NonNegative = 0.1
    samples: Annotated[int, Range(4)] = 500

    def _draw(self, seed: int) -> tuple[Array, Array]:
        counts = self.samples // 2, self.samples - self.samples // 2
        upper, lower = (np.linspace(0, np.pi, count) for count in counts)
        x = np.concatenate(
            [
                np.stack([np.cos(upper), np.sin(upper)], axis=1),
                np.stack([1 - np.cos(lower), 0.5 - np.sin(lower)], axis=1),
            ]
        )
        noise = stream(seed, "data", "moons").standard_normal(x.shape)
        return x + self.noise * noise, np.arange(self.samples) >= len(upper)


@dataclass(frozen=True)
class Bands(_PlaneSource):
    """x uniform in [0, 1]²; the class is ⌊classes·x₁⌋, a vertical band."""

    classes: Annotated[int, Range(2, 100)] = 4
    samples: Size = 1000

    def _names(self) -> tuple[str, ...]:
        return tuple(map(str, range(self.classes)))

    def _draw(self, seed: int) -> tuple[Array, Array]:
        x = stream(seed, "data", "bands").random((self.samples, 2))
        return x, np.floor(self.classes * x[:, 0])


@dataclass(frozen=True)
class Disc(_PlaneSource):
    """x uniform in [0, 1]²; inside if |x − (½, ½)| < 1/√(2π), a disc of half the square's area."""

    class_names = ("outside", "inside")
    samples: Size = 1000

    def _draw(self, seed: int) -> tuple[Array, Array]:
        x = stream(seed, "data", "disc").random((self.samples, 2))
        return x, ((x - 0.5) ** 2).sum(axis=1) < 1 / (2 * np.pi)


@dataclass(frozen=True)
class NoisyLine:
    """y = a·x + b + N(0, noise²), x ~ N(0, I); |aᵢ| in [0.5, 2] and b in [−1, 1] are drawn too."""

    features: Size = 1
    samples: Size = 1000
    noise: NonNegative = 0.1

    def describe(self) -> DatasetInfo:
        """`features` inputs, one value."""
        return DatasetInfo({"x": (self.features,)}, Target("values", ("y",)), None, self.samples)

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """Draws from the stream (seed, data, line)."""
        rng = stream(seed, "data", "line")
        a = rng.uniform(0.5, 2.0, self.features) * rng.choice([-1.0, 1.0], self.features)
        b = rng.uniform(-1.0, 1.0)
        x = rng.standard_normal((self.samples, self.features))
        y = x @ a + b + self.noise * rng.standard_normal(self.samples)
        return RawDataset(self.describe(), {"x": x}, y[:, None])
