"""Losses on values: mean squared, absolute and root mean squared error, and Huber's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Call, Context, LayerPlan, Recorded, ScratchSpec, TensorSpec
from ldl.engine.losses.base import TINY, Reducing
from ldl.engine.memory import scalar
from ldl.fields import Positive


@dataclass(frozen=True, eq=False)
class Mse(Reducing, Recorded):
    """L = (p − t)², averaged over the values of a sample, then over samples.

    With `reduction: sum` the squared Euclidean distance, averaged over samples.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    slope: ClassVar[float] = 2.0

    def ahead(self, node: Context) -> Iterator[Call]:
        """Overwrite y (N,)."""
        tmp, d = node.tmp, node.tmp["d"]
        if "starts" in tmp:
            yield partial(self.target, node)
        yield partial(np.subtract, tmp["p"], tmp["t"], d)
        yield partial(np.vecdot, d, d, node.y)
        yield partial(np.multiply, node.y, tmp["scale"], node.y)

    def back(self, node: Context) -> Iterator[Call]:
        """∂p = 2 (p − t) · ∂y."""
        yield partial(np.multiply, node.tmp["d"], node.tmp["rate"], node.tmp["dp"])


@dataclass(frozen=True, eq=False)
class Mae(Reducing):
    """L = |p − t|, averaged over the values of a sample, then over samples; slope 0 at p = t."""

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        d = node.tmp["d"]
        np.subtract(node.tmp["p"], self.target(node), d)
        np.absolute(d, d)
        np.add.reduce(d, axis=1, out=node.y)
        np.multiply(node.y, node.tmp["scale"], node.y)

    def backward(self, node: Context) -> None:
        """∂p = sign(p − t) · ∂y."""
        tmp = node.tmp
        np.subtract(tmp["p"], tmp["t"], tmp["d"])
        np.sign(tmp["d"], tmp["d"])
        np.multiply(tmp["d"], tmp["rate"], tmp["dp"])


@dataclass(frozen=True, eq=False)
class Rmse(Reducing):
    """L = √(mean of (p − t)² over the values of a sample), averaged over samples.

    The root is taken a sample at a time, so for one value a sample it is the absolute error.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"y"})

    def bind(self, node: Context) -> None:
        """As every loss, with the losses as a column and one more."""
        super().bind(node)
        node.tmp["root"] = node.y.reshape(-1, 1)
        node.tmp["column"] = np.empty_like(node.tmp["root"])

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        d = node.tmp["d"]
        np.subtract(node.tmp["p"], self.target(node), d)
        np.vecdot(d, d, node.y)
        np.multiply(node.y, node.tmp["scale"], node.y)
        np.sqrt(node.y, node.y)

    def backward(self, node: Context) -> None:
        """∂p = (p − t) / L · ∂y, and 0 where L is 0."""
        tmp = node.tmp
        np.maximum(tmp["root"], TINY, out=tmp["column"])
        np.divide(tmp["rate"], tmp["column"], tmp["column"])
        np.multiply(tmp["d"], tmp["column"], tmp["dp"])


@dataclass(frozen=True, eq=False)
class Huber(Reducing):
    """L = ½ d² where |d| < δ, else δ (|d| − ½ δ), with d = p − t, averaged as mse is.

    With c = d cut to [−δ, δ] it is c d − ½ c², and its gradient c.
    Source: Huber, Robust Estimation of a Location Parameter, 1964. PyTorch's HuberLoss.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    delta: Positive = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As every loss, with one more buffer, for the difference that was cut."""
        base = super().plan(x)
        return LayerPlan(y=(), tmp={**base.tmp, "c": ScratchSpec(base.tmp["d"].shape)})

    def bind(self, node: Context) -> None:
        """As every loss, with the limits: NumPy is faster against arrays than against a number."""
        super().bind(node)
        tmp = node.tmp
        tmp["high"] = np.full_like(tmp["d"], self.delta)
        tmp["low"] = np.full_like(tmp["d"], -self.delta)
        tmp["half"] = scalar(0.5, node.y.dtype)
        tmp["squares"] = np.empty_like(node.y)

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        tmp, d, c = node.tmp, node.tmp["d"], node.tmp["c"]
        np.subtract(tmp["p"], self.target(node), d)
        np.maximum(d, tmp["low"], out=c)
        np.minimum(c, tmp["high"], out=c)
        np.vecdot(c, d, node.y)
        np.vecdot(c, c, tmp["squares"])
        np.multiply(tmp["squares"], tmp["half"], tmp["squares"])
        np.subtract(node.y, tmp["squares"], node.y)
        np.multiply(node.y, tmp["scale"], node.y)

    def backward(self, node: Context) -> None:
        """∂p = c · ∂y."""
        np.multiply(node.tmp["c"], node.tmp["rate"], node.tmp["dp"])
