"""The common base of normalisations: their weights, and blocks of rows that stay in cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isqrt, log
from typing import ClassVar

from ldl.arrays import Shape
from ldl.engine.init import Fans, Ones, Zeros
from ldl.engine.layer import Layer, ParameterSpec, TensorSpec
from ldl.engine.layers.shape_checks import one_input
from ldl.errors import ShapeError

BLOCK = 32768  # values in a block of rows: three such blocks stay in the second-level cache


@dataclass(frozen=True, eq=False)
class Norm(Layer):
    """The base of normalisations: each value is shifted and scaled by the statistics of its group.

    Backward reads the centred values that forward leaves, so y may take x's memory.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True

    def mirror(self, x: TensorSpec) -> Layer:
        """The same normalisation, with weights of its own."""
        return replace(self)


def shape_with_channels(x: tuple[TensorSpec, ...]) -> Shape:
    """The input's shape, which needs at least one axis. Raises ShapeError."""
    shape = one_input(x)
    if not shape:
        raise ShapeError("a normalisation needs an axis of channels, got single numbers")
    return shape


def scale_and_shift(size: int) -> dict[str, ParameterSpec]:
    """w = 1 and b = 0, one of each a channel, without weight decay."""
    return {
        "weight": ParameterSpec((size,), Ones(), Fans(1, 1), decay=False),
        "bias": ParameterSpec((size,), Zeros(), Fans(1, 1), decay=False),
    }


def nearest_divisor(count: int, size: int, goal: int) -> int:
    """The divisor d of `count` for which d·size is nearest to `goal`, as a ratio."""
    return min(divisors(count), key=lambda d: abs(log(d * size / goal)))


def divisors(count: int) -> Iterator[int]:
    """All divisors of `count`."""
    for d in range(1, isqrt(count) + 1):
        if count % d == 0:
            yield d
            yield count // d
