"""Transposed convolutions, which lead from small images to large ones in decoders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import Call, Context, Layer, LayerPlan, ParameterSpec, TensorSpec
from ldl.engine.layers.im2col import convolution, transposed_convolution
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.engine.layers.windows import Axes, WindowAxis, pair, window_axis
from ldl.errors import ShapeError
from ldl.fields import Choice, Count, Size


@dataclass(frozen=True, eq=False)
class _Transposed(Layer):
    """The base of transposed convolutions over one and two axes; both see images (N, H, W, C)."""

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

    def axes(self, shape: Shape) -> Axes:
        """The windows over y that correspond to the positions of x."""
        if len(shape) != self.rank + 1:
            raise ShapeError(f"takes {self.rank} axes and channels, got {format_shape(shape)}")
        sizes = (None, None) if self.size is None else pair(self.size)
        per_axis = (self.kernel_size, self.stride, self.padding, self.output_padding)
        settings: list[Any] = list(zip(*map(pair, per_axis), sizes, strict=True))
        axes = [
            _output_axis(size, *setting)
            for size, setting in zip(shape[:-1], settings, strict=False)
        ]
        return (window_axis(1, 1, 1, 0), axes[0]) if self.rank == 1 else (axes[0], axes[1])

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

    def _images(self, ctx: Context, x: Array, y: Array) -> tuple[Array, Array, Axes]:
        """x as (N, H, W, C_in), y as (N, H′, W′, C_out), or their gradients; and the windows."""
        rows, columns = axes = self.axes(ctx.x[0].shape[1:])
        inputs = (len(x), rows.out, columns.out, x.shape[-1])
        outputs = (len(y), rows.size, columns.size, self.out_channels)
        return x.reshape(inputs), y.reshape(outputs), axes

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y: every value of x times the kernel, added at its window."""
        x, y, axes = self._images(ctx, ctx.x[0], ctx.y)
        kernel, flat = ctx.w["weight"].reshape(-1, x.shape[3]), y.reshape(-1, self.out_channels)
        yield partial(transposed_convolution(y, x, axes).input_gradient, kernel)
        if self.bias:
            yield partial(np.add, flat, ctx.w["bias"], flat)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂w = Σ windows(∂y)ᵀ·x,  ∂b = Σ ∂y,  ∂x = windows(∂y) · w."""
        x, dy, axes = self._images(ctx, ctx.x[0], ctx.dy)
        dkernel = ctx.dw["weight"].reshape(-1, x.shape[3])
        yield partial(convolution(dy, x, axes).weight_gradient, dkernel)
        if self.bias:
            images = dy.reshape(len(dy), -1, self.out_channels)
            samples, positions = (np.ones(size, dy.dtype) for size in images.shape[:2])
            sums = np.empty((len(dy), self.out_channels), dy.dtype)  # long sums would round more
            yield partial(np.matmul, positions, images, sums)
            yield partial(samples.dot, sums, ctx.dw["bias"])
        if ctx.dx[0] is not None:
            kernel = ctx.w["weight"].reshape(-1, x.shape[3])
            yield partial(convolution(dy, ctx.dx[0].reshape(x.shape), axes).forward, kernel)


def _output_axis(
    size: int, kernel: int, stride: int, padding: int, output_padding: int, output_size: int | None
) -> WindowAxis:
    """The axis of y for an axis of x of `size`. Raises ShapeError if `output_size` cannot be."""
    min_size = (size - 1) * stride - 2 * padding + kernel
    if output_size is not None:
        output_padding = output_size - min_size
    if not 0 <= output_padding < stride or min_size + output_padding < 1:
        raise ShapeError(
            f"{size} values with kernel_size {kernel}, stride {stride} and padding {padding} lead "
            f"to {min_size} or more, below {min_size + stride}: not to {min_size + output_padding}"
        )
    return window_axis(min_size + output_padding, kernel, stride, padding)


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
