"""The embedding: a trained row for each word, class or other whole number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.engine.init import Fans, Normal
from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    ParameterSpec,
    ScratchSpec,
    TensorSpec,
)
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True, eq=False)
class Embedding(Layer):
    """y = w[x],  x (N, …) whole numbers 0 … V − 1, w (V, C), y (N, …, C).

    V is `entries`, C `units`. Fractions are rounded, and an index out of range is replaced by the
    nearest valid one. No gradient flows to x. Source: PyTorch's nn.Embedding.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    units: Size
    entries: Size
    init: Annotated[Any, Choice("initialiser")] = Normal(1.0)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """A row for each number; the indices are kept for backward."""
        if len(x) != 1:
            raise ShapeError(f"takes one input, got {len(x)}")
        shape, fans = x[0].shape, Fans(self.entries, self.units)
        buffers = {
            "indices": ScratchSpec(shape, integer=True),
            "starts": ScratchSpec((*shape, 1), "backward", integer=True),
            "positions": ScratchSpec((*shape, self.units), "backward", integer=True),
        }
        w = {"weight": ParameterSpec((self.entries, self.units), self.init, fans)}
        return LayerPlan(y=(*shape, self.units), w=w, buffers=buffers)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y and the indices."""
        x, indices = ctx.x[0], ctx.buffers["indices"]
        half = scalar(0.5 if x.dtype.kind == "f" else 0, x.dtype)  # casting truncates
        yield partial(np.add, x, half, indices, casting="unsafe")
        yield partial(np.maximum, indices, np.array(0), out=indices)
        yield partial(np.minimum, indices, np.array(self.entries - 1), out=indices)
        yield partial(np.take, ctx.w["weight"], indices, axis=0, out=ctx.y, mode="clip")

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂w[k] = Σ ∂y over all positions where x = k, added in their order."""
        starts, positions, dw = ctx.buffers["starts"], ctx.buffers["positions"], ctx.dw["weight"]
        units = np.array(self.units)
        yield partial(np.multiply, ctx.buffers["indices"], units, starts[..., 0])
        yield partial(np.add, starts, np.arange(self.units), positions)
        yield partial(dw.fill, 0.0)
        # On flat arrays `add.at` is seven times faster than on rows.
        yield partial(np.add.at, dw.reshape(-1), positions.reshape(-1), ctx.dy.reshape(-1))
        if ctx.dx[0] is not None:
            yield partial(ctx.dx[0].fill, 0.0)
