"""The linear (fully connected, dense) layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import Call, Context, Layer, LayerPlan, Layout, ParameterSpec, TensorSpec
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import augmented
from ldl.errors import ShapeError
from ldl.fields import Choice, Doc, Size


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """y = x·w + b,  x (N, …, I), w (I, O), b (O,), y (N, …, O).

    Without `units`, the last linear layer takes the size of the targets. Weight decay does not
    apply to biases.
    """

    pointwise: ClassVar[bool] = True
    layout: ClassVar[Layout] = "any"
    units: Annotated[Size | None, Doc("number of outputs; null: the size of the targets")] = None
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
            w["bias"] = ParameterSpec(
                (self.units,), self.bias_init, fans, decay=False, adjacent=True
            )
        return LayerPlan(y=(*shape[:-1], self.units), w=w, multiply_adds=prod(shape) * self.units)

    def mirror(self, x: TensorSpec) -> Layer:
        """A linear layer with as many units as this one has inputs."""
        return replace(self, units=x.shape[-1])

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """y = x·w + b; one product [x 1]·[w; b] where x has a spare row for the ones."""
        x, y, w = as_matrix(ctx.x[0]), as_matrix(ctx.y), ctx.w["weight"]
        w_and_b = _augmented(ctx.w)
        if ctx.padded is not None and w_and_b is not None:
            yield partial(ctx.padded[-1].fill, 1.0)
            yield product(ctx.padded.T, w_and_b, y)
        else:
            yield product(x, w, y)
            if self.bias:
                yield partial(np.add, y, ctx.w["bias"], y)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂w = xᵀ·∂y,  ∂b = Σ ∂y,  ∂x = ∂y·wᵀ.

        ∂w and ∂b are one product where x is followed by ones: in its spare row, or, for a single
        sample, in a copy of x.
        """
        x, dy = as_matrix(ctx.x[0]), as_matrix(ctx.dy)
        dw_and_db = _augmented(ctx.dw)
        if dw_and_db is not None and ctx.padded is not None:
            yield product(ctx.padded, dy, dw_and_db)
        elif dw_and_db is not None and len(x) == 1:
            column = np.ones((len(dw_and_db), 1), x.dtype)
            yield partial(np.copyto, column[:-1, 0], x[0])
            yield product(column, dy, dw_and_db)
        elif ctx.dw:
            yield product(x.T, dy, ctx.dw["weight"])
            if self.bias:
                yield partial(np.ones(len(dy), dy.dtype).dot, dy, ctx.dw["bias"])
        if ctx.dx[0] is not None:
            yield product(dy, ctx.w["weight"].T, as_matrix(ctx.dx[0]))


def _augmented(w: dict[str, Array]) -> Array | None:
    """(I+1, O): weight and bias as one matrix, where they are adjacent."""
    return augmented(w["weight"], w["bias"]) if "bias" in w else None


def product(a: Array, b: Array, out: Array) -> Call:
    """The call out = a·b, or outᵀ = bᵀ·aᵀ where out is transposed in memory."""
    if out.flags.c_contiguous:
        return partial(a.dot, b, out)
    return partial(b.T.dot, a.T, out.T)


def as_matrix(array: Array) -> Array:
    """The array with two axes, the last one unchanged."""
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])
