"""Layers that make, begin and number sequences (N, L, C), as transformers want them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.init import Fans, Normal, Zeros
from ldl.engine.layer import Context, Layer, LayerPlan, ParameterSpec, TensorSpec
from ldl.engine.layers.shape_checks import one_input, words
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


def sequence(x: tuple[TensorSpec, ...]) -> Shape:
    """The shape (L, C) of a layer's single input."""
    shape = one_input(x)
    if len(shape) != 2:
        raise ShapeError(f"needs a sequence (L, C), got {words(shape)}")
    return shape


@dataclass(frozen=True, eq=False)
class Patches(Layer):
    """y = the P·P squares of a picture as rows,  x (N, H, W, C), y (N, H/P · W/P, P·P·C).

    Squares follow each other row by row, and so do the pixels of each. Source: Dosovitskiy et
    al., An Image is Worth 16×16 Words, 2021, section 3.1; a linear layer after it embeds them.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    size: Size

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """H and W are multiples of P."""
        shape, size = one_input(x), self.size
        if len(shape) != 3:
            raise ShapeError(f"patches need a picture (H, W, C), got {words(shape)}")
        height, width, channels = shape
        if height % size or width % size:
            raise ShapeError(f"a picture {words(shape)} does not divide into squares of {size}")
        return LayerPlan(y=((height // size) * (width // size), size * size * channels))

    def bind(self, node: Context) -> None:
        """All with the axes (N, H/P, W/P, P, P, C)."""
        samples, height, width, channels = node.x[0].shape
        rows, columns, size = height // self.size, width // self.size, self.size
        node.tmp["y"] = node.y.reshape(samples, rows, columns, size, size, channels)
        if node.dy is not None:
            node.tmp["dy"] = node.dy.reshape(node.tmp["y"].shape)
        for name, array in (("x", node.x[0]), ("dx", node.dx[0])):
            if array is not None:
                squares = array.reshape(samples, rows, size, columns, size, channels)
                node.tmp[name] = squares.swapaxes(2, 3)

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        np.copyto(node.tmp["y"], node.tmp["x"])

    def backward(self, node: Context) -> None:
        """∂x = ∂y, put back."""
        if node.dx[0] is not None:
            np.copyto(node.tmp["dx"], node.tmp["dy"])


@dataclass(frozen=True, eq=False)
class ClassToken(Layer):
    """y = [token, x₁, …, x_L],  x (N, L, C), token (C,), y (N, L + 1, C).

    The token is trained and not decayed. Source: Devlin et al., BERT, 2019; for pictures
    Dosovitskiy et al., 2021.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    init: Annotated[Any, Choice("initialiser")] = Zeros()

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One position more."""
        length, channels = sequence(x)
        token = ParameterSpec((channels,), self.init, Fans(1, channels), decay=False)
        return LayerPlan(y=(length + 1, channels), w={"token": token})

    def bind(self, node: Context) -> None:
        """The parts of y and ∂y that are the token's and x's."""
        node.tmp["first"], node.tmp["rest"] = node.y[:, 0], node.y[:, 1:]
        if node.dy is not None:
            node.tmp["d first"], node.tmp["d rest"] = node.dy[:, 0], node.dy[:, 1:]

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        np.copyto(node.tmp["first"], node.w["token"])
        np.copyto(node.tmp["rest"], node.x[0])

    def backward(self, node: Context) -> None:
        """∂token = Σ ∂y₀ over the samples,  ∂x = the rest of ∂y."""
        np.add.reduce(node.tmp["d first"], axis=0, out=node.dw["token"])
        if node.dx[0] is not None:
            np.copyto(node.dx[0], node.tmp["d rest"])


@dataclass(frozen=True, eq=False)
class PositionalEmbedding(Layer):
    """y = x + w,  x and y (N, L, C), w (L, C) trained, or fixed waves of the position.

    `sinusoidal`: w[l, 2i] = sin(l / 10000^(2i/C)) and w[l, 2i + 1] = cos of the same. Sources:
    Vaswani et al., Attention Is All You Need, 2017, section 3.5 (both kinds); trained ones start
    by `init` and are not decayed.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    kind: Literal["learned", "sinusoidal"] = "learned"
    init: Annotated[Any, Choice("initialiser")] = Normal(0.02)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape."""
        shape = sequence(x)
        fans = Fans(1, shape[1])
        learned = {"weight": ParameterSpec(shape, self.init, fans, decay=False)}
        return LayerPlan(y=shape, w=learned if self.kind == "learned" else {})

    def bind(self, node: Context) -> None:
        """A sample as one row, and the positions' row beside it."""
        tmp, samples = node.tmp, len(node.y)
        tmp["x"], tmp["y"] = node.x[0].reshape(samples, -1), node.y.reshape(samples, -1)
        if self.kind == "sinusoidal":
            length, channels = node.y.shape[1:]
            tmp["w"] = waves(length, channels).astype(node.y.dtype).reshape(-1)
            return
        tmp["w"] = node.w["weight"].reshape(-1)
        if node.dy is not None:
            tmp["dy"], tmp["dw"] = node.dy.reshape(samples, -1), node.dw["weight"].reshape(-1)
            tmp["ones"] = np.ones(samples, node.y.dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        np.add(node.tmp["x"], node.tmp["w"], node.tmp["y"])

    def backward(self, node: Context) -> None:
        """∂w = Σ ∂y over the samples,  ∂x = ∂y."""
        if node.dw:
            node.tmp["ones"].dot(node.tmp["dy"], node.tmp["dw"])
        if node.dx[0] is not None and node.dx[0] is not node.dy:
            np.copyto(node.dx[0], node.dy)


def waves(length: int, channels: int) -> Array:
    """(L, C) float64: sines in the even columns, cosines in the odd ones."""
    pair = np.arange(channels) // 2
    angle = np.arange(length)[:, None] / 10000.0 ** (2 * pair / channels)
    return np.where(np.arange(channels) % 2 == 0, np.sin(angle), np.cos(angle))
