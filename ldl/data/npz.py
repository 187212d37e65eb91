"""NPZ files read without trusting them: sizes are checked before memory is asked for."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from ldl.arrays import Array, Shape
from ldl.data.data_folders import stamp
from ldl.errors import DataError

LIMIT = 2**32  # bytes that the arrays of one file may unpack to
DEFLATE = 1032  # deflate cannot shrink anything by more (zlib's technical details)
ANEW = "; write it anew with numpy.savez"

# What a truncated file or a flipped bit surfaces as, seen under random damage.
CORRUPT = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


@dataclass(frozen=True)
class Member:
    """What an array's header declares."""

    shape: Shape
    dtype: np.dtype[np.generic]
    fortran: bool


def _damaged(path: Path, error: BaseException) -> DataError:
    reason = str(error) or type(error).__name__
    return DataError(f"{path}: not a sound npz file ({reason}){ANEW}")


def read_headers(path: Path) -> dict[str, Member]:
    """The arrays of an npz file by key, from their headers alone. Raises DataError."""
    stamp(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            _check_count(path, archive)
            strange = [name for name in names if not name.endswith(".npy")]
            if strange:
                raise DataError(f'{path}: "{strange[0]}" in it is no array (NAME.npy)')
            return {name[:-4]: _header(path, archive, name) for name in names}
    except CORRUPT as error:
        raise _damaged(path, error) from error


def read_arrays(path: Path, keys: Sequence[str]) -> dict[str, Array]:
    """These arrays, C-contiguous; each header is held against the bytes there. Raises DataError."""
    stamp(path)
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = [archive.getinfo(f"{key}.npy").file_size for key in keys]
            if sum(sizes) > LIMIT:
                raise DataError(
                    f"{path}: unpacks to {sum(sizes):,} bytes; at most {LIMIT:,} are read"
                )
            return {key: _array(path, archive, f"{key}.npy") for key in keys}
    except CORRUPT as error:
        raise _damaged(path, error) from error


def _check_count(path: Path, archive: zipfile.ZipFile) -> None:
    """A flipped bit in the directory can hide entries; `zipfile` does not count them."""
    with path.open("rb") as file:
        file.seek(-22 - len(archive.comment), 2)  # the end record: its entries at byte 10
        (count,) = struct.unpack("<10xH", file.read(12))
    if count != len(archive.namelist()):
        raise zipfile.BadZipFile(f"{len(archive.namelist())} arrays are there, {count} announced")


def _parse(stream: IO[bytes]) -> Member:
    version = npy.read_magic(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a header in Python 2's style is as good
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"negative shape {shape}")
    return Member(shape, dtype, fortran)


def _header(path: Path, archive: zipfile.ZipFile, name: str) -> Member:
    """The header, once the sizes that it and the archive declare are found to agree."""
    entry = archive.getinfo(name)
    with archive.open(entry) as stream:
        member = _parse(stream)
        if member.dtype.hasobject:
            raise DataError(
                f'{path}: "{name[:-4]}" holds Python objects; save it as numbers or text'
            )
        declared = stream.tell() + math.prod(member.shape) * member.dtype.itemsize
    if declared != entry.file_size:
        raise DataError(
            f'{path}: "{name[:-4]}" declares {declared:,} bytes and holds {entry.file_size:,}; '
            "the file is damaged"
        )
    if entry.file_size > DEFLATE * entry.compress_size + 1024 and _is_deflated(entry):
        raise DataError(f'{path}: "{name[:-4]}" cannot hold the {declared:,} bytes it declares')
    return member


def _is_deflated(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> Array:
    member = _header(path, archive, name)
    with archive.open(name) as stream:
        _parse(stream)
        data = bytearray(stream.read())  # reading to the end checks the archive's CRC-32
    flat = np.frombuffer(data, member.dtype)
    array = flat.reshape(member.shape, order="F" if member.fortran else "C")
    return np.ascontiguousarray(array)
