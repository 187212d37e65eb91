"""Layers that take axes away: one position of an axis, or the mean over it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers.shape_checks import one_input, words
from ldl.engine.memory import scalar
from ldl.errors import SettingError, ShapeError


@dataclass(frozen=True, eq=False)
class Select(Layer):
    """y = x at position `index` of `axis`, counted without the samples' axis; the axis goes.

    Both may count from the end, as −1.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    index: int = 0
    axis: int = 0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape without the axis."""
        shape = one_input(x)
        axis = place_of(self.axis, len(shape), words(shape))
        if not -shape[axis] <= self.index < shape[axis]:
            raise ShapeError(f"axis {self.axis} of {words(shape)} has no position {self.index}")
        return LayerPlan(y=(*shape[:axis], *shape[axis + 1 :]))

    def bind(self, node: Context) -> None:
        """The position in x and in ∂x."""
        axis = self.axis % (node.x[0].ndim - 1) + 1
        at = (slice(None),) * axis + (self.index,)
        node.tmp["x"] = node.x[0][at]
        if node.dx[0] is not None:
            node.tmp["dx"] = node.dx[0][at]

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        np.copyto(node.y, node.tmp["x"])

    def backward(self, node: Context) -> None:
        """∂x = ∂y at the position, else 0."""
        if node.dx[0] is not None:
            node.dx[0].fill(0.0)
            np.copyto(node.tmp["dx"], node.dy)


@dataclass(frozen=True, eq=False)
class Mean(Layer):
    """y = (1/K) Σ x over the K positions of `axis`, which goes; x (N, …, K, …), y (N, …, …).

    Several axes stand next to one another. All are counted without the samples' axis and may
    count from the end.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    axis: int | tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse an empty list of axes."""
        if self.axis == ():
            raise SettingError("axis", "needs at least one axis")

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape without the axes."""
        shape = one_input(x)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        places = sorted(place_of(axis, len(shape), words(shape)) for axis in axes)
        if places != list(range(places[0], places[0] + len(places))):
            raise ShapeError(f"axes {words(axes)} are not different ones next to one another")
        rest = (*shape[: places[0]], *shape[places[-1] + 1 :])
        return LayerPlan(y=rest, multiply_adds=prod(shape))

    def bind(self, node: Context) -> None:
        """Three axes, of which the middle one goes; a product with 1/K is faster than a sum."""
        tmp, shape = node.tmp, node.x[0].shape[1:]
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        places = sorted(axis % len(shape) for axis in axes)
        size, after = prod(shape[i] for i in places), prod(shape[places[-1] + 1 :])
        tmp["x"] = node.x[0].reshape(-1, size, after)
        tmp["y"] = node.y.reshape(-1, after)
        tmp["shares"] = np.full(size, 1.0 / size, node.y.dtype)
        tmp["share"] = scalar(1.0 / size, node.y.dtype)
        if node.dy is not None and node.dx[0] is not None:
            tmp["dy"] = node.dy.reshape(-1, 1, after)
            tmp["dx"] = node.dx[0].reshape(tmp["x"].shape)

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        x, y = node.tmp["x"], node.tmp["y"]
        if y.shape[1] == 1:
            x[..., 0].dot(node.tmp["shares"], y[:, 0])
        else:
            np.matmul(node.tmp["shares"], x, y)

    def backward(self, node: Context) -> None:
        """∂x = ∂y / K at every position."""
        if node.dx[0] is not None:
            np.multiply(node.tmp["dy"], node.tmp["share"], node.tmp["dx"])


def place_of(axis: int, rank: int, shape: str) -> int:
    """The axis counted from the front; raises ShapeError where it does not exist."""
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} does not exist in {shape}")
    return axis % rank
