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
from ldl.folder_files import in_written_folder, open_file

MAX_DATA_BYTES = 2**32  # of the arrays of one file, unpacked
MAX_RATIO = 200  # of unpacked to packed bytes, from LARGE_BYTES on; data seldom reaches 20
LARGE_BYTES = 2**26
CHUNK_BYTES = 2**20  # that are unpacked at once
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
        with (
            open_file(path) if in_written_folder(path) else path.open("rb") as file,
            zipfile.ZipFile(file) as archive,
        ):
            _check_entry_count(file, archive)
            yield archive
    except NPZ_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: not a valid npz file ({reason}){REWRITE_HINT}") from error


def _check_entry_count(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Compare the number of entries with the end record, which `zipfile` does not do."""
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
    if declared > max(MAX_RATIO * entry.compress_size, LARGE_BYTES):
        raise DataError(
            f'{path}: "{name[:-4]}" unpacks {entry.compress_size:,} bytes to {declared:,}, '
            f"over {MAX_RATIO} times as many; if that is right, write it with numpy.savez"
        )
    return header


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> Array:
    header = _checked_header(path, archive, name)
    with archive.open(name) as stream:
        _parse_header(stream)
        flat = np.empty(math.prod(header.shape), header.dtype)
        data = flat.view(np.uint8).data if flat.nbytes else memoryview(bytearray())
        for start in range(0, len(data), CHUNK_BYTES):
            _read_into(stream, data[start : start + CHUNK_BYTES])
        if stream.read(1):  # reading to the end checks the archive's CRC-32
            raise ValueError("more data than declared")
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    return np.ascontiguousarray(array)


def _read_into(stream: IO[bytes], buffer: memoryview) -> None:
    """Fill the buffer. Raises EOFError where the stream ends before."""
    while buffer:
        data = stream.read(len(buffer))
        if not data:
            raise EOFError("less data than declared")
        buffer[: len(data)] = data
        buffer = buffer[len(data) :]
