"""Named arrays in a safetensors file, with its SHA-256 in a file beside it; no pickle, ever.

The two files cannot be renamed in one act, so the checksum goes first and also names the file that
still stands. Whichever of the two a killed writer left, one line of the checksum vouches for it:

    7d86…  last.safetensors
    # before: 1f0a…

`sha256sum -c` checks the first line and takes the second for a comment.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldl.atomic_file import write_bytes, write_text
from ldl.errors import RunFolderError

if TYPE_CHECKING:
    import numpy as np

NamedArrays = dict[str, "np.ndarray[Any, Any]"]

CHECKSUM = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n(?:# before: ([0-9a-f]{64})\n)?")
HEADER_SIZE = 8


def save_tensors(
    path: Path,
    arrays: Mapping[str, np.ndarray[Any, Any]],
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Write the arrays and their SHA-256 so that a kill at any moment leaves a file that verifies.

    Equal arrays and metadata give equal bytes. Any memory layout and shape, also () and (0, k).
    Returns the SHA-256; raises `RunError` when the disk refuses.
    """
    data = serialize(arrays, metadata)
    digest = hashlib.sha256(data).hexdigest()
    lines = f"{digest}  {path.name}\n"
    standing = _standing(path)
    if standing == digest:  # a resumed run ends with the same files as an undisturbed one
        return digest
    if standing is not None:
        lines += f"# before: {standing}\n"
    write_text(checksum_path(path), lines)
    write_bytes(path, data)
    return digest


def load_tensors(path: Path) -> tuple[NamedArrays, dict[str, str]]:
    """The arrays, by name in order, and the metadata, once the SHA-256 is right.

    Raises `RunFolderError` when the file or its checksum is missing, cut short or altered.
    """
    import safetensors
    import safetensors.numpy

    data = read_verified(path)
    try:
        arrays = safetensors.numpy.load(data)
        metadata = json.loads(_header(data)).get("__metadata__", {})
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise RunFolderError(f"{path} is not a safetensors file: {error}") from error
    return dict(sorted(arrays.items())), metadata


def read_verified(path: Path) -> bytes:
    """The bytes of `path`, vouched for by the checksum beside it; else `RunFolderError`.

    The file is read before its checksum, so a writer at work is no trouble: what was read is then
    the new file or the one before. A second save in between is seen by the file having changed.
    """
    last = ""
    while True:
        data = _read(path)
        digest = hashlib.sha256(data).hexdigest()
        vouched = _vouched(path)
        if digest in vouched:
            return data
        if digest == last:
            raise RunFolderError(
                f"{path} is damaged: its SHA-256 is {digest[:12]}…, "
                f"but {checksum_path(path).name} says {vouched[0][:12]}…"
            )
        last = digest


def serialize(
    arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str] | None = None
) -> bytes:
    """The safetensors file, the same bytes in every process.

    safetensors 0.8.0 reads an array's memory as if it were C-contiguous whatever its strides are,
    and writes metadata in an order that changes from process to process; both are mended here.
    """
    import numpy as np
    import safetensors.numpy

    # ascontiguousarray makes shape () into (1,).
    ready = {
        name: np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name]))
        for name in sorted(arrays)
    }
    data = safetensors.numpy.save(ready, dict(metadata or {}))
    header = json.loads(_header(data))
    body = data[HEADER_SIZE + int.from_bytes(data[:HEADER_SIZE], "little") :]
    header["__metadata__"] = dict(sorted((metadata or {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % HEADER_SIZE)  # the arrays stay aligned
    return len(text).to_bytes(HEADER_SIZE, "little") + text + body


def checksum_path(path: Path) -> Path:
    """Where the SHA-256 of `path` stands."""
    return path.with_name(path.name + ".sha256")


def is_lost(path: Path) -> bool:
    """Whether `path` is missing though it was there: its checksum notes the one before."""
    return not path.exists() and checksum_path(path).exists() and len(_vouched(path)) > 1


def _header(data: bytes) -> bytes:
    return data[HEADER_SIZE : HEADER_SIZE + int.from_bytes(data[:HEADER_SIZE], "little")]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error


def _vouched(path: Path) -> list[str]:
    """The SHA-256 that `path` should have, then the one it had before if that was noted."""
    checksum = checksum_path(path)
    match = CHECKSUM.fullmatch(_read(checksum).decode("latin-1"))
    if match is None or match[2] != path.name.encode().decode("latin-1"):
        raise RunFolderError(f"{checksum} is damaged: not the SHA-256 of {path.name}")
    return [digest for digest in (match[1], match[3]) if digest]


def _standing(path: Path) -> str | None:
    """The SHA-256 of the file that is there, if its own checksum vouches for it."""
    try:
        return hashlib.sha256(read_verified(path)).hexdigest()
    except RunFolderError:
        return None
