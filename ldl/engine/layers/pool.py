"""Pooling over one or two axes: the same value of every window at once, one slice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np

from ldl.engine.layer import Buffer, Layer, Node, Plan, Spec
from ldl.engine.layers.deconv import Upsample
from ldl.engine.layers.shapes import one_input, words
from ldl.engine.layers.windows import Axis, axis, pair
from ldl.engine.memory import Array, Shape, scalar
from ldl.errors import SettingError, ShapeError
from ldl.fields import Count, Size


@dataclass(frozen=True, eq=False)
class _Pool(Layer):
    """What pooling layers share; all see images (N, H, W, C)."""

    kernel_size: Any = 2
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False

    border: ClassVar[float] = 0.0  # what stands in the padding
    rank: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Refuse padding of more than half a window, as PyTorch does."""
        for size, padding in zip(pair(self.kernel_size), pair(self.padding), strict=True):
            if int(padding) > int(size) // 2:
                raise SettingError("padding", f"is at most half of the window of {size}")

    def axes(self, shape: Shape) -> tuple[Axis, Axis]:
        """The windows over rows and columns; a line is an image of one row."""
        stride = self.kernel_size if self.stride is None else self.stride
        settings = [pair(each) for each in (self.kernel_size, stride, self.padding)]
        found = [
            axis(size, int(kernel), int(step), pad, ceil=self.ceil_mode)
            for size, (kernel, step, pad) in zip(
                shape[-3:-1], list(zip(*settings, strict=True))[-self.rank :], strict=False
            )
        ]
        return (axis(1, 1, 1, 0), found[0]) if self.rank == 1 else (found[0], found[1])

    def image(self, shape: Shape) -> Shape:
        """The input as (height, width, channels). Raises ShapeError."""
        if len(shape) != self.rank + 1:
            wanted = "(length, channels)" if self.rank == 1 else "(height, width, channels)"
            raise ShapeError(f"takes {wanted}, got {words(shape)}")
        return (1, *shape) if self.rank == 1 else shape

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """A value for each window and channel."""
        image = self.image(one_input(x))
        axes = self._axes(image)
        outs = (axes[0].out, axes[1].out)[2 - self.rank :]
        tmp = {"padded": Buffer((axes[0].padded, axes[1].padded, image[2]))} if _pads(axes) else {}
        y = Buffer((axes[0].out, axes[1].out, image[2]), "backward")
        return Plan(y=(*outs, image[2]), tmp={**tmp, "rest": y, "part": y})

    def _axes(self, image: Shape) -> tuple[Axis, Axis]:
        return self.axes(image[1:] if self.rank == 1 else image)

    def windows(self, x: Spec) -> tuple[Axis, ...]:
        """An axis of windows for each axis of the input."""
        return self._axes(self.image(x.shape))[2 - self.rank :]

    def mirror(self, x: Spec) -> Layer:
        """Values repeated, to the sizes of `x`."""
        return Upsample(size=x.shape[0] if self.rank == 1 else (x.shape[0], x.shape[1]))

    def bind(self, node: Node) -> None:
        """For each position in the windows, its value in all of them, in x and in ∂x."""
        tmp, samples = node.tmp, len(node.x[0])
        image = self.image(node.x[0].shape[1:])
        axes = rows, columns = self._axes(image)
        x = node.x[0].reshape(samples, *image)
        tmp["y"] = node.y.reshape(samples, rows.out, columns.out, image[2])
        positions = list(product(range(rows.kernel), range(columns.kernel)))
        padded = tmp.get("padded")
        tmp["copy"] = None if padded is None else (padded[:, rows.inside, columns.inside], x)
        source = x if padded is None else padded
        tmp["slices"] = [source[:, rows.at(i), columns.at(j)] for i, j in positions]
        if node.dy is None or node.dx[0] is None:
            return
        tmp["dy"] = node.dy.reshape(tmp["y"].shape)
        dx = node.dx[0].reshape(x.shape)
        # The padding holds x until backward has read it, and then ∂x.
        wide = dx if padded is None else np.zeros_like(padded)
        tmp["wide"] = wide
        tmp["dslices"] = [wide[:, rows.at(i), columns.at(j)] for i, j in positions]
        tmp["dcopy"] = None if padded is None else (dx, wide[:, rows.inside, columns.inside])
        tmp["apart"] = all(a.stride >= a.reach for a in axes)
        tmp["whole"] = all(a.stride == a.reach and a.padded == a.out * a.stride for a in axes)

    def _spread(self, node: Node) -> None:
        """Padding around x, where there is any."""
        if node.tmp["copy"] is not None:
            node.tmp["padded"].fill(self.border)
            np.copyto(*node.tmp["copy"])

    def _collect(self, node: Node) -> None:
        """∂x without its padding."""
        if node.tmp["dcopy"] is not None:
            np.copyto(*node.tmp["dcopy"])


def _pads(axes: tuple[Axis, Axis]) -> bool:
    return any(a.padded > a.size for a in axes)


@dataclass(frozen=True, eq=False)
class MaxPool2d(_Pool):
    """y = max over each window of K_h × K_w,  x (N, H, W, C), y (N, H′, W′, C).

    `stride` is the window's size where it is left out. Of equal values the first, row by row,
    takes the gradient, as in PyTorch.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x", "y"})
    border: ClassVar[float] = -np.inf

    kernel_size: Size | tuple[Size, Size] = 2
    stride: Size | tuple[Size, Size] | None = None
    padding: Count | tuple[Count, Count] = 0

    def forward(self, node: Node) -> None:
        """Overwrite y: the maximum of the windows' values, one position after the other."""
        self._spread(node)
        y, (first, *others) = node.tmp["y"], node.tmp["slices"]
        if not others:
            np.copyto(y, first)
            return
        np.maximum(first, others[0], out=y)
        for other in others[1:]:
            np.maximum(y, other, out=y)

    def backward(self, node: Node) -> None:
        """∂x = ∂y where x is the window's maximum and no earlier position was."""
        tmp = node.tmp
        y, rest, part = tmp["y"], tmp["rest"], tmp["part"]
        np.copyto(rest, tmp["dy"])
        if not tmp["whole"]:
            tmp["wide"].fill(0.0)
        for x, dx in zip(tmp["slices"], tmp["dslices"], strict=True):
            np.equal(x, y, part)
            np.multiply(part, rest, part)
            np.subtract(rest, part, rest)
            if tmp["apart"]:
                np.copyto(dx, part)
            else:
                np.add(dx, part, dx)
        self._collect(node)


@dataclass(frozen=True, eq=False)
class AvgPool2d(_Pool):
    """y = mean over each window of K_h × K_w,  x (N, H, W, C), y (N, H′, W′, C).

    Padding counts as zeros; what ceil_mode adds beyond it does not count, as in PyTorch.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()

    kernel_size: Size | tuple[Size, Size] = 2
    stride: Size | tuple[Size, Size] | None = None
    padding: Count | tuple[Count, Count] = 0

    def bind(self, node: Node) -> None:
        """As for every pooling, with one over the number of values in each window."""
        super().bind(node)
        image = self.image(node.x[0].shape[1:])
        counts = [self._counts(a, image[i]) for i, a in enumerate(self._axes(image))]
        inverse = 1.0 / np.multiply.outer(*counts)
        uniform = bool((inverse == inverse.flat[0]).all())
        node.tmp["inverse"] = scalar(inverse.flat[0], node.y.dtype)
        if not uniform:
            node.tmp["inverse"] = inverse[:, :, None].astype(node.y.dtype)

    @staticmethod
    def _counts(windows: Axis, size: int) -> Array:
        """How many values each window has; those beyond the padding itself are not counted."""
        start = np.arange(windows.out) * windows.stride
        end = np.minimum(start + windows.reach, 2 * windows.before + size)
        return end - start

    def forward(self, node: Node) -> None:
        """Overwrite y: the sum of the windows' values, one position after the other."""
        self._spread(node)
        y, (first, *others) = node.tmp["y"], node.tmp["slices"]
        np.copyto(y, first)
        for other in others:
            np.add(y, other, y)
        np.multiply(y, node.tmp["inverse"], y)

    def backward(self, node: Node) -> None:
        """∂x = the sum of ∂y / K over the windows that x is in."""
        tmp = node.tmp
        np.multiply(tmp["dy"], tmp["inverse"], tmp["part"])
        if not tmp["whole"]:
            tmp["wide"].fill(0.0)
        for dx in tmp["dslices"]:
            if tmp["apart"]:
                np.copyto(dx, tmp["part"])
            else:
                np.add(dx, tmp["part"], dx)
        self._collect(node)


@dataclass(frozen=True, eq=False)
class MaxPool1d(MaxPool2d):
    """y = max over each window of K,  x (N, L, C), y (N, L′, C); otherwise as maxpool2d."""

    rank: ClassVar[int] = 1

    kernel_size: Size = 2
    stride: Size | None = None
    padding: Count = 0


@dataclass(frozen=True, eq=False)
class AvgPool1d(AvgPool2d):
    """y = mean over each window of K,  x (N, L, C), y (N, L′, C); otherwise as avgpool2d."""

    rank: ClassVar[int] = 1

    kernel_size: Size = 2
    stride: Size | None = None
    padding: Count = 0
