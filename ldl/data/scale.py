"""Scaling of the inputs; fitted on the training part alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.data.fits import Affine, Whitening, blocks, repeated, wide_blocks
from ldl.data.info import Picture
from ldl.errors import DataError, SettingError
from ldl.fields import Doc, Positive

Per = Literal["all", "channel", "feature"]


def _per(per: Per | None, picture: Picture | None) -> Per:
    return per or ("all" if picture else "feature")


def _check_per(per: Per | None, picture: Picture | None) -> None:
    if per == "channel" and picture is None:
        raise DataError(
            "per: channel needs pictures; per: feature takes each column alone", "scale"
        )


def _channels(values: Array, picture: Picture) -> Array:
    """A sample's numbers, a row for each pixel."""
    return values.reshape(-1, picture[2])


def _ends(x: Array, per: Per, picture: Picture | None) -> tuple[Array, Array]:
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

    def check(self, shape: Shape, picture: Picture | None) -> None:
        """DataError where samples of this shape cannot be scaled."""
        _check_per(self.per, picture)

    def fit(self, x: Array, picture: Picture | None = None) -> Affine:
        """x (n, ...) is the training part."""
        per = _per(self.per, picture)
        low, high = _ends(x, per, picture)
        return Affine(low, np.where(high > low, high - low, 1.0))


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

    def check(self, shape: Shape, picture: Picture | None) -> None:
        """DataError where samples of this shape cannot be scaled."""
        _check_per(self.per, picture)
        per = _per(self.per, picture)
        size = {"all": 1, "channel": picture[2] if picture else 1, "feature": math.prod(shape)}[per]
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) != size:
                raise DataError(
                    f"{name}: {len(values)} numbers, where per: {per} takes {size}", "scale"
                )

    def fit(self, x: Array, picture: Picture | None = None) -> Affine:
        """x (n, ...) is the training part; two passes over it, in float64."""
        per = _per(self.per, picture)
        if self.mean is not None and self.std is not None:
            return Affine(np.array(self.mean), np.array(self.std))
        axis = None if per == "all" else 0
        mean = np.asarray(x.mean(axis=axis, dtype=np.float64))
        if per == "channel" and picture is not None:
            mean = _channels(mean, picture).mean(axis=0)
        row = repeated(mean, x.shape[1:])
        squares = np.asarray(sum(((x[r] - row) ** 2).sum(axis=axis) for r in blocks(x)), np.float64)
        if per == "channel" and picture is not None:
            squares = _channels(squares, picture).sum(axis=0)
        deviation = np.sqrt(squares * (mean.size / x.size))
        # The mean of equal numbers is off by roundings; those must not become a scale.
        low, high = _ends(x, per, picture)
        constant = (low == high) | (deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean))
        return Affine(np.where(low == high, low, mean), np.where(constant, 1.0, deviation))


LARGEST_WHITENED = 8192  # numbers to a sample: 256 MB of matrix, minutes of work


@dataclass(frozen=True)
class Zca:
    """y = (x − mean)·U·diag(1/√(λ + ε·λ̄))·Uᵀ, with U·diag(λ)·Uᵀ the training part's covariance.

    The numbers of a sample become uncorrelated and a picture stays one. λ̄, the mean variance, makes
    ε free of units: the larger, the less is made of directions that hardly vary. Source: Bell and
    Sejnowski 1997; ε = 0.1 at variance 1, Coates and Ng 2012.
    """

    epsilon: Positive = 0.1

    def check(self, shape: Shape, picture: Picture | None) -> None:
        """DataError where samples of this shape cannot be scaled."""
        if math.prod(shape) > LARGEST_WHITENED:
            raise DataError(
                f"zca: {math.prod(shape)} numbers to a sample; {LARGEST_WHITENED} are the most",
                "scale",
            )

    def fit(self, x: Array, picture: Picture | None = None) -> Whitening:
        """x (n, ...) is the training part; in float64."""
        mean = x.reshape(len(x), -1).mean(axis=0, dtype=np.float64)
        covariance = np.zeros((mean.size, mean.size))
        for rows in wide_blocks(x):
            centred = x[rows].reshape(-1, mean.size) - mean
            covariance += centred.T @ centred
        values, vectors = np.linalg.eigh(covariance / len(x))
        least = self.epsilon * (values.mean() or 1.0)
        matrix = (vectors / np.sqrt(np.maximum(values, 0.0) + least)) @ vectors.T
        return Whitening(mean, matrix.astype(np.float32))


SCALERS: dict[str, type] = {"minmax": MinMax, "standard": Standard, "zca": Zca}
