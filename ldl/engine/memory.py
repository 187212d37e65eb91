"""Memory of arrays: aligned buffers, packed by lifetime, and flat vectors with named views."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ldl.arrays import Array, Shape

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned(shape: Shape, dtype: DTypeLike) -> Array:
    """Zeros of `shape`, first byte on a 64-byte boundary, every page already touched."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    view: Array = raw[start : start + size].view(dtype).reshape(shape)
    view.fill(0)
    return view


def scalar(value: float, dtype: DTypeLike) -> Array:
    """A 0-d array: NumPy takes it twice as fast as a Python float in the arithmetic of a step."""
    return np.array(value, dtype)


@dataclass(frozen=True)
class Request:
    """A buffer needed from time `first` to time `last`, both included."""

    shape: Shape
    dtype: np.dtype[Any]
    first: int
    last: int

    @property
    def size(self) -> int:
        """Bytes, rounded up to whole alignment blocks."""
        exact = prod(self.shape) * self.dtype.itemsize
        return -(-exact // ALIGNMENT) * ALIGNMENT


def pack(requests: Sequence[Request]) -> tuple[list[int], int]:
    """Byte offsets at which buffers alive at the same time never overlap, and the total bytes.

    Buffers are placed in order of size, largest first, each at the lowest free offset.
    Source: "greedy by size" of Pisarchyk and Lee, Efficient Memory Management for Deep Neural
    Net Inference, 2020.
    """
    offsets = [0] * len(requests)
    placed: list[int] = []
    total = 0
    for i in sorted(range(len(requests)), key=lambda i: -requests[i].size):
        request, offset = requests[i], 0
        for j in sorted(placed, key=offsets.__getitem__):
            neighbour = requests[j]
            if neighbour.last < request.first or request.last < neighbour.first:
                continue
            if offset + request.size <= offsets[j]:
                break
            offset = max(offset, offsets[j] + neighbour.size)
        offsets[i] = offset
        placed.append(i)
        total = max(total, offset + request.size)
    return offsets, total


def carve(requests: Sequence[Request]) -> tuple[list[Array], int]:
    """An array for each request, all in one arena, and the bytes of the arena."""
    offsets, total = pack(requests)
    arena = aligned((total,), np.uint8)
    arrays = []
    for request, offset in zip(requests, offsets, strict=True):
        exact = prod(request.shape) * request.dtype.itemsize
        flat = arena[offset : offset + exact].view(request.dtype)
        arrays.append(flat.reshape(request.shape))
    return arrays, total


class FlatVector:
    """One vector and its named views; each view starts on a 64-byte boundary.

    A name in `adjacent` starts where the one before it ends instead: see `augmented`. The gaps
    between views hold zeros and stay zero under every optimizer, because their gradients are zero.
    """

    def __init__(
        self, shapes: Mapping[str, Shape], dtype: DTypeLike, adjacent: Collection[str] = ()
    ) -> None:
        dtype = np.dtype(dtype)
        step = ALIGNMENT // dtype.itemsize
        self.starts: dict[str, int] = {}
        end = 0
        for name, shape in shapes.items():
            start = self.starts[name] = end if name in adjacent else -(-end // step) * step
            end = start + prod(shape)
        self.vector = aligned((-(-end // step) * step,), dtype)
        self.views = {
            name: self.vector[start : start + prod(shapes[name])].reshape(shapes[name])
            for name, start in self.starts.items()
        }

    def __getitem__(self, name: str) -> Array:
        return self.views[name]


def augmented(weight: Array, bias: Array) -> Array | None:
    """The matrix (I+1, O) of a weight (I, O) and an adjacent bias (O,); None for any other two."""
    adjacent = weight.ctypes.data + weight.nbytes == bias.ctypes.data and weight.base is bias.base
    if weight.base is None or not adjacent or not weight.flags.c_contiguous:
        return None
    return np.lib.stride_tricks.as_strided(weight, (len(weight) + 1, len(bias)))


def padded_feature_major(features: int, samples: int, dtype: DTypeLike) -> Array:
    """(F+1, N): memory of a feature-major value (N, F), `[:-1].T`, and a spare row at the end."""
    return aligned((features + 1, samples), dtype)
