"""Operators whose windows slide over an image or a line: convolutions, pooling, enlarging."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ldl.arrays import Array

from .operation import LeftOut, Op, Operator, channels_last, channels_second


def axes_of(op: Op) -> int:
    """How many axes the windows slide over."""
    axes = op.first.ndim - 2
    if axes not in (1, 2):
        raise LeftOut("windows over three axes")
    return axes


def plain(numbers: Sequence[int]) -> int | tuple[int, ...]:
    """A number for one axis, a pair for two."""
    return int(numbers[0]) if len(numbers) == 1 else tuple(map(int, numbers))


def margins(op: Op, kernel: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Padding before and after, for each axis, from `pads` or by the rule of `auto_pad`."""
    rule, axes = op.get("auto_pad", b"NOTSET"), len(kernel)
    if rule in (b"NOTSET", b"VALID"):
        pads = op.get("pads", [0] * 2 * axes)
        return list(zip(pads[:axes], pads[axes:], strict=True))
    found = []
    dilations = op.get("dilations", [1] * axes)
    sizes = op.first.shape[2:]
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = max((-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size, 0)
        less, more = total // 2, total - total // 2
        found.append((less, more) if rule == b"SAME_UPPER" else (more, less))
    return found


def even(pairs: Sequence[tuple[int, int]]) -> int | tuple[int, ...]:
    """The padding of each axis, the same before and after."""
    if any(before != after for before, after in pairs):
        raise LeftOut("more padding on one side")
    return plain([before for before, _ in pairs])


def kernel_last(w: Array) -> Array:
    """(A, B, K…) as (K…, B, A): of a convolution and of a transposed one alike."""
    return w.transpose(*range(2, w.ndim), 1, 0)


def biased(w: Array, b: Array | None) -> dict[str, Array]:
    """The weights of a convolution."""
    named = {"weight": kernel_last(w)}
    return named if b is None else {**named, "bias": b}


def conv(op: Op) -> tuple[Array, ...]:
    """Conv."""
    axes, (x, w), b = axes_of(op), op.x[:2], op.input(2)
    assert x is not None and w is not None
    kernel, strides = w.shape[2:], op.get("strides", [1] * axes)
    same = op.get("auto_pad", b"NOTSET") == b"SAME_UPPER"
    y = op.layer(
        f"conv{axes}d", channels_last(x), w=biased(w, b), out_channels=len(w),
        kernel_size=plain(kernel), stride=plain(strides),
        padding="same" if same else even(margins(op, kernel, strides)),
        dilation=plain(op.get("dilations", [1] * axes)), groups=op.get("group", 1),
        bias=b is not None,
    )  # fmt: skip
    return (channels_second(y),)


def conv_transpose(op: Op) -> tuple[Array, ...]:
    """ConvTranspose; the engine cuts what PyTorch cuts, at the end at most a stride less."""
    axes, (x, w), b = axes_of(op), op.x[:2], op.input(2)
    assert x is not None and w is not None
    if op.get("group", 1) > 1:
        raise LeftOut("groups of a transposed convolution")
    if any(d > 1 for d in op.get("dilations", [])):
        raise LeftOut("dilation of a transposed convolution")
    kernel, strides = w.shape[2:], op.get("strides", [1] * axes)
    padding, sizes = [], []
    for i, (size, k, stride) in enumerate(zip(x.shape[2:], kernel, strides, strict=True)):
        full = (size - 1) * stride + k + op.get("output_padding", [0] * axes)[i]
        before, wanted = cut(op, i, axes, full, size * stride)
        if not 0 <= wanted - ((size - 1) * stride + k - 2 * before) < stride:
            raise LeftOut("more padding on one side")
        padding.append(before)
        sizes.append(wanted)
    y = op.layer(
        f"conv_transpose{axes}d", channels_last(x), w=biased(w, b), out_channels=w.shape[1],
        kernel_size=plain(kernel), stride=plain(strides), padding=plain(padding),
        size=plain(sizes), bias=b is not None,
    )  # fmt: skip
    return (channels_second(y),)


def cut(op: Op, i: int, axes: int, full: int, same: int) -> tuple[int, int]:
    """What a transposed convolution's axis `i` of `full` values loses at its start; its size."""
    rule = op.get("auto_pad", b"NOTSET")
    if "output_shape" not in op.settings and rule == b"NOTSET":
        pads = op.get("pads", [0] * 2 * axes)
        return pads[i], full - pads[i] - pads[i + axes]
    wanted = op.get("output_shape", [same] * axes)[-axes:][i]
    total = max(full - wanted, 0)
    return (total // 2 if rule == b"SAME_UPPER" else total - total // 2), wanted


def pool(op: Op, entry: str) -> tuple[Array | None, ...]:
    """MaxPool and AveragePool; the places of the maxima are nothing that the engine gives."""
    axes = axes_of(op)
    if any(d > 1 for d in op.get("dilations", [])):
        raise LeftOut("dilation of a pooling")
    kernel, strides = op.get("kernel_shape", None), op.get("strides", [1] * axes)
    pads = margins(op, kernel, strides)
    if any(before > k // 2 for (before, _), k in zip(pads, kernel, strict=True)):
        raise LeftOut("padding of more than half a window")
    if entry == "avgpool" and any(map(any, pads)) and not op.get("count_include_pad", 0):
        raise LeftOut("a mean that leaves the padding out")
    y = op.layer(
        f"{entry}{axes}d", channels_last(op.first), kernel_size=plain(kernel),
        stride=plain(strides), padding=even(pads), ceil_mode=bool(op.get("ceil_mode", 0)),
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
    """SpaceToDepth: patches; CRD puts the channel before the place within a patch."""
    x, size = channels_last(op.first), op.get("blocksize", 1)
    samples, height, width, channels = x.shape
    y = op.layer("patches", x, size=size)
    y = y.reshape(samples, height // size, width // size, size * size, channels)
    if op.get("mode", b"DCR") == b"CRD":
        y = y.swapaxes(3, 4)
    return (channels_second(y.reshape(*y.shape[:3], -1)),)


def resize(op: Op) -> tuple[Array, ...]:
    """Resize and Upsample where each value is repeated: position h reads ⌊h·H/H′⌋."""
    sizes = sizes_of(op)
    old = op.first.shape[2:]
    if op.get("mode", b"nearest") != b"nearest":
        raise LeftOut("values in between other than the nearest")
    if any(new < size for new, size in zip(sizes, old, strict=True)):
        raise LeftOut("an axis that shrinks")
    rule = (
        op.get("coordinate_transformation_mode", b"half_pixel"),
        op.get("nearest_mode", b"round_prefer_floor"),
    )
    repeats = all(new % size == 0 for new, size in zip(sizes, old, strict=True))
    floors = rule == (b"asymmetric", b"floor")
    halves = rule == (b"half_pixel", b"round_prefer_floor") and repeats
    if op.version >= 10 and not (floors or halves):
        raise LeftOut("another rule for which value is the nearest")
    return (channels_second(op.layer("upsample", channels_last(op.first), size=tuple(sizes))),)


def sizes_of(op: Op) -> list[int]:
    """The wanted height and width, from `scales` or `sizes` of some `axes` in any order."""
    shape = np.array(op.first.shape)
    axes = list(op.get("axes", range(len(shape))))
    scales = op.input(1) if op.version < 10 else op.input(2)
    if scales is not None and scales.size:
        shape[axes] = np.floor(shape[axes] * scales)
        return [int(size) for size in shape[2:]]
    wanted = op.input(3)
    assert wanted is not None
    policy = op.get("keep_aspect_ratio_policy", b"stretch")
    if policy == b"stretch":
        shape[axes] = wanted
    else:
        choose = min if policy == b"not_larger" else max
        shape[axes] = np.round(shape[axes] * choose(wanted / shape[axes]))
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
