"""Buffers: aligned and touched when made, packed by lifetime, and flat vectors with named views."""

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
    """A buffer wanted from time `first` to time `last`, both included."""

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
    """Byte offsets at which buffers alive together never overlap, and the bytes needed in all.

    The largest goes first, each to the lowest place that is free during its life.
    Source: "greedy by size" of Pisarchyk and Lee, Efficient Memory Management for Deep Neural
    Net Inference, 2020.
    """
    offsets = [0] * len(requests)
    placed: list[int] = []
    total = 0
    for i in sorted(range(len(requests)), key=lambda i: -requests[i].size):
        request, offset = requests[i], 0
        for j in sorted(placed, key=offsets.__getitem__):
            other = requests[j]
            if other.last < request.first or request.last < other.first:
                continue
            if offset + request.size <= offsets[j]:
                break
            offset = max(offset, offsets[j] + other.size)
        offsets[i] = offset
        placed.append(i)
        total = max(total, offset + request.size)
    return offsets, total


def carve(requests: Sequence[Request]) -> tuple[list[Array], int]:
    """One arena, and in it an array a request; also the arena's bytes."""
    offsets, total = pack(requests)
    arena = aligned((total,), np.uint8)
    arrays = []
    for request, offset in zip(requests, offsets, strict=True):
        exact = prod(request.shape) * request.dtype.itemsize
        flat = arena[offset : offset + exact].view(request.dtype)
        arrays.append(flat.reshape(request.shape))
    return arrays, total


class Flat:
    """One vector θ and its named views; each view starts on a 64-byte boundary.

    But a name in `behind` starts where the one before it ends: see `stacked`. The gaps between
    views hold zeros and stay zero under every optimizer here, because their gradients are zero.
    """

    def __init__(
        self, shapes: Mapping[str, Shape], dtype: DTypeLike, behind: Collection[str] = ()
    ) -> None:
        dtype = np.dtype(dtype)
        step = ALIGNMENT // dtype.itemsize
        self.starts: dict[str, int] = {}
        end = 0
        for name, shape in shapes.items():
            start = self.starts[name] = end if name in behind else -(-end // step) * step
            end = start + prod(shape)
        self.vector = aligned((-(-end // step) * step,), dtype)
        self.views = {
            name: self.vector[start : start + prod(shapes[name])].reshape(shapes[name])
            for name, start in self.starts.items()
        }

    def __getitem__(self, name: str) -> Array:
        return self.views[name]


def stacked(top: Array, row: Array) -> Array | None:
    """(I+1, O): `top` (I, O) and beneath it `row` (O,), where they lie so in memory, else None."""
    behind = top.ctypes.data + top.nbytes == row.ctypes.data and top.base is row.base
    if top.base is None or not behind or not top.flags.c_contiguous:
        return None
    return np.lib.stride_tricks.as_strided(top, (len(top) + 1, len(row)))


def samples_last(features: int, samples: int, dtype: DTypeLike) -> Array:
    """(F+1, N): memory of a value (N, F) with samples last, `[:-1].T`, and a row to spare."""
    return aligned((features + 1, samples), dtype)
