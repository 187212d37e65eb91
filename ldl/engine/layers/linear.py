"""The linear (fully connected, dense) layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    Order,
    ParameterSpec,
    Recorded,
    TensorSpec,
)
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import stacked
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True, eq=False)
class Linear(Recorded):
    """y = x·w + b,  x (N, …, I), w (I, O), b (O,), y (N, …, O).

    Left without `units`, the last linear layer takes the size of the targets. Weights start by
    `init`, biases by `bias_init`; biases are not decayed.
    """

    pointwise: ClassVar[bool] = True
    order: ClassVar[Order] = "any"
    units: Size | None = None
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Glorot()
    bias_init: Annotated[Any, Choice("initialiser")] = Zeros()

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Output (…, O); N·I·O multiply-adds."""
        shape = one_input(x)
        if not shape:
            raise ShapeError("linear needs at least one axis of values, got single numbers")
        if self.units is None:
            raise ShapeError("units are missing: only the last linear layer can leave them out")
        inputs, fans = shape[-1], Fans(shape[-1], self.units)
        w = {"weight": ParameterSpec((inputs, self.units), self.init, fans)}
        if self.bias:
            w["bias"] = ParameterSpec((self.units,), self.bias_init, fans, decay=False, behind=True)
        return LayerPlan(y=(*shape[:-1], self.units), w=w, multiply_adds=prod(shape) * self.units)

    def mirror(self, x: TensorSpec) -> Layer:
        """A linear layer with as many units as this one has inputs."""
        return replace(self, units=x.shape[-1])

    def bind(self, node: Context) -> None:
        """A row of ones, which sums over samples as a product, where x has none beneath it."""
        if node.dw and self.bias and node.dy is not None and _whole(node, node.dw) is None:
            node.tmp["ones"] = np.ones(node.y.size // node.y.shape[-1], node.y.dtype)

    def ahead(self, node: Context) -> Iterator[Call]:
        """Overwrite y; where x has a row to spare, a row of ones there adds b in the product."""
        x, y, w = _matrix(node.x[0]), _matrix(node.y), node.w["weight"]
        whole = _whole(node, node.w)
        if whole is not None:
            yield partial(node.rows[-1].fill, 1.0)
            yield product(node.rows.T, whole, y)
        else:
            yield product(x, w, y)
            if self.bias:
                yield partial(np.add, y, node.w["bias"], y)

    def back(self, node: Context) -> Iterator[Call]:
        """∂w = xᵀ·∂y,  ∂b = Σ ∂y,  ∂x = ∂y·wᵀ; with the row of ones ∂w and ∂b are one product.

        Only ∂x where `node.dw` is empty: the weights then move without their gradient.
        """
        x, dy = _matrix(node.x[0]), _matrix(node.dy)
        whole = _whole(node, node.dw)
        if whole is not None:
            yield product(node.rows, dy, whole)
        elif node.dw:
            yield product(x.T, dy, node.dw["weight"])
            if self.bias:
                yield partial(node.tmp["ones"].dot, dy, node.dw["bias"])
        if node.dx[0] is not None:
            yield product(dy, node.w["weight"].T, _matrix(node.dx[0]))


def _whole(node: Context, w: Mapping[str, Array]) -> Array | None:
    """(I+1, O): weight and bias as one matrix, where x has a row to spare and they lie together."""
    if node.rows is None or "bias" not in w:
        return None
    return stacked(w["weight"], w["bias"])


def product(a: Array, b: Array, out: Array) -> Call:
    """out = a·b, or where out's memory is the other way round outᵀ = bᵀ·aᵀ."""
    if out.flags.c_contiguous:
        return partial(a.dot, b, out)
    return partial(b.T.dot, a.T, out.T)


def _matrix(array: Array) -> Array:
    """The array with two axes, the last as it is."""
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])
