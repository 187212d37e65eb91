"""Convolutions: windows times a matrix, a few images at a time so that copies stay in cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import (
    Call,
    Context,
    Layer,
    LayerPlan,
    ParameterSpec,
    TensorSpec,
    Window,
)
from ldl.engine.layers.conv_transpose import ConvTranspose1d, ConvTranspose2d
from ldl.engine.layers.im2col import convolution, transposed_convolution
from ldl.engine.layers.shape_checks import format_shape, one_input
from ldl.engine.layers.windows import Axes, pair, window_axis
from ldl.errors import SettingError, ShapeError
from ldl.fields import Choice, Count, Size


@dataclass(frozen=True, eq=False)
class _Convolution(Layer):
    """The base of convolutions over one and two axes; both see images (N, H, W, C)."""

    out_channels: Size
    kernel_size: Any = 3
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: Size = 1
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Glorot()
    bias_init: Annotated[Any, Choice("initialiser")] = Zeros()

    def __post_init__(self) -> None:
        """Refuse groups that do not divide the channels."""
        if self.out_channels % self.groups:
            raise SettingError(
                "groups", f"{self.groups} do not divide {self.out_channels} channels"
            )

    def image(self, shape: Shape) -> Shape:
        """The input as (height, width, channels). Raises ShapeError."""
        raise NotImplementedError

    def axes(self, shape: Shape) -> Axes:
        """The windows over height and width."""
        raise NotImplementedError

    def kernel(self, axes: Axes, channels: int) -> Shape:
        """The weight's shape."""
        raise NotImplementedError

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Output (…, C_out), a value for each window; windows·K·C_in·C_out multiply-adds."""
        shape = one_input(x)
        height, width, channels = self.image(shape)
        if channels % self.groups:
            raise ShapeError(f"{self.groups} groups do not divide {channels} channels")
        axes = self.axes((height, width, channels))
        rows, columns = axes
        window = rows.kernel * columns.kernel
        fans = Fans(window * channels // self.groups, window * self.out_channels // self.groups)
        w = {"weight": ParameterSpec(self.kernel(axes, channels // self.groups), self.init, fans)}
        if self.bias:
            w["bias"] = ParameterSpec((self.out_channels,), self.bias_init, fans, decay=False)
        sizes = (rows.out, columns.out)[3 - len(shape) :]
        return LayerPlan(
            y=(*sizes, self.out_channels),
            w=w,
            multiply_adds=rows.out * columns.out * fans.fan_in * self.out_channels,
        )

    def windows(self, x: TensorSpec) -> tuple[Window, ...]:
        """An axis of windows for each axis of the input."""
        return self.axes(self.image(x.shape))[3 - len(x.shape) :]

    def transposed(self, shape: Shape) -> Axes:
        """The windows that a transposed convolution back to `shape` has. Raises ShapeError."""
        axes = self.axes(self.image(shape))
        if self.groups > 1 or any(a.dilation > 1 or a.before != a.after for a in axes):
            raise ShapeError("has no mirror image with groups, dilation or uneven padding")
        return axes

    def _images(self, ctx: Context, x: Array, y: Array) -> tuple[Array, Array, Axes]:
        """x as (N, H, W, C_in), y as (N, H′, W′, C_out), or their gradients; and the windows."""
        shape = self.image(ctx.x[0].shape[1:])
        rows, columns = axes = self.axes(shape)
        outputs = (len(y), rows.out, columns.out, self.out_channels)
        return x.reshape(len(x), *shape), y.reshape(outputs), axes

    def _by_group(self, w: dict[str, Array]) -> list[tuple[Array, Array | None]]:
        """The kernel as a matrix (K·C_in, C_out) and the bias, of each group of outputs."""
        matrix = w["weight"].reshape(-1, self.out_channels)
        kernels = np.split(matrix, self.groups, axis=1)
        if not self.bias:
            return [(kernel, None) for kernel in kernels]
        return list(zip(kernels, np.split(w["bias"], self.groups), strict=True))

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """Overwrite y, a few images at a time: windows · kernel + b."""
        x, y, axes = self._images(ctx, ctx.x[0], ctx.y)
        for group, (kernel, bias) in enumerate(self._by_group(ctx.w)):
            yield partial(convolution(x, y, axes, group, self.groups).forward, kernel, bias)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        """∂w = Σ windowsᵀ·∂y,  ∂b = Σ ∂y,  ∂x by the transposed products."""
        x, dy, axes = self._images(ctx, ctx.x[0], ctx.dy)
        for group, (dkernel, dbias) in enumerate(self._by_group(ctx.dw)):
            method = convolution(x, dy, axes, group, self.groups)
            yield partial(method.weight_gradient, dkernel, dbias)
        if ctx.dx[0] is not None:
            dx = ctx.dx[0].reshape(x.shape)
            for group, (kernel, _) in enumerate(self._by_group(ctx.w)):
                transposed = transposed_convolution(dx, dy, axes, group, self.groups)
                yield partial(transposed.input_gradient, kernel)


@dataclass(frozen=True, eq=False)
class Conv1d(_Convolution):
    """y_t = Σ_k x_{t·stride + k·dilation − padding} · w_k + b,  x (N, L, C_in), y (N, L′, C_out).

    w (K, C_in/groups, C_out), b (C_out,). `padding: same` gives L′ = ⌈L/stride⌉. Source:
    Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016; as in PyTorch
    it is a correlation: the kernel is not flipped.
    """

    kernel_size: Size = 3
    stride: Size = 1
    padding: Count | Literal["same"] = 0
    dilation: Size = 1

    def mirror(self, x: TensorSpec) -> Layer:
        """A transposed convolution to the length and channels of `x`."""
        columns = self.transposed(x.shape)[1]
        return ConvTranspose1d(
            x.shape[1], self.kernel_size, self.stride, columns.before, 0, x.shape[0],
            self.bias, self.init, self.bias_init,
        )  # fmt: skip

    def image(self, shape: Shape) -> Shape:
        """An image of height 1."""
        if len(shape) != 2:
            raise ShapeError(
                f"takes (length, channels), got {format_shape(shape)}: reshape before it"
            )
        return 1, *shape

    def axes(self, shape: Shape) -> Axes:
        """A window of height 1, and those along the sequence."""
        columns = window_axis(shape[1], self.kernel_size, self.stride, self.padding, self.dilation)
        return window_axis(1, 1, 1, 0), columns

    def kernel(self, axes: Axes, channels: int) -> Shape:
        """(K, C_in/groups, C_out)."""
        return axes[1].kernel, channels, self.out_channels


@dataclass(frozen=True, eq=False)
class Conv2d(_Convolution):
    """y_hw = Σ_ij x_{h·stride + i·dilation − padding, …} · w_ij + b,  x (N, H, W, C_in).

    y (N, H′, W′, C_out), w (K_h, K_w, C_in/groups, C_out), b (C_out,). Settings of two axes are
    one number or [height, width]. Source: as conv1d; a correlation, as in PyTorch.
    """

    kernel_size: Size | tuple[Size, Size] = 3
    stride: Size | tuple[Size, Size] = 1
    padding: Count | tuple[Count, Count] | Literal["same"] = 0
    dilation: Size | tuple[Size, Size] = 1

    def mirror(self, x: TensorSpec) -> Layer:
        """A transposed convolution to the height, width and channels of `x`."""
        rows, columns = self.transposed(x.shape)
        return ConvTranspose2d(
            x.shape[2], self.kernel_size, self.stride, (rows.before, columns.before), 0,
            (x.shape[0], x.shape[1]), self.bias, self.init, self.bias_init,
        )  # fmt: skip

    def image(self, shape: Shape) -> Shape:
        """The input unchanged."""
        if len(shape) != 3:
            hint = "`data.shape: image` keeps images whole, and reshape makes them"
            raise ShapeError(f"takes (height, width, channels), got {format_shape(shape)}: {hint}")
        return shape

    def axes(self, shape: Shape) -> Axes:
        """The windows over height and width."""
        settings = (self.kernel_size, self.stride, self.padding, self.dilation)
        rows, columns = zip(*map(pair, settings), strict=True)
        return window_axis(shape[0], *rows), window_axis(shape[1], *columns)

    def kernel(self, axes: Axes, channels: int) -> Shape:
        """(K_h, K_w, C_in/groups, C_out)."""
        return axes[0].kernel, axes[1].kernel, channels, self.out_channels
