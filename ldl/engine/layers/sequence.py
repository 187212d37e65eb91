"""Layers for sequences (N, L, C), as transformers need them: patches, class token, positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.init import Fans, Normal, Zeros
from ldl.engine.layer import Call, Context, Layer, LayerPlan, ParameterSpec, TensorSpec
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


def sequence_shape(x: tuple[TensorSpec, ...]) -> Shape:
    """The shape (L, C) of a layer's single input. Raises ShapeError."""
    shape = one_input(x)
    if len(shape) != 2:
        raise ShapeError(f"needs a sequence (L, C), got {format_shape(shape)}")
    return shape


@dataclass(frozen=True, eq=False)
class Patches(Layer):
    """y = the P·P squares of an image as rows,  x (N, H, W, C), y (N, H/P · W/P, P·P·C).

    Squares are in row-major order, and so are the pixels of each. Source: Dosovitskiy et al., An
    Image is Worth 16×16 Words, 2021, section 3.1; a linear layer after it embeds them.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    size: Size

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """H and W are multiples of P."""
        shape, size = one_input(x), self.size
        if len(shape) != 3:
            raise ShapeError(f"patches need an image (H, W, C), got {format_shape(shape)}")
        height, width, channels = shape
        if height % size or width % size:
            raise ShapeError(
                f"an image {format_shape(shape)} does not divide into squares of {size}"
            )
        return LayerPlan(y=((height // size) * (width // size), size * size * channels))

    def _squares(self, image: Array) -> Array:
        """x or ∂x as a view (N, H/P, W/P, P, P, C)."""
        samples, height, width, channels = image.shape
        size = self.size
        rows = image.reshape(samples, height // size, size, width // size, size, channels)
        return rows.swapaxes(2, 3)

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        squares = self._squares(ctx.x[0])
        yield partial(np.copyto, ctx.y.reshape(squares.shape), squares)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂x = ∂y, in the layout of the image."""
        if ctx.dx[0] is not None:
            squares = self._squares(ctx.dx[0])
            yield partial(np.copyto, squares, ctx.dy.reshape(squares.shape))


@dataclass(frozen=True, eq=False)
class ClassToken(Layer):
    """y = [token, x₁, …, x_L],  x (N, L, C), token (C,), y (N, L + 1, C).

    The token is trained, without weight decay. Source: Devlin et al., BERT, 2019; for images
    Dosovitskiy et al., 2021.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    init: Annotated[Any, Choice("initialiser")] = Zeros()

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One position more."""
        length, channels = sequence_shape(x)
        token = ParameterSpec((channels,), self.init, Fans(1, channels), decay=False)
        return LayerPlan(y=(length + 1, channels), w={"token": token})

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y."""
        yield partial(np.copyto, ctx.y[:, 0], ctx.w["token"])
        yield partial(np.copyto, ctx.y[:, 1:], ctx.x[0])

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂token = Σ ∂y₀ over the samples,  ∂x = the rest of ∂y."""
        yield partial(np.add.reduce, ctx.dy[:, 0], axis=0, out=ctx.dw["token"])
        if ctx.dx[0] is not None:
            yield partial(np.copyto, ctx.dx[0], ctx.dy[:, 1:])


@dataclass(frozen=True, eq=False)
class PositionalEmbedding(Layer):
    """y = x + w,  x and y (N, L, C), w (L, C) trained, or fixed waves of the position.

    `sinusoidal`: w[l, 2i] = sin(l / 10000^(2i/C)) and w[l, 2i + 1] = cos of the same. Trained ones
    start by `init`, without weight decay. Source: Vaswani et al., Attention Is All You Need, 2017,
    section 3.5 (both kinds).
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    kind: Literal["learned", "sinusoidal"] = "learned"
    init: Annotated[Any, Choice("initialiser")] = Normal(0.02)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape."""
        shape = sequence_shape(x)
        learned = {"weight": ParameterSpec(shape, self.init, Fans(1, shape[1]), decay=False)}
        return LayerPlan(y=shape, w=learned if self.kind == "learned" else {})

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y, a sample as one row."""
        samples, length, channels = ctx.y.shape
        if self.kind == "sinusoidal":
            w = sinusoids(length, channels).astype(ctx.y.dtype).reshape(-1)
        else:
            w = ctx.w["weight"].reshape(-1)
        yield partial(np.add, ctx.x[0].reshape(samples, -1), w, ctx.y.reshape(samples, -1))

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂w = Σ ∂y over the samples,  ∂x = ∂y."""
        if ctx.dw:
            ones, dy = np.ones(len(ctx.dy), ctx.dy.dtype), ctx.dy.reshape(len(ctx.dy), -1)
            yield partial(ones.dot, dy, ctx.dw["weight"].reshape(-1))
        if ctx.dx[0] is not None and ctx.dx[0] is not ctx.dy:
            yield partial(np.copyto, ctx.dx[0], ctx.dy)


def sinusoids(length: int, channels: int) -> Array:
    """(L, C) float64: sines in the even columns, cosines in the odd ones."""
    pair = np.arange(channels) // 2
    angle = np.arange(length)[:, None] / 10000.0 ** (2 * pair / channels)
    return np.where(np.arange(channels) % 2 == 0, np.sin(angle), np.cos(angle))
