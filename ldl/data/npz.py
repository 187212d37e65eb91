"""NPZ files read without trusting them: sizes are checked before memory is allocated."""

from __future__ import annotations

import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from ldl.arrays import Array, Shape
from ldl.data.data_folders import file_stamp
from ldl.errors import DataError

MAX_DATA_BYTES = 2**32  # of the arrays of one file, unpacked
MAX_RATIO = 1032  # the largest compression ratio of deflate (zlib's technical details)
REWRITE_HINT = "; write it again with numpy.savez"

# What reading a truncated file or one with a flipped bit raises, found by random damage.
NPZ_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError,
           SyntaxError, EOFError, OSError, ValueError, TypeError, IndexError, KeyError,
           NotImplementedError, RuntimeError, OverflowError, MemoryError)  # fmt: skip


@dataclass(frozen=True)
class ArrayHeader:
    """The shape, type and memory order that an array's header declares."""

    shape: Shape
    dtype: np.dtype[np.generic]
    fortran: bool


def read_headers(path: Path) -> dict[str, ArrayHeader]:
    """The headers of an npz file's arrays, by key. Raises DataError."""
    with _open_archive(path) as archive:
        names = archive.namelist()
        _check_entry_count(path, archive)
        if invalid := [name for name in names if not name.endswith(".npy")]:
            raise DataError(f'{path}: its entry "{invalid[0]}" is no array (NAME.npy)')
        return {name[:-4]: _checked_header(path, archive, name) for name in names}


def read_arrays(path: Path, keys: Sequence[str]) -> dict[str, Array]:
    """These arrays, C-contiguous, each checked against its header. Raises DataError."""
    with _open_archive(path) as archive:
        size = sum(archive.getinfo(f"{key}.npy").file_size for key in keys)
        if size > MAX_DATA_BYTES:
            raise DataError(f"{path}: unpacks to {size:,} bytes; the maximum is {MAX_DATA_BYTES:,}")
        return {key: _array(path, archive, f"{key}.npy") for key in keys}


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; DataError for what reading a damaged one raises within the block."""
    file_stamp(path)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except NPZ_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: not a valid npz file ({reason}){REWRITE_HINT}") from error


def _check_entry_count(path: Path, archive: zipfile.ZipFile) -> None:
    """Compare the number of entries with the end record, which `zipfile` does not do."""
    with path.open("rb") as file:
        file.seek(-22 - len(archive.comment), 2)  # the end record has the count at byte 10
        (count,) = struct.unpack("<10xH", file.read(12))
    if count != len(archive.namelist()):
        raise zipfile.BadZipFile(f"{len(archive.namelist())} arrays, where {count} are declared")


def _parse_header(stream: IO[bytes]) -> ArrayHeader:
    version = npy.read_magic(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers in the style of Python 2
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"negative shape {shape}")
    return ArrayHeader(shape, dtype, fortran)


def _checked_header(path: Path, archive: zipfile.ZipFile, name: str) -> ArrayHeader:
    """An array's header, which declares the same size as the archive."""
    entry = archive.getinfo(name)
    with archive.open(entry) as stream:
        header = _parse_header(stream)
        if header.dtype.hasobject:
            raise DataError(
                f'{path}: "{name[:-4]}" holds Python objects; save it as numbers or text'
            )
        declared = stream.tell() + math.prod(header.shape) * header.dtype.itemsize
    if declared != entry.file_size:
        raise DataError(
            f'{path}: "{name[:-4]}" declares {declared:,} bytes and holds {entry.file_size:,}; '
            "the file is damaged"
        )
    if entry.file_size > MAX_RATIO * entry.compress_size + 1024 and _is_deflated(entry):
        raise DataError(f'{path}: "{name[:-4]}" cannot hold the {declared:,} bytes it declares')
    return header


def _is_deflated(entry: zipfile.ZipInfo) -> bool:
    return entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> Array:
    header = _checked_header(path, archive, name)
    with archive.open(name) as stream:
        _parse_header(stream)
        data = bytearray(stream.read())  # reading to the end checks the archive's CRC-32
    flat = np.frombuffer(data, header.dtype)
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return np.ascontiguousarray(array)
