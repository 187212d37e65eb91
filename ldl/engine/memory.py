"""Memory of arrays: aligned buffers, packed by lifetime, and flat vectors with named views."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ldl.arrays import Array, Shape

_touched = ContextVar("touched", default=True)
ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned(shape: Shape, dtype: DTypeLike) -> Array:
    """Zeros of `shape`, first byte on a 64-byte boundary, every page already touched."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    view: Array = raw[start : start + size].view(dtype).reshape(shape)
    if _touched.get():
        view.fill(0)
    return view


@contextmanager
def untouched_memory() -> Iterator[None]:
    """Within the block `aligned` reserves address space alone, for a plan that is never run."""
    token = _touched.set(False)
    try:
        yield
    finally:
        _touched.reset(token)


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
    # Of the placed buffers, in order of their offsets: start, end, first and last time.
    placed = np.zeros((4, len(requests)), np.int64)
    sizes = [request.size for request in requests]
    for count, i in enumerate(sorted(range(len(requests)), key=lambda i: -sizes[i])):
        first, last = requests[i].first, requests[i].last
        starts, ends, firsts, lasts = placed[:, :count]
        alive = (lasts >= first) & (firsts <= last)
        gap_starts = np.concatenate(([0], np.maximum.accumulate(ends[alive])))
        fits = np.flatnonzero(gap_starts[:-1] + sizes[i] <= starts[alive])
        offset = offsets[i] = int(gap_starts[fits[0] if len(fits) else -1])
        index = int(np.searchsorted(starts, offset, "right"))
        placed[:, index + 1 : count + 1] = placed[:, index:count].copy()
        placed[:, index] = offset, offset + sizes[i], first, last
    return offsets, int(placed[1].max(initial=0))


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
