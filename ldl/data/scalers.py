"""Scalers of inputs and targets: their settings, and what fitting them to training data gives.

`image` is the size of samples that are images, whether flat or not; None for other samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ldl.arrays import Array, ImageSize, Shape
from ldl.errors import DataError, SettingError
from ldl.fields import Doc, Positive

Per = Literal["all", "channel", "feature"]
ValueRange = tuple[Array, Array]  # minimum and maximum
PerSetting = Annotated[
    Per | None, Doc("what shares one scale; null: all pixels of an image, else each feature alone")
]
BLOCK = 1 << 16  # numbers in a block, so that intermediate arrays stay in the cache
WIDE_BLOCK = 2048  # rows in a block that is multiplied by a large matrix
MAX_WHITENED = 8192  # values per sample: 256 MB of matrix, minutes of work


def row_blocks(x: Array, rows: int | None = None) -> Iterator[slice]:
    """Slices that cover the rows of x (n, ...) in order, `rows` or about BLOCK numbers each."""
    step = rows or max(1, BLOCK * len(x) // max(1, x.size))
    return (slice(start, start + step) for start in range(0, len(x), step))


# --- fitted scalers -------------------------------------------------------------------------


@dataclass(frozen=True)
class AffineScaler:
    """y = (x − shift) / scale, both float64; y is float32.

    Both have shape (), (C,) for one number per channel, or a sample's shape. They repeat along a
    sample's values, so that a sample may be flat or an image with its channels last.
    """

    elementwise: ClassVar[bool] = True  # each number is scaled independently
    shift: Array
    scale: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...)."""
        y = np.empty(x.shape, np.float32)
        shift, scale = (_repeated(values, x.shape[1:]) for values in (self.shift, self.scale))
        for rows in row_blocks(x):
            y[rows] = (x[rows] - shift) / scale
        return y

    def inverse(self, y: Array) -> Array:
        """The x whose `transform` is y, float32 (n, ...)."""
        x = np.empty(y.shape, np.float32)
        shift, scale = (_repeated(values, y.shape[1:]) for values in (self.shift, self.scale))
        for rows in row_blocks(y):
            x[rows] = y[rows] * scale + shift
        return x

    def state(self) -> dict[str, Any]:
        """Shift and scale, exactly."""
        return {"shift": self.shift.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def from_state(state: dict[str, Any]) -> AffineScaler:
        """The inverse of `state`. Raises KeyError, TypeError or ValueError for another mapping."""
        shift, scale = (np.asarray(state[key], float) for key in ("shift", "scale"))
        if shift.shape != scale.shape or not shift.size:
            raise ValueError(f"shift {shift.shape} and scale {scale.shape}")
        return AffineScaler(shift, scale)

    def arrays(self) -> dict[str, Array]:
        """Empty: JSON holds all numbers."""
        return {}


@dataclass(frozen=True)
class WhiteningScaler:
    """y = (x − mean)·matrix, mean float64 (d,), matrix float32 (d, d), d values per sample."""

    elementwise: ClassVar[bool] = False
    mean: Array
    matrix: Array

    def transform(self, x: Array) -> Array:
        """x (n, ...) of any real type → float32 (n, ...). Raises DataError for another size."""
        if math.prod(x.shape[1:]) != self.mean.size:
            raise DataError(
                f"zca was fitted to samples of {self.mean.size} values, not of shape {x.shape[1:]}"
            )
        y = np.empty((len(x), self.mean.size), np.float32)
        for rows in row_blocks(x, WIDE_BLOCK):
            centred = x[rows].reshape(-1, self.mean.size) - self.mean
            np.dot(centred.astype(np.float32), self.matrix, y[rows])
        return y.reshape(x.shape)

    def inverse(self, y: Array) -> Array:
        """The x whose `transform` is y, float32 (n, ...)."""
        flat = y.reshape(len(y), -1).astype(np.float64)
        x = np.linalg.solve(self.matrix.T.astype(np.float64), flat.T).T + self.mean
        return x.astype(np.float32).reshape(y.shape)

    def state(self) -> dict[str, Any]:
        """The number of values per sample."""
        return {"whitened": self.mean.size}

    def arrays(self) -> dict[str, Array]:
        """The mean and the matrix."""
        return {"mean": self.mean, "matrix": self.matrix}


FittedScaler = AffineScaler | WhiteningScaler


@dataclass(frozen=True)
class InputScalers:
    """A fitted scaler for each named input."""

    inputs: Mapping[str, FittedScaler]

    def transform(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Raw inputs → inputs of the network, float32."""
        return {name: self.inputs[name].transform(x) for name, x in inputs.items()}

    def inverse(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Inputs of the network, or reconstructions of them → the units of the source."""
        return {name: self.inputs[name].inverse(x) for name, x in inputs.items()}

    def state(self) -> dict[str, dict[str, Any]]:
        """The fitted numbers as exact JSON values, except those that `arrays` returns."""
        return {name: scaler.state() for name, scaler in self.inputs.items()}

    def arrays(self) -> dict[str, Array]:
        """The fitted numbers that are too many for JSON, by `input.name`; often none."""
        return {
            f"{name}.{key}": array
            for name, scaler in self.inputs.items()
            for key, array in scaler.arrays().items()
        }

    @staticmethod
    def from_state(state: dict[str, dict[str, Any]], arrays: Mapping[str, Array]) -> InputScalers:
        """The inverse of `state` and `arrays`. Raises KeyError where an array is missing."""
        scalers: dict[str, FittedScaler] = {}
        for name, values in state.items():
            if "whitened" in values:
                mean, matrix = arrays[f"{name}.mean"], arrays[f"{name}.matrix"]
                scalers[name] = WhiteningScaler(mean, matrix)
            else:
                scalers[name] = AffineScaler.from_state(values)
        return InputScalers(scalers)


def _repeated(values: Array, shape: Shape) -> Array:
    """Values () as they are; (C,) or a sample's values repeated along a sample of `shape`."""
    return values if values.ndim == 0 else np.resize(values, shape)


# --- settings -------------------------------------------------------------------------------


@dataclass(frozen=True)
class MinMax:
    """y = (x − min) / (max − min): training data fills [0, 1]; a constant feature gives 0."""

    per: PerSetting = None

    def check(self, shape: Shape, image: ImageSize | None) -> None:
        """Raise DataError where samples of this shape or image size cannot be scaled."""
        _resolve_per(self.per, image)

    def fit(self, x: Array, image: ImageSize | None = None) -> AffineScaler:
        """The scaler of the training inputs x (n, ...)."""
        per = _resolve_per(self.per, image)
        low, high = _value_range(x, per, image)
        return AffineScaler(low, np.where(high > low, high - low, 1.0))


@dataclass(frozen=True)
class Standard:
    """y = (x − mean) / s.d. (over n): mean 0, variance 1 on training data; constants give 0.

    `mean` and `std` may be given together, in the source's units (0 to 255 for images): one number
    for all, one per channel or one per feature, as `per` says; then nothing is fitted.
    """

    per: PerSetting = None
    mean: tuple[float, ...] | None = None
    std: tuple[Positive, ...] | None = None

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise SettingError("mean" if self.std is None else "std", "give mean and std together")

    def check(self, shape: Shape, image: ImageSize | None) -> None:
        """Raise DataError where samples of this shape or image size cannot be scaled."""
        per = _resolve_per(self.per, image)
        size = {"all": 1, "channel": image[2] if image else 1, "feature": math.prod(shape)}[per]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != size:
                raise DataError(
                    f"{name}: {len(values)} numbers, where per: {per} takes {size}", "scale"
                )

    def fit(self, x: Array, image: ImageSize | None = None) -> AffineScaler:
        """The scaler of the training inputs x (n, ...), by two passes in float64."""
        per = _resolve_per(self.per, image)
        if self.mean is not None and self.std is not None:
            return AffineScaler(np.array(self.mean), np.array(self.std))
        axis = None if per == "all" else 0
        mean = np.asarray(x.mean(axis=axis, dtype=np.float64))
        if per == "channel" and image is not None:
            mean = _pixel_rows(mean, image).mean(axis=0)
        row = _repeated(mean, x.shape[1:])
        sums = (((x[rows] - row) ** 2).sum(axis=axis) for rows in row_blocks(x))
        squares = np.asarray(sum(sums), np.float64)
        if per == "channel" and image is not None:
            squares = _pixel_rows(squares, image).sum(axis=0)
        deviation = np.sqrt(squares * (mean.size / x.size))
        # The mean of equal numbers has rounding errors, which must not become a scale.
        low, high = _value_range(x, per, image)
        constant = (low == high) | (deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean))
        return AffineScaler(np.where(low == high, low, mean), np.where(constant, 1.0, deviation))


@dataclass(frozen=True)
class Zca:
    """y = (x − mean)·U·diag(1/√(λ + ε·λ̄))·Uᵀ, with U·diag(λ)·Uᵀ the training data's covariance.

    The values of a sample become uncorrelated, and an image still looks like one. λ̄, the mean
    variance, makes ε free of units: the larger ε, the less directions of small variance are
    amplified. Source: Bell and Sejnowski 1997; ε = 0.1 at variance 1, Coates and Ng 2012.
    """

    epsilon: Positive = 0.1

    def check(self, shape: Shape, image: ImageSize | None) -> None:
        """Raise DataError where samples of this shape or image size cannot be scaled."""
        if math.prod(shape) > MAX_WHITENED:
            raise DataError(
                f"zca: {math.prod(shape)} values per sample; the maximum is {MAX_WHITENED}",
                "scale",
            )

    def fit(self, x: Array, image: ImageSize | None = None) -> WhiteningScaler:
        """The scaler of the training inputs x (n, ...), in float64."""
        mean = x.reshape(len(x), -1).mean(axis=0, dtype=np.float64)
        covariance = np.zeros((mean.size, mean.size))
        for rows in row_blocks(x, WIDE_BLOCK):
            centred = x[rows].reshape(-1, mean.size) - mean
            covariance += centred.T @ centred
        values, vectors = np.linalg.eigh(covariance / len(x))
        floor = self.epsilon * (values.mean() or 1.0)
        matrix = (vectors / np.sqrt(np.maximum(values, 0.0) + floor)) @ vectors.T
        return WhiteningScaler(mean, matrix.astype(np.float32))


SCALERS: dict[str, type] = {"minmax": MinMax, "standard": Standard, "zca": Zca}


def _resolve_per(per: Per | None, image: ImageSize | None) -> Per:
    """The setting or its default. Raises DataError for channels of samples without any."""
    if per == "channel" and image is None:
        raise DataError("per: channel needs images; per: feature scales each column alone", "scale")
    return per or ("all" if image else "feature")


def _pixel_rows(values: Array, image: ImageSize) -> Array:
    """A sample's values as (pixels, channels)."""
    return values.reshape(-1, image[2])


def _value_range(x: Array, per: Per, image: ImageSize | None) -> ValueRange:
    """The minimum and the maximum of x (n, ...): of all, of each channel or of each feature."""
    axis = None if per == "all" else 0
    low, high = (np.asarray(f(x, axis=axis), np.float64) for f in (np.min, np.max))
    if per == "channel" and image is not None:
        return _pixel_rows(low, image).min(axis=0), _pixel_rows(high, image).max(axis=0)
    return low, high
