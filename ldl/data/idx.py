"""The IDX format of MNIST: a magic number, sizes, then bytes; also gzipped.

Source: LeCun, Cortes and Burges, "The MNIST database". Big-endian: 0, 0, type (8 = unsigned byte),
number of dimensions; a 32-bit size for each dimension; the values, last dimension fastest.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ldl.arrays import Array
from ldl.errors import DataError

LIMIT = 2**32  # bytes
HINT = "fetch the file anew"


def read_idx(path: Path, dimensions: int) -> Array:
    """uint8 array of so many dimensions; plain or gzipped, whatever the name says.

    Raises DataError where the magic number, the sizes or the length are not what they should be.
    """
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                return _parse(path, raw, dimensions)
            with gzip.GzipFile(fileobj=raw) as stream:
                return _parse(path, stream, dimensions)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); {HINT}") from error


def _parse(path: Path, stream: IO[bytes] | gzip.GzipFile, dimensions: int) -> Array:
    header = 4 + 4 * dimensions
    head = stream.read(header)
    if head[:2] != b"\0\0" or len(head) < 4:
        raise DataError(f"{path}: not an IDX file, it begins with {head[:4].hex(' ') or 'nothing'}")
    if head[2] != 8 or head[3] != dimensions:
        raise DataError(
            f"{path}: IDX of type {head[2]:#x} with {head[3]} dimensions, where type 0x8 "
            f"(unsigned bytes) with {dimensions} is expected; are images and labels interchanged?"
        )
    if len(head) < header:
        raise DataError(f"{path}: ends within its header; {HINT}")
    shape = struct.unpack(f">{dimensions}I", head[4:])
    size = math.prod(shape)
    if size > LIMIT:
        raise DataError(f"{path}: declares {size:,} bytes of shape {shape}; {HINT}")
    # One byte more than declared is asked for, to see whether the file ends where it should.
    data = stream.read(size + 1)
    if len(data) != size:
        held = "more" if len(data) > size else f"{len(data):,}"
        raise DataError(f"{path}: declares {size:,} values of shape {shape}, holds {held}; {HINT}")
    return np.frombuffer(data, np.uint8).reshape(shape)


def idx_bytes(array: Array) -> bytes:
    """The IDX file of a uint8 array, not gzipped."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + np.ascontiguousarray(array, np.uint8).tobytes()
