"""Scaling of the inputs, feature by feature or all alike; fitted on the training part alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ldl.data.info import Array

BLOCK = 1 << 16  # numbers worked on at a time, so that intermediates stay in cache


def blocks(x: Array) -> Iterator[slice]:
    """Slices that cover the rows of x (n, ...) in order."""
    step = max(1, BLOCK * len(x) // max(1, x.size))
    return (slice(start, start + step) for start in range(0, len(x), step))


@dataclass(frozen=True)
class Affine:
    """y = (x − shift) / scale, both of a sample's shape or (), in float64; y is float32."""

    shift: Array
    scale: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...)."""
        y = np.empty(x.shape, np.float32)
        for rows in blocks(x):
            y[rows] = (x[rows] - self.shift) / self.scale
        return y

    def inverse(self, y: Array) -> Array:
        """The x that `transform` made y of, in float32."""
        x = np.empty(y.shape, np.float32)
        for rows in blocks(y):
            x[rows] = y[rows] * self.scale + self.shift
        return x

    def reshaped(self, shape: tuple[int, ...]) -> Affine:
        """The same for samples of another shape and the same size."""
        if self.shift.ndim == 0:
            return self
        return Affine(self.shift.reshape(shape), self.scale.reshape(shape))


@dataclass(frozen=True)
class Scaling:
    """One fitted `Affine` for each named input."""

    inputs: dict[str, Affine]

    def transform(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Raw inputs → what the network sees, float32."""
        return {name: self.inputs[name].transform(x) for name, x in inputs.items()}

    def inverse(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """What the network sees (or gives back) → the source's own units."""
        return {name: self.inputs[name].inverse(x) for name, x in inputs.items()}

    def state(self) -> dict[str, dict[str, Any]]:
        """The fitted numbers in what JSON can hold, exactly."""
        return {
            name: {"shift": fit.shift.tolist(), "scale": fit.scale.tolist()}
            for name, fit in self.inputs.items()
        }

    @staticmethod
    def from_state(state: dict[str, dict[str, Any]]) -> Scaling:
        """`state` undone."""
        return Scaling(
            {
                name: Affine(np.asarray(fit["shift"], float), np.asarray(fit["scale"], float))
                for name, fit in state.items()
            }
        )


Per = Literal["feature", "all"]


def _axis(per: Per | None, picture: bool) -> int | None:
    """0 for numbers of each feature's own; None for one number, the default for pictures."""
    return None if (per or ("all" if picture else "feature")) == "all" else 0


@dataclass(frozen=True)
class MinMax:
    """y = (x − min) / (max − min): the training part fills [0, 1]; a constant feature gives 0."""

    per: Per | None = None  # None: all pixels of a picture alike, else each feature by itself

    def fit(self, x: Array, picture: bool = False) -> Affine:
        """x (n, ...) is the training part."""
        axis = _axis(self.per, picture)
        low, high = (np.asarray(f(x, axis=axis), np.float64) for f in (np.min, np.max))
        return Affine(low, np.where(high > low, high - low, 1.0))


@dataclass(frozen=True)
class Standard:
    """y = (x − mean) / s.d. (over n): mean 0, variance 1 on the training part; constants give 0."""

    per: Per | None = None  # None: all pixels of a picture alike, else each feature by itself

    def fit(self, x: Array, picture: bool = False) -> Affine:
        """x (n, ...) is the training part; two passes over it, in float64."""
        axis = _axis(self.per, picture)
        mean = np.asarray(x.mean(axis=axis, dtype=np.float64))
        squares = sum(((x[rows] - mean) ** 2).sum(axis=axis) for rows in blocks(x))
        deviation = np.sqrt(np.asarray(squares, np.float64) * (mean.size / x.size))
        # The mean of equal numbers may be off by a rounding; that must not become a scale.
        constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        return Affine(mean, np.where(constant, 1.0, deviation))


SCALERS: dict[str, type] = {"minmax": MinMax, "standard": Standard}
