"""Rows for convolutions, transposed convolutions, pooling and upsampling; formulas are loops."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.engine.init import Normal
from ldl.engine.layer import Layer
from ldl.engine.layers import LAYERS
from ldl.engine.layers.windows import WindowAxis

from .table import Case, Input

INITS = {"init": Normal(0.5), "bias_init": Normal(0.5)}


def as_images(x: Array) -> Array:
    """(N, L, C) as images of one row; images unchanged."""
    return x[:, None] if x.ndim == 3 else x


def pad(x: Array, axes: tuple[WindowAxis, WindowAxis], border: float = 0.0) -> Array:
    """x with the axes' padding around it."""
    padded = np.full((len(x), axes[0].padded, axes[1].padded, x.shape[3]), border)
    padded[:, axes[0].inside, axes[1].inside] = x
    return padded


def window(padded: Array, axes: tuple[WindowAxis, WindowAxis], h: int, w: int) -> Array:
    """The window at (h, w): (N, K_h, K_w, C)."""
    rows = np.arange(axes[0].kernel) * axes[0].dilation + h * axes[0].stride
    columns = np.arange(axes[1].kernel) * axes[1].dilation + w * axes[1].stride
    return padded[:, rows][:, :, columns]


def convolution(layer: Any) -> Any:
    """y at each position is window times kernel, for each group of channels."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        axes = layer.axes(layer.image(x[0].shape[1:]))
        padded = pad(as_images(x[0]), axes)
        kernel = w["weight"].reshape(axes[0].kernel, axes[1].kernel, -1, layer.out_channels)
        y = np.zeros((len(padded), axes[0].out, axes[1].out, layer.out_channels))
        in_channels, filters = padded.shape[3] // layer.groups, layer.out_channels // layer.groups
        for h, v, g in product(range(axes[0].out), range(axes[1].out), range(layer.groups)):
            values = window(padded, axes, h, v)[..., g * in_channels : (g + 1) * in_channels]
            out = slice(g * filters, (g + 1) * filters)
            y[:, h, v, out] = np.einsum("nijc,ijco->no", values, kernel[..., out])
        return (y + w.get("bias", 0.0)).reshape(len(y), *layer_shape(layer, x))

    return formula


def layer_shape(layer: Layer, x: list[Array]) -> tuple[int, ...]:
    """The planned output shape."""
    from ldl.engine.layer import TensorSpec

    return layer.plan((TensorSpec(x[0].shape[1:]),)).y


def transposed(layer: Any) -> Any:
    """Each value of x times the kernel, added to the window that a convolution would read."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        axes = rows, columns = layer.axes(x[0].shape[1:])
        images = x[0].reshape(len(x[0]), rows.out, columns.out, -1)
        kernel = w["weight"].reshape(rows.kernel, columns.kernel, layer.out_channels, -1)
        padded = np.zeros((len(images), rows.padded, columns.padded, layer.out_channels))
        for h, v in product(range(rows.out), range(columns.out)):
            contribution = np.einsum("nc,ijoc->nijo", images[:, h, v], kernel)
            top, left = h * rows.stride, v * columns.stride
            padded[:, top : top + rows.kernel, left : left + columns.kernel] += contribution
        y = padded[:, axes[0].inside, axes[1].inside] + w.get("bias", 0.0)
        return y.reshape(len(y), *layer_shape(layer, x))

    return formula


def pooling(layer: Any, maximum: bool) -> Any:
    """The maximum or mean of each window; ceil_mode adds no values."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        image = layer.image(x[0].shape[1:])
        axes = rows, columns = layer.axes(image)
        padded = pad(as_images(x[0]), axes, -np.inf if maximum else 0.0)
        # Values that ceil_mode adds beyond the padding are left out.
        ends = [2 * a.before + size for a, size in zip(axes, image, strict=False)]
        y = np.zeros((len(padded), rows.out, columns.out, image[2]))
        for h, v in product(range(rows.out), range(columns.out)):
            values = padded[
                :,
                h * rows.stride : min(h * rows.stride + rows.kernel, ends[0]),
                v * columns.stride : min(v * columns.stride + columns.kernel, ends[1]),
            ]
            y[:, h, v] = values.max(axis=(1, 2)) if maximum else values.mean(axis=(1, 2))
        return y.reshape(len(y), *layer_shape(layer, x))

    return formula


def upsampling(layer: Any) -> Any:
    """New position p of n reads old position ⌊p · m / n⌋ of m."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        y = x[0]
        for axis, new_size in enumerate(layer.sizes(x[0].shape[1:]), start=1):
            old_size = y.shape[axis]
            y = np.concatenate(
                [y.take([position * old_size // new_size], axis) for position in range(new_size)],
                axis,
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
    """All rows of this file."""
    cases = []
    for make_formula, rows in ((convolution, CONVOLUTIONS), (transposed, TRANSPOSED)):
        for entry, shape, settings in rows:
            layer = LAYERS[entry](**{**settings, **INITS})
            cases.append(Case(entry, layer, (Input(shape),), make_formula(layer)))
    for reduction, (name, shape, settings) in product(("max", "avg"), POOLS):
        layer = LAYERS[reduction + name](**settings)
        cases.append(
            Case(reduction + name, layer, (Input(shape),), pooling(layer, reduction == "max"))
        )
    for shape, settings in UPSAMPLINGS:
        layer = LAYERS["upsample"](**settings)
        cases.append(Case("upsample", layer, (Input(shape),), upsampling(layer)))
    return cases
