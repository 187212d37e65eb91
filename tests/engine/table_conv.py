"""Rows for convolutions, transposed convolutions, upsampling and pooling, each by plain loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.engine.init import Normal
from ldl.engine.layer import Layer
from ldl.engine.layers import LAYERS
from ldl.engine.layers.windows import WindowAxis

from .table import Case, Given

WIDE = {"init": Normal(0.5), "bias_init": Normal(0.5)}


def as_images(x: Array) -> Array:
    """(N, L, C) as images of one row; images as they are."""
    return x[:, None] if x.ndim == 3 else x


def spread(x: Array, axes: tuple[WindowAxis, WindowAxis], border: float = 0.0) -> Array:
    """x with the axes' padding around it."""
    wide = np.full((len(x), axes[0].padded, axes[1].padded, x.shape[3]), border)
    wide[:, axes[0].inside, axes[1].inside] = x
    return wide


def window(wide: Array, axes: tuple[WindowAxis, WindowAxis], h: int, w: int) -> Array:
    """The window at (h, w): (N, K_h, K_w, C)."""
    rows = np.arange(axes[0].kernel) * axes[0].dilation + h * axes[0].stride
    columns = np.arange(axes[1].kernel) * axes[1].dilation + w * axes[1].stride
    return wide[:, rows][:, :, columns]


def convolution(layer: Any) -> Any:
    """y at each position: the window times the kernel, a group of channels after the other."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        axes = layer.axes(layer.image(x[0].shape[1:]))
        wide = spread(as_images(x[0]), axes)
        kernel = w["weight"].reshape(axes[0].kernel, axes[1].kernel, -1, layer.out_channels)
        y = np.zeros((len(wide), axes[0].out, axes[1].out, layer.out_channels))
        read, made = wide.shape[3] // layer.groups, layer.out_channels // layer.groups
        for h, v, g in product(range(axes[0].out), range(axes[1].out), range(layer.groups)):
            seen = window(wide, axes, h, v)[..., g * read : (g + 1) * read]
            out = slice(g * made, (g + 1) * made)
            y[:, h, v, out] = np.einsum("nijc,ijco->no", seen, kernel[..., out])
        return (y + w.get("bias", 0.0)).reshape(len(y), *layer_shape(layer, x))

    return formula


def layer_shape(layer: Layer, x: list[Array]) -> tuple[int, ...]:
    """The planned output shape."""
    from ldl.engine.layer import TensorSpec

    return layer.plan((TensorSpec(x[0].shape[1:]),)).y


def transposed(layer: Any) -> Any:
    """Every value of x times the kernel, added where the convolution would have read it."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        axes = rows, columns = layer.axes(x[0].shape[1:])
        images = x[0].reshape(len(x[0]), rows.out, columns.out, -1)
        kernel = w["weight"].reshape(rows.kernel, columns.kernel, layer.out_channels, -1)
        wide = np.zeros((len(images), rows.padded, columns.padded, layer.out_channels))
        for h, v in product(range(rows.out), range(columns.out)):
            share = np.einsum("nc,ijoc->nijo", images[:, h, v], kernel)
            top, left = h * rows.stride, v * columns.stride
            wide[:, top : top + rows.kernel, left : left + columns.kernel] += share
        y = wide[:, axes[0].inside, axes[1].inside] + w.get("bias", 0.0)
        return y.reshape(len(y), *layer_shape(layer, x))

    return formula


def pooling(layer: Any, largest: bool) -> Any:
    """The maximum or mean of the values of each window that count."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        image = layer.image(x[0].shape[1:])
        axes = rows, columns = layer.axes(image)
        wide = spread(as_images(x[0]), axes, -np.inf if largest else 0.0)
        # What ceil_mode adds beyond the padding does not count.
        ends = [2 * a.before + size for a, size in zip(axes, image, strict=False)]
        y = np.zeros((len(wide), rows.out, columns.out, image[2]))
        for h, v in product(range(rows.out), range(columns.out)):
            seen = wide[
                :,
                h * rows.stride : min(h * rows.stride + rows.kernel, ends[0]),
                v * columns.stride : min(v * columns.stride + columns.kernel, ends[1]),
            ]
            y[:, h, v] = seen.max(axis=(1, 2)) if largest else seen.mean(axis=(1, 2))
        return y.reshape(len(y), *layer_shape(layer, x))

    return formula


def upsampling(layer: Any) -> Any:
    """Each new position reads the old one that its share of the axis falls on."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        y = x[0]
        for axis, new in enumerate(layer.sizes(x[0].shape[1:]), start=1):
            old = y.shape[axis]
            y = np.concatenate(
                [y.take([position * old // new], axis) for position in range(new)], axis
            )
        return y

    return formula


CONVOLUTIONS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("conv1d", (5, 1), {"out_channels": 1, "kernel_size": 3}),
    ("conv1d", (9, 3), {"out_channels": 2, "kernel_size": 4, "stride": 3, "padding": 1}),
    ("conv1d", (7, 2), {"out_channels": 4, "kernel_size": 3, "padding": "same", "dilation": 2}),
    ("conv1d", (4, 4), {"out_channels": 6, "kernel_size": 1, "groups": 2, "bias": False}),
    ("conv2d", (4, 5, 1), {"out_channels": 2}),
    ("conv2d", (5, 5, 3), {"out_channels": 2, "kernel_size": 1}),
    ("conv2d", (5, 7, 2), {"out_channels": 3, "padding": 1}),
    ("conv2d", (6, 5, 2), {"out_channels": 3, "kernel_size": (2, 3), "stride": (3, 2)}),
    ("conv2d", (7, 7, 2), {"out_channels": 3, "kernel_size": 2, "stride": 3}),
    ("conv2d", (6, 6, 4), {"out_channels": 4, "groups": 4, "padding": (1, 2), "bias": False}),
    ("conv2d", (8, 7, 2), {"out_channels": 2, "dilation": (2, 1), "padding": "same"}),
    ("conv2d", (3, 3, 2), {"out_channels": 2, "kernel_size": 2, "padding": 3}),
]
TRANSPOSED: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("conv_transpose1d", (4, 2), {"out_channels": 3}),
    ("conv_transpose1d", (1, 1), {"out_channels": 1, "kernel_size": 2, "stride": 3}),
    ("conv_transpose1d", (4, 3), {"out_channels": 2, "stride": 2, "padding": 1, "size": 8}),
    ("conv_transpose2d", (3, 4, 2), {"out_channels": 3, "padding": 1}),
    ("conv_transpose2d", (2, 3, 1), {"out_channels": 1, "kernel_size": (4, 2), "stride": 2}),
    (
        "conv_transpose2d",
        (3, 3, 2),
        {"out_channels": 2, "stride": 3, "output_padding": (2, 1), "bias": False},
    ),
]
POOLS: list[tuple[str, tuple[int, ...], dict[str, Any]]] = [
    ("pool1d", (6, 1), {}),
    ("pool1d", (7, 3), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("pool1d", (5, 2), {"kernel_size": 2, "stride": 3, "ceil_mode": True}),
    ("pool2d", (4, 6, 2), {}),
    ("pool2d", (5, 5, 1), {"kernel_size": 1}),
    ("pool2d", (5, 7, 2), {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)}),
    ("pool2d", (7, 7, 3), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    ("pool2d", (6, 5, 2), {"kernel_size": 2, "stride": 1}),
]
UPSAMPLINGS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((3, 2), {}),
    ((3, 1), {"size": 8}),
    ((2, 3, 2), {"scale": 3}),
    ((2, 3, 1), {"size": (5, 4)}),
]


def conv_cases() -> list[Case]:
    """Every row of the family."""
    cases = []
    for makes, rows in ((convolution, CONVOLUTIONS), (transposed, TRANSPOSED)):
        for entry, shape, settings in rows:
            layer = LAYERS[entry](**{**settings, **WIDE})
            cases.append(Case(entry, layer, (Given(shape),), makes(layer)))
    for kind, (name, shape, settings) in product(("max", "avg"), POOLS):
        layer = LAYERS[kind + name](**settings)
        cases.append(Case(kind + name, layer, (Given(shape),), pooling(layer, kind == "max")))
    for shape, settings in UPSAMPLINGS:
        layer = LAYERS["upsample"](**settings)
        cases.append(Case("upsample", layer, (Given(shape),), upsampling(layer)))
    return cases
