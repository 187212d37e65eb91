"""Operators with windows that slide over one or two axes: convolution, pooling, resizing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldl.arrays import Array

from .operation import Op, Operator, Unsupported, channels_last, channels_second


def axes_of(op: Op) -> int:
    """The number of axes over which windows slide. Raises Unsupported for more than two."""
    axes = op.first.ndim - 2
    if axes not in (1, 2):
        raise Unsupported("windows over three axes")
    return axes


def scalar_or_tuple(numbers: Sequence[int]) -> int | tuple[int, ...]:
    """A number for one axis, a tuple for two."""
    return int(numbers[0]) if len(numbers) == 1 else tuple(map(int, numbers))


def paddings(op: Op, kernel: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """The padding before and after each axis, from `pads` or by `auto_pad`."""
    auto_pad, axes = op.get("auto_pad", b"NOTSET"), len(kernel)
    if auto_pad in (b"NOTSET", b"VALID"):
        pads = op.get("pads", [0] * 2 * axes)
        return list(zip(pads[:axes], pads[axes:], strict=True))
    pairs = []
    dilations = op.get("dilations", [1] * axes)
    sizes = op.first.shape[2:]
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size, 0)
        smaller, larger = total // 2, total - total // 2
        pairs.append((smaller, larger) if auto_pad == b"SAME_UPPER" else (larger, smaller))
    return pairs


def symmetric_padding(pairs: Sequence[tuple[int, int]]) -> int | tuple[int, ...]:
    """The padding of each axis. Raises Unsupported unless equal before and after."""
    if any(before != after for before, after in pairs):
        raise Unsupported("more padding on one side")
    return scalar_or_tuple([before for before, _ in pairs])


def kernel_last(w: Array) -> Array:
    """(A, B, K…) as (K…, B, A), for convolutions and transposed ones."""
    return w.transpose(*range(2, w.ndim), 1, 0)


def conv_weights(w: Array, b: Array | None) -> dict[str, Array]:
    """The weights of a convolution by the engine's names."""
    weights = {"weight": kernel_last(w)}
    return weights if b is None else {**weights, "bias": b}


def conv(op: Op) -> tuple[Array, ...]:
    """Conv."""
    axes, (x, w), b = axes_of(op), op.x[:2], op.input(2)
    assert x is not None and w is not None
    kernel, strides = w.shape[2:], op.get("strides", [1] * axes)
    same = op.get("auto_pad", b"NOTSET") == b"SAME_UPPER"
    y = op.layer(
        f"conv{axes}d", channels_last(x), w=conv_weights(w, b), out_channels=len(w),
        kernel_size=scalar_or_tuple(kernel), stride=scalar_or_tuple(strides),
        padding="same" if same else symmetric_padding(paddings(op, kernel, strides)),
        dilation=scalar_or_tuple(op.get("dilations", [1] * axes)), groups=op.get("group", 1),
        bias=b is not None,
    )  # fmt: skip
    return (channels_second(y),)


def conv_transpose(op: Op) -> tuple[Array, ...]:
    """ConvTranspose; as in PyTorch the end may lose up to a stride less than the start."""
    axes, (x, w), b = axes_of(op), op.x[:2], op.input(2)
    assert x is not None and w is not None
    if op.get("group", 1) > 1:
        raise Unsupported("groups of a transposed convolution")
    if any(d > 1 for d in op.get("dilations", [])):
        raise Unsupported("dilation of a transposed convolution")
    kernel, strides = w.shape[2:], op.get("strides", [1] * axes)
    padding, sizes = [], []
    for i, (size, k, stride) in enumerate(zip(x.shape[2:], kernel, strides, strict=True)):
        full = (size - 1) * stride + k + op.get("output_padding", [0] * axes)[i]
        before, output_size = crop(op, i, axes, full, size * stride)
        if not 0 <= output_size - ((size - 1) * stride + k - 2 * before) < stride:
            raise Unsupported("more padding on one side")
        padding.append(before)
        sizes.append(output_size)
    y = op.layer(
        f"conv_transpose{axes}d", channels_last(x), w=conv_weights(w, b), out_channels=w.shape[1],
        kernel_size=scalar_or_tuple(kernel), stride=scalar_or_tuple(strides),
        padding=scalar_or_tuple(padding), size=scalar_or_tuple(sizes), bias=b is not None,
    )  # fmt: skip
    return (channels_second(y),)


def crop(op: Op, i: int, axes: int, full: int, same: int) -> tuple[int, int]:
    """The values that axis `i` of a transposed convolution loses at its start, and its size.

    It has `full` values before that, and `same` with automatic padding.
    """
    auto_pad = op.get("auto_pad", b"NOTSET")
    if "output_shape" not in op.settings and auto_pad == b"NOTSET":
        pads = op.get("pads", [0] * 2 * axes)
        return pads[i], full - pads[i] - pads[i + axes]
    output_size = op.get("output_shape", [same] * axes)[-axes:][i]
    total = max(full - output_size, 0)
    return (total // 2 if auto_pad == b"SAME_UPPER" else total - total // 2), output_size


def pool(op: Op, entry: str) -> tuple[Array | None, ...]:
    """MaxPool and AveragePool, without the indices of maxima."""
    axes = axes_of(op)
    if any(d > 1 for d in op.get("dilations", [])):
        raise Unsupported("dilation of a pooling")
    kernel, strides = op.get("kernel_shape", None), op.get("strides", [1] * axes)
    pads = paddings(op, kernel, strides)
    if any(before > k // 2 for (before, _), k in zip(pads, kernel, strict=True)):
        raise Unsupported("padding of more than half a window")
    if entry == "avgpool" and any(map(any, pads)) and not op.get("count_include_pad", 0):
        raise Unsupported("a mean without the padding")
    y = op.layer(
        f"{entry}{axes}d", channels_last(op.first), kernel_size=scalar_or_tuple(kernel),
        stride=scalar_or_tuple(strides), padding=symmetric_padding(pads),
        ceil_mode=bool(op.get("ceil_mode", 0)),
    )  # fmt: skip
    return channels_second(y), None


def global_average_pool(op: Op) -> tuple[Array, ...]:
    """GlobalAveragePool: the mean over all axes but the channels."""
    x = channels_last(op.first)
    return (op.layer("mean", x, axis=tuple(range(x.ndim - 2))).reshape(*op.first.shape[:2], 1, 1),)


def global_max_pool(op: Op) -> tuple[Array, ...]:
    """GlobalMaxPool: one window as large as the image."""
    x = channels_last(op.first)
    return (channels_second(op.layer("maxpool2d", x, kernel_size=x.shape[1:3])),)


def space_to_depth(op: Op) -> tuple[Array, ...]:
    """SpaceToDepth: patches; CRD has the channel before the position within a patch."""
    x, size = channels_last(op.first), op.get("blocksize", 1)
    samples, height, width, channels = x.shape
    y = op.layer("patches", x, size=size)
    y = y.reshape(samples, height // size, width // size, size * size, channels)
    if op.get("mode", b"DCR") == b"CRD":
        y = y.swapaxes(3, 4)
    return (channels_second(y.reshape(*y.shape[:3], -1)),)


def resize(op: Op) -> tuple[Array, ...]:
    """Resize and Upsample that repeat values: position h reads ⌊h·H/H′⌋."""
    sizes = sizes_of(op)
    old = op.first.shape[2:]
    if op.get("mode", b"nearest") != b"nearest":
        raise Unsupported("interpolation other than nearest")
    if any(new < size for new, size in zip(sizes, old, strict=True)):
        raise Unsupported("an axis that shrinks")
    rounding = (
        op.get("coordinate_transformation_mode", b"half_pixel"),
        op.get("nearest_mode", b"round_prefer_floor"),
    )
    repeats = all(new % size == 0 for new, size in zip(sizes, old, strict=True))
    floors = rounding == (b"asymmetric", b"floor")
    halves = rounding == (b"half_pixel", b"round_prefer_floor") and repeats
    if op.version >= 10 and not (floors or halves):
        raise Unsupported("another rounding rule for nearest")
    return (channels_second(op.layer("upsample", channels_last(op.first), size=tuple(sizes))),)


def sizes_of(op: Op) -> list[int]:
    """The new height and width, from `scales` or `sizes` of some `axes` in any order."""
    shape = np.array(op.first.shape)
    axes = list(op.get("axes", range(len(shape))))
    scales = op.input(1) if op.version < 10 else op.input(2)
    if scales is not None and scales.size:
        shape[axes] = np.floor(shape[axes] * scales)
        return [int(size) for size in shape[2:]]
    sizes = op.input(3)
    assert sizes is not None
    policy = op.get("keep_aspect_ratio_policy", b"stretch")
    if policy == b"stretch":
        shape[axes] = sizes
    else:
        choose = min if policy == b"not_larger" else max
        shape[axes] = np.round(shape[axes] * choose(sizes / shape[axes]))
    return [int(size) for size in shape[2:]]


WINDOWS: dict[str, Operator] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": lambda op: pool(op, "maxpool"),
    "AveragePool": lambda op: pool(op, "avgpool"),
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "SpaceToDepth": space_to_depth,
    "Resize": resize,
    "Upsample": resize,
}
