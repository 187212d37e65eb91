"""Upsampling by nearest neighbours, for decoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.layer import Call, Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.errors import ShapeError
from ldl.fields import Size


@dataclass(frozen=True, eq=False)
class Upsample(Layer):
    """y_h = x_⌊h·H/H′⌋ on every axis but the channels: each value repeated (nearest neighbour).

    x (N, L, C) or (N, H, W, C). H′ is `scale`·H, or `size` where that is given.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()

    scale: Size = 2
    size: Size | tuple[Size, Size] | None = None
    mode: Literal["nearest"] = "nearest"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The enlarged axes; for an image a buffer with only its height enlarged."""
        shape = one_input(x)
        if len(shape) not in (2, 3):
            raise ShapeError(f"takes (length, channels) or an image, got {format_shape(shape)}")
        sizes = self.sizes(shape)
        if any(new < old for new, old in zip(sizes, shape, strict=False)):
            raise ShapeError(f"cannot enlarge {format_shape(shape)} to {format_shape(sizes)}")
        buffers = {"taller": ScratchSpec((sizes[0], *shape[1:]))} if len(sizes) == 2 else {}
        return LayerPlan(y=(*sizes, shape[-1]), buffers=buffers)

    def sizes(self, shape: Shape) -> Shape:
        """The new sizes of the axes."""
        if self.size is None:
            return tuple(self.scale * old for old in shape[:-1])
        return (self.size,) if isinstance(self.size, int) else tuple(self.size)

    def prepare(self, ctx: Context) -> list[Array]:
        """For each axis, the index of x that each position of y reads."""
        sizes = zip(ctx.x[0].shape[1:-1], ctx.y.shape[1:-1], strict=True)
        return [np.arange(new) * old // new for old, new in sizes]

    def forward(self, ctx: Context, scratch: list[Array]) -> Iterator[Call]:
        """Overwrite y, one axis after the other."""
        x = ctx.x[0]
        if len(scratch) == 1:
            yield partial(x.take, scratch[0], 1, ctx.y, "clip")
        else:
            taller = ctx.buffers["taller"]
            yield partial(x.take, scratch[0], 1, taller, "clip")
            yield partial(taller.take, scratch[1], 2, ctx.y, "clip")

    def backward(self, ctx: Context, scratch: list[Array]) -> Iterator[Call]:
        """∂x = the sum of ∂y over the positions that read it."""
        starts = [np.searchsorted(reads, np.arange(reads[-1] + 1)) for reads in scratch]
        if len(starts) == 1:
            yield partial(np.add.reduceat, ctx.dy, starts[0], 1, None, ctx.dx[0])
        else:
            taller = ctx.buffers["taller"]
            yield partial(np.add.reduceat, ctx.dy, starts[1], 2, None, taller)
            yield partial(np.add.reduceat, taller, starts[0], 1, None, ctx.dx[0])
