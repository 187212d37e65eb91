"""Layers that lead back from small images to large ones, for decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from ldl.arrays import Shape
from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import Context, Layer, LayerPlan, ParameterSpec, ScratchSpec, TensorSpec
from ldl.engine.layers.im2col import Correlate, Scatter, correlation
from ldl.engine.layers.shape_checks import one_input, words
from ldl.engine.layers.windows import Axis, axis, pair
from ldl.errors import ShapeError
from ldl.fields import Choice, Count, Size


@dataclass(frozen=True, eq=False)
class _Transposed(Layer):
    """The transposed map of a convolution that leads from y to x; both see images (N, H, W, C)."""

    out_channels: Size
    kernel_size: Any = 3
    stride: Any = 1
    padding: Any = 0
    output_padding: Any = 0
    size: Any = None
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Glorot()
    bias_init: Annotated[Any, Choice("initialiser")] = Zeros()

    rank: ClassVar[int] = 2

    def axes(self, shape: Shape) -> tuple[Axis, Axis]:
        """The windows over y that correspond to the positions of x."""
        if len(shape) != self.rank + 1:
            raise ShapeError(f"takes {self.rank} axes and channels, got {words(shape)}")
        wanted = (None, None) if self.size is None else pair(self.size)
        plain = (self.kernel_size, self.stride, self.padding, self.output_padding)
        settings: list[Any] = list(zip(*map(pair, plain), wanted, strict=True))
        found = [
            _opened(size, *setting) for size, setting in zip(shape[:-1], settings, strict=False)
        ]
        return (axis(1, 1, 1, 0), found[0]) if self.rank == 1 else (found[0], found[1])

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Output (…, C_out); positions of x times K·C_in·C_out multiply-adds."""
        shape = one_input(x)
        rows, columns = self.axes(shape)
        window, channels = rows.kernel * columns.kernel, shape[-1]
        fans = Fans(window * channels, window * self.out_channels)
        kernel = (rows.kernel, columns.kernel)[2 - self.rank :]
        w = {"weight": ParameterSpec((*kernel, self.out_channels, channels), self.init, fans)}
        if self.bias:
            w["bias"] = ParameterSpec((self.out_channels,), self.bias_init, fans, decay=False)
        sizes = (rows.size, columns.size)[2 - self.rank :]
        products = rows.out * columns.out * window * channels * self.out_channels
        return LayerPlan(y=(*sizes, self.out_channels), w=w, multiply_adds=products)

    def bind(self, node: Context) -> None:
        """A convolution's parts, with y and x in each other's place."""
        tmp, samples = node.tmp, len(node.x[0])
        axes = rows, columns = self.axes(node.x[0].shape[1:])
        x = node.x[0].reshape(samples, rows.out, columns.out, -1)
        y = node.y.reshape(samples, rows.size, columns.size, -1)
        make = Correlate if Correlate.fits(axes, 1) else Scatter
        tmp["spread"] = make(y, x, axes, 0, 1)
        tmp["y"] = y.reshape(-1, self.out_channels)
        tmp["kernel"] = node.w["weight"].reshape(-1, x.shape[3])
        if node.dy is None:
            return
        dy = node.dy.reshape(y.shape)
        tmp["dy"] = dy.reshape(tmp["y"].shape)
        tmp["ones"] = np.ones(len(tmp["dy"]), dy.dtype)
        tmp["weights"] = correlation(dy, x, axes)
        tmp["dkernel"] = node.dw["weight"].reshape(tmp["kernel"].shape)
        if node.dx[0] is not None:
            tmp["inputs"] = correlation(dy, node.dx[0].reshape(x.shape), axes)

    def forward(self, node: Context) -> None:
        """Overwrite y: every value of x times the kernel, added where it falls."""
        tmp = node.tmp
        tmp["spread"].inputs(tmp["kernel"])
        if self.bias:
            np.add(tmp["y"], node.w["bias"], tmp["y"])

    def backward(self, node: Context) -> None:
        """∂w = Σ windows(∂y)ᵀ·x,  ∂b = Σ ∂y,  ∂x = windows(∂y) · w."""
        tmp = node.tmp
        tmp["weights"].weights(tmp["dkernel"])
        if self.bias:
            tmp["ones"].dot(tmp["dy"], node.dw["bias"])
        if node.dx[0] is not None:
            tmp["inputs"].products(tmp["kernel"])


def _opened(
    size: int, kernel: int, stride: int, padding: int, more: int, wanted: int | None
) -> Axis:
    """The axis of y for an axis of x of `size`. Raises ShapeError where `wanted` cannot be."""
    least = (size - 1) * stride - 2 * padding + kernel
    if wanted is not None:
        more = wanted - least
    if not 0 <= more < stride or least + more < 1:
        raise ShapeError(
            f"{size} values with kernel_size {kernel}, stride {stride} and padding {padding} lead "
            f"to {least} or more, below {least + stride}: not to {least + more}"
        )
    return axis(least + more, kernel, stride, padding)


@dataclass(frozen=True, eq=False)
class ConvTranspose2d(_Transposed):
    """y = Wᵀx + b, with W a conv2d from y to x;  x (N, H, W, C_in), y (N, H′, W′, C_out).

    w (K_h, K_w, C_out, C_in), b (C_out,). H′ = (H − 1)·stride − 2·padding + K + output_padding, or
    `size` where that is given. Source: Dumoulin and Visin, A guide to convolution arithmetic for
    deep learning, 2016, section 4; settings as PyTorch's.
    """

    kernel_size: Size | tuple[Size, Size] = 3
    stride: Size | tuple[Size, Size] = 1
    padding: Count | tuple[Count, Count] = 0
    output_padding: Count | tuple[Count, Count] = 0
    size: tuple[Size, Size] | None = None


@dataclass(frozen=True, eq=False)
class ConvTranspose1d(_Transposed):
    """y = Wᵀx + b, with W a conv1d from y to x;  x (N, L, C_in), y (N, L′, C_out).

    w (K, C_out, C_in), b (C_out,); otherwise as conv_transpose2d.
    """

    rank: ClassVar[int] = 1

    kernel_size: Size = 3
    stride: Size = 1
    padding: Count = 0
    output_padding: Count = 0
    size: Size | None = None


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
        """The enlarged axes; between the two axes of an image, one buffer."""
        shape = one_input(x)
        if len(shape) not in (2, 3):
            raise ShapeError(f"takes (length, channels) or an image, got {words(shape)}")
        sizes = self.sizes(shape)
        if any(new < old for new, old in zip(sizes, shape, strict=False)):
            raise ShapeError(f"cannot enlarge {words(shape)} to {words(sizes)}")
        tmp = {"half": ScratchSpec((sizes[0], *shape[1:]))} if len(sizes) == 2 else {}
        return LayerPlan(y=(*sizes, shape[-1]), tmp=tmp)

    def sizes(self, shape: Shape) -> Shape:
        """The new sizes of the axes."""
        if self.size is None:
            return tuple(self.scale * old for old in shape[:-1])
        return (self.size,) if isinstance(self.size, int) else tuple(self.size)

    def bind(self, node: Context) -> None:
        """Where each new position reads, and where each old one's readers begin."""
        old, new = node.x[0].shape[1:-1], node.y.shape[1:-1]
        node.tmp["reads"] = [np.arange(n) * o // n for o, n in zip(old, new, strict=True)]
        node.tmp["starts"] = [np.searchsorted(r, np.arange(r[-1] + 1)) for r in node.tmp["reads"]]

    def forward(self, node: Context) -> None:
        """Overwrite y, one axis after the other."""
        reads = node.tmp["reads"]
        if len(reads) == 1:
            node.x[0].take(reads[0], 1, node.y, "clip")
            return
        node.x[0].take(reads[0], 1, node.tmp["half"], "clip")
        node.tmp["half"].take(reads[1], 2, node.y, "clip")

    def backward(self, node: Context) -> None:
        """∂x = the sum of ∂y over the positions that read it."""
        starts = node.tmp["starts"]
        if len(starts) == 1:
            np.add.reduceat(node.dy, starts[0], 1, None, node.dx[0])
            return
        np.add.reduceat(node.dy, starts[1], 2, None, node.tmp["half"])
        np.add.reduceat(node.tmp["half"], starts[0], 1, None, node.dx[0])
