"""Scalings with their numbers found: applied, undone, written down and read again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.errors import DataError, SettingError
from ldl.fields import Doc, Positive

Per = Literal["all", "channel", "feature"]
BLOCK = 1 << 16  # numbers worked on at a time, so that intermediates stay in cache


def row_blocks(x: Array) -> Iterator[slice]:
    """Slices that cover the rows of x (n, ...) in order."""
    step = max(1, BLOCK * len(x) // max(1, x.size))
    return (slice(start, start + step) for start in range(0, len(x), step))


class FittedScaler(Protocol):
    """A scaling with its numbers found; `elementwise` where each number is scaled by itself."""

    elementwise: ClassVar[bool]

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
class AffineScaler:
    """y = (x − shift) / scale, both float64; y is float32.

    Both are () for one number, (C,) for a number a channel, or have a sample's shape; they repeat
    along a sample's numbers, so that a sample may be flat or a picture, channels last.
    """

    elementwise: ClassVar[bool] = True
    shift: Array
    scale: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...)."""
        y = np.empty(x.shape, np.float32)
        shift, scale = self._repeated(x.shape[1:])
        for rows in row_blocks(x):
            y[rows] = (x[rows] - shift) / scale
        return y

    def inverse(self, y: Array) -> Array:
        """The x that `transform` made y of, in float32."""
        x = np.empty(y.shape, np.float32)
        shift, scale = self._repeated(y.shape[1:])
        for rows in row_blocks(y):
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
class WhiteningScaler:
    """y = (x − mean)·matrix, mean float64 (d,), matrix float32 (d, d), d numbers to a sample."""

    elementwise: ClassVar[bool] = False
    mean: Array
    matrix: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...). Raises DataError for another size."""
        if math.prod(x.shape[1:]) != self.mean.size:
            raise DataError(
                f"zca was fitted on samples of {self.mean.size} numbers, not {x.shape[1:]}"
            )
        y = np.empty((len(x), self.mean.size), np.float32)
        for rows in wide_row_blocks(x):
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
class InputScalers:
    """A fit for each named input."""

    inputs: Mapping[str, FittedScaler]

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
    def from_state(state: dict[str, dict[str, Any]], arrays: Mapping[str, Array]) -> InputScalers:
        """`state` and `arrays` undone. Raises KeyError where an array is missing."""
        fits: dict[str, FittedScaler] = {}
        for name, fit in state.items():
            if "whitened" in fit:
                fits[name] = WhiteningScaler(arrays[f"{name}.mean"], arrays[f"{name}.matrix"])
            else:
                shift, scale = (np.asarray(fit[key], float) for key in ("shift", "scale"))
                fits[name] = AffineScaler(shift, scale)
        return InputScalers(fits)


def repeated(values: Array, shape: Shape) -> Array:
    """() stays; (C,) and a sample's own shape are laid along a sample of `shape`."""
    return values if values.ndim == 0 else np.resize(values, shape)


def wide_row_blocks(x: Array) -> Iterator[slice]:
    """Slices of 2048 rows, for products with large matrices."""
    return (slice(start, start + 2048) for start in range(0, len(x), 2048))


def _per(per: Per | None, picture: ImageSize | None) -> Per:
    return per or ("all" if picture else "feature")


def _check_per(per: Per | None, picture: ImageSize | None) -> None:
    if per == "channel" and picture is None:
        raise DataError(
            "per: channel needs pictures; per: feature takes each column alone", "scale"
        )


def _channels(values: Array, picture: ImageSize) -> Array:
    """A sample's numbers, a row for each pixel."""
    return values.reshape(-1, picture[2])


def _ends(x: Array, per: Per, picture: ImageSize | None) -> tuple[Array, Array]:
    """The least and the largest of x (n, ...): of all, of each channel or of each feature."""
    axis = None if per == "all" else 0
    low, high = (np.asarray(f(x, axis=axis), np.float64) for f in (np.min, np.max))
    if per == "channel" and picture is not None:
        return _channels(low, picture).min(axis=0), _channels(high, picture).max(axis=0)
    return low, high


@dataclass(frozen=True)
class MinMax:
    """y = (x − min) / (max − min): the training part fills [0, 1]; a constant feature gives 0."""

    per: Annotated[
        Per | None, Doc("null: all pixels of a picture alike, else each feature by itself")
    ] = None

    def check(self, shape: Shape, picture: ImageSize | None) -> None:
        """DataError where samples of this shape cannot be scaled."""
        _check_per(self.per, picture)

    def fit(self, x: Array, picture: ImageSize | None = None) -> AffineScaler:
        """x (n, ...) is the training part."""
        per = _per(self.per, picture)
        low, high = _ends(x, per, picture)
        return AffineScaler(low, np.where(high > low, high - low, 1.0))


@dataclass(frozen=True)
class Standard:
    """y = (x − mean) / s.d. (over n): mean 0, variance 1 on the training part; constants give 0.

    `mean` and `std` may be given together, in the source's units (0 to 255 for pictures), one
    number for all, for each channel or for each feature, as `per` says; then nothing is fitted.
    """

    per: Annotated[
        Per | None, Doc("null: all pixels of a picture alike, else each feature by itself")
    ] = None
    mean: tuple[float, ...] | None = None
    std: tuple[Positive, ...] | None = None

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise SettingError("mean" if self.std is None else "std", "give mean and std together")

    def check(self, shape: Shape, picture: ImageSize | None) -> None:
        """DataError where samples of this shape cannot be scaled."""
        _check_per(self.per, picture)
        per = _per(self.per, picture)
        size = {"all": 1, "channel": picture[2] if picture else 1, "feature": math.prod(shape)}[per]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != size:
                raise DataError(
                    f"{name}: {len(values)} numbers, where per: {per} takes {size}", "scale"
                )

    def fit(self, x: Array, picture: ImageSize | None = None) -> AffineScaler:
        """x (n, ...) is the training part; two passes over it, in float64."""
        per = _per(self.per, picture)
        if self.mean is not None and self.std is not None:
            return AffineScaler(np.array(self.mean), np.array(self.std))
        axis = None if per == "all" else 0
        mean = np.asarray(x.mean(axis=axis, dtype=np.float64))
        if per == "channel" and picture is not None:
            mean = _channels(mean, picture).mean(axis=0)
        row = repeated(mean, x.shape[1:])
        squares = np.asarray(
            sum(((x[r] - row) ** 2).sum(axis=axis) for r in row_blocks(x)), np.float64
        )
        if per == "channel" and picture is not None:
            squares = _channels(squares, picture).sum(axis=0)
        deviation = np.sqrt(squares * (mean.size / x.size))
        # The mean of equal numbers is off by roundings; those must not become a scale.
        low, high = _ends(x, per, picture)
        constant = (low == high) | (deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean))
        return AffineScaler(np.where(low == high, low, mean), np.where(constant, 1.0, deviation))


LARGEST_WHITENED = 8192  # numbers to a sample: 256 MB of matrix, minutes of work


@dataclass(frozen=True)
class Zca:
    """y = (x − mean)·U·diag(1/√(λ + ε·λ̄))·Uᵀ, with U·diag(λ)·Uᵀ the training part's covariance.

    The numbers of a sample become uncorrelated and a picture stays one. λ̄, the mean variance, makes
    ε free of units: the larger, the less is made of directions that hardly vary. Source: Bell and
    Sejnowski 1997; ε = 0.1 at variance 1, Coates and Ng 2012.
    """

    epsilon: Positive = 0.1

    def check(self, shape: Shape, picture: ImageSize | None) -> None:
        """DataError where samples of this shape cannot be scaled."""
        if math.prod(shape) > LARGEST_WHITENED:
            raise DataError(
                f"zca: {math.prod(shape)} numbers to a sample; {LARGEST_WHITENED} are the most",
                "scale",
            )

    def fit(self, x: Array, picture: ImageSize | None = None) -> WhiteningScaler:
        """x (n, ...) is the training part; in float64."""
        mean = x.reshape(len(x), -1).mean(axis=0, dtype=np.float64)
        covariance = np.zeros((mean.size, mean.size))
        for rows in wide_row_blocks(x):
            centred = x[rows].reshape(-1, mean.size) - mean
            covariance += centred.T @ centred
        values, vectors = np.linalg.eigh(covariance / len(x))
        least = self.epsilon * (values.mean() or 1.0)
        matrix = (vectors / np.sqrt(np.maximum(values, 0.0) + least)) @ vectors.T
        return WhiteningScaler(mean, matrix.astype(np.float32))


SCALERS: dict[str, type] = {"minmax": MinMax, "standard": Standard, "zca": Zca}
