"""Named arrays in a safetensors file, with its SHA-256 in a second file; never pickle.

Two files cannot be renamed in one atomic operation. Therefore the checksum file is written first
and also holds the digest of the previous arrays. At whichever moment a writer is killed, one line
of the checksum file matches the arrays:

    7d86…  last.safetensors
    # before: 1f0a…

`sha256sum -c` checks the first line and reads the second as a comment.
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
from ldl.folder_files import read_bytes

if TYPE_CHECKING:
    import numpy as np

NamedArrays = dict[str, "np.ndarray[Any, Any]"]

CHECKSUM = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n(?:# before: ([0-9a-f]{64})\n)?")
HEADER_LENGTH_BYTES = 8


def save_tensors(
    path: Path,
    arrays: Mapping[str, np.ndarray[Any, Any]],
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Write the arrays and their SHA-256, so that a kill at any moment leaves a file that verifies.

    Any memory layout and shape, also () and (0, k). Equal arrays and metadata give equal bytes.
    Returns the SHA-256. Raises `RunError` when the write fails.
    """
    data = serialize(arrays, metadata)
    digest = hashlib.sha256(data).hexdigest()
    previous = _verified_digest(path)
    if previous == digest:  # a resumed run leaves the same files as an uninterrupted one
        return digest
    before = "" if previous is None else f"# before: {previous}\n"
    write_text(checksum_path(path), f"{digest}  {path.name}\n{before}")
    write_bytes(path, data)
    return digest


def tensor_files(name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, bytes]:
    """The two files of a first save, by file name; empty without arrays."""
    if not arrays:
        return {}
    data = serialize(arrays)
    checksum = f"{hashlib.sha256(data).hexdigest()}  {name}\n"
    return {name: data, checksum_path(Path(name)).name: checksum.encode()}


def load_tensors(path: Path) -> tuple[NamedArrays, dict[str, str]]:
    """The arrays in the order of their names, and the metadata, after a check of the SHA-256.

    Raises `RunFolderError` when the file or its checksum is missing, incomplete or altered.
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
    """The bytes of `path` if its checksum file accepts them. Raises `RunFolderError` otherwise.

    The arrays are read before the checksum, so a concurrent save does no harm: the bytes are those
    of the new or of the previous save. After two concurrent saves the bytes have changed, and are
    read again.
    """
    rejected = ""
    while True:
        data = _read(path)
        digest = hashlib.sha256(data).hexdigest()
        accepted = _accepted_digests(path)
        if digest in accepted:
            return data
        if digest == rejected:
            raise RunFolderError(
                f"{path} is damaged: its SHA-256 is {digest[:12]}…, "
                f"but {checksum_path(path).name} says {accepted[0][:12]}…"
            )
        rejected = digest


def serialize(
    arrays: Mapping[str, np.ndarray[Any, Any]], metadata: Mapping[str, str] | None = None
) -> bytes:
    """The content of a safetensors file, the same bytes in every process.

    safetensors 0.8.0 reads the memory of an array as if it were C-contiguous, whatever its strides,
    and writes metadata in an order that differs between processes. This function corrects both.
    """
    import numpy as np
    import safetensors.numpy

    # ascontiguousarray turns shape () into (1,).
    contiguous = {
        name: np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name]))
        for name in sorted(arrays)
    }
    data = safetensors.numpy.save(contiguous, dict(metadata or {}))
    encoded_header = _header(data)
    body = data[HEADER_LENGTH_BYTES + len(encoded_header) :]
    header = json.loads(encoded_header)
    header["__metadata__"] = dict(sorted((metadata or {}).items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % HEADER_LENGTH_BYTES)  # keeps the arrays aligned
    return len(text).to_bytes(HEADER_LENGTH_BYTES, "little") + text + body


def checksum_path(path: Path) -> Path:
    """The file that holds the SHA-256 of `path`."""
    return path.with_name(path.name + ".sha256")


def is_lost(path: Path) -> bool:
    """Whether `path` is missing although it was saved: its checksum names previous arrays."""
    return not path.exists() and checksum_path(path).exists() and len(_accepted_digests(path)) > 1


def _header(data: bytes) -> bytes:
    size = int.from_bytes(data[:HEADER_LENGTH_BYTES], "little")
    return data[HEADER_LENGTH_BYTES : HEADER_LENGTH_BYTES + size]


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from error


def _accepted_digests(path: Path) -> list[str]:
    """The SHA-256 that `path` should have, then that of the previous save if there was one."""
    checksum = checksum_path(path)
    match = CHECKSUM.fullmatch(_read(checksum).decode("latin-1"))
    if match is None or match[2] != path.name.encode().decode("latin-1"):
        raise RunFolderError(f"{checksum} is damaged: not the SHA-256 of {path.name}")
    return [digest for digest in (match[1], match[3]) if digest]


def _verified_digest(path: Path) -> str | None:
    """The SHA-256 of the file at `path`, if its checksum file accepts it."""
    try:
        return hashlib.sha256(read_verified(path)).hexdigest()
    except RunFolderError:
        return None
