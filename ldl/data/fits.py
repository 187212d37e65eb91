"""Scalings with their numbers found: applied, undone, written down and read again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ldl.arrays import Array, Shape
from ldl.errors import DataError

BLOCK = 1 << 16  # numbers worked on at a time, so that intermediates stay in cache


def blocks(x: Array) -> Iterator[slice]:
    """Slices that cover the rows of x (n, ...) in order."""
    step = max(1, BLOCK * len(x) // max(1, x.size))
    return (slice(start, start + step) for start in range(0, len(x), step))


class Fit(Protocol):
    """A scaling with its numbers found; `separable` where each number is scaled by itself."""

    separable: ClassVar[bool]

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...)."""
        ...

    def inverse(self, y: Array) -> Array:
        """The x that `transform` made y of, in float32."""
        ...

    def state(self) -> dict[str, Any]:
        """The numbers in what JSON can hold, but for what `arrays` gives."""
        ...

    def arrays(self) -> dict[str, Array]:
        """The numbers that are too many for JSON."""
        ...


@dataclass(frozen=True)
class Affine:
    """y = (x − shift) / scale, both float64; y is float32.

    Both are () for one number, (C,) for a number a channel, or have a sample's shape; they repeat
    along a sample's numbers, so that a sample may be flat or a picture, channels last.
    """

    separable: ClassVar[bool] = True
    shift: Array
    scale: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...)."""
        y = np.empty(x.shape, np.float32)
        shift, scale = self._repeated(x.shape[1:])
        for rows in blocks(x):
            y[rows] = (x[rows] - shift) / scale
        return y

    def inverse(self, y: Array) -> Array:
        """The x that `transform` made y of, in float32."""
        x = np.empty(y.shape, np.float32)
        shift, scale = self._repeated(y.shape[1:])
        for rows in blocks(y):
            x[rows] = y[rows] * scale + shift
        return x

    def state(self) -> dict[str, Any]:
        """Both, exactly."""
        return {"shift": self.shift.tolist(), "scale": self.scale.tolist()}

    def arrays(self) -> dict[str, Array]:
        """None: they are few."""
        return {}

    def _repeated(self, shape: Shape) -> tuple[Array, Array]:
        return repeated(self.shift, shape), repeated(self.scale, shape)


@dataclass(frozen=True)
class Whitening:
    """y = (x − mean)·matrix, mean float64 (d,), matrix float32 (d, d), d numbers to a sample."""

    separable: ClassVar[bool] = False
    mean: Array
    matrix: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...). Raises DataError for another size."""
        if math.prod(x.shape[1:]) != self.mean.size:
            raise DataError(
                f"zca was fitted on samples of {self.mean.size} numbers, not {x.shape[1:]}"
            )
        y = np.empty((len(x), self.mean.size), np.float32)
        for rows in wide_blocks(x):
            np.dot(self._centred(x[rows]).astype(np.float32), self.matrix, y[rows])
        return y.reshape(x.shape)

    def inverse(self, y: Array) -> Array:
        """The x that `transform` made y of, in float32."""
        flat = y.reshape(len(y), -1).astype(np.float64)
        x = np.linalg.solve(self.matrix.T.astype(np.float64), flat.T).T + self.mean
        return x.astype(np.float32).reshape(y.shape)

    def state(self) -> dict[str, Any]:
        """Only how many numbers a sample has."""
        return {"whitened": self.mean.size}

    def arrays(self) -> dict[str, Array]:
        """The mean and the matrix."""
        return {"mean": self.mean, "matrix": self.matrix}

    def _centred(self, x: Array) -> Array:
        centred: Array = x.reshape(len(x), -1) - self.mean
        return centred


@dataclass(frozen=True)
class Scaling:
    """A fit for each named input."""

    inputs: Mapping[str, Fit]

    def transform(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Raw inputs → what the network sees, float32."""
        return {name: self.inputs[name].transform(x) for name, x in inputs.items()}

    def inverse(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """What the network sees (or gives back) → the source's own units."""
        return {name: self.inputs[name].inverse(x) for name, x in inputs.items()}

    def state(self) -> dict[str, dict[str, Any]]:
        """The fitted numbers in what JSON can hold, exactly, but for those in `arrays`."""
        return {name: fit.state() for name, fit in self.inputs.items()}

    def arrays(self) -> dict[str, Array]:
        """The fitted numbers that are too many for JSON, by input and name; often none."""
        return {
            f"{name}.{k}": a for name, fit in self.inputs.items() for k, a in fit.arrays().items()
        }

    @staticmethod
    def from_state(state: dict[str, dict[str, Any]], arrays: Mapping[str, Array]) -> Scaling:
        """`state` and `arrays` undone. Raises KeyError where an array is missing."""
        fits: dict[str, Fit] = {}
        for name, fit in state.items():
            if "whitened" in fit:
                fits[name] = Whitening(arrays[f"{name}.mean"], arrays[f"{name}.matrix"])
            else:
                shift, scale = (np.asarray(fit[key], float) for key in ("shift", "scale"))
                fits[name] = Affine(shift, scale)
        return Scaling(fits)


def repeated(values: Array, shape: Shape) -> Array:
    """() stays; (C,) and a sample's own shape are laid along a sample of `shape`."""
    return values if values.ndim == 0 else np.resize(values, shape)


def wide_blocks(x: Array) -> Iterator[slice]:
    """Slices of 2048 rows, for products with large matrices."""
    return (slice(start, start + 2048) for start in range(0, len(x), 2048))
