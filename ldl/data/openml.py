"""Downloads of data sets from OpenML: description, checksum, ARFF file."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zlib
from typing import IO, Any

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import ProgressCallback
from ldl.data.npz import MAX_DATA_BYTES
from ldl.errors import DataError

API = "https://www.openml.org/api/v1/json/data/{}"
TIMEOUT = 30.0  # seconds without an answer
CHUNK = 1 << 18  # bytes


class DownloadError(DataError):
    """The data set could not be downloaded, or its content is not the expected one."""


def download(
    name: str, openml_id: int, progress: ProgressCallback | None = None
) -> tuple[Array, list[str]]:
    """A data set of OpenML: float32 (n, d) features in the file's order, and n labels as text.

    Raises DownloadError: no network, an answer that cannot be parsed, a checksum that differs.
    """
    # Imported here and in `_open`: the two take 40 ms, and only a set's first use needs them.
    from http.client import HTTPException

    try:
        with _open(API.format(openml_id)) as response:
            description = json.load(response)["data_set_description"]
        with tempfile.TemporaryFile() as file:
            _download_file(name, description, file, progress)
            file.seek(0)
            return parse_arff(file, description["default_target_attribute"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, zlib.error) as error:
        raise DownloadError(f"{name}: the download from OpenML failed: {error!r}") from error


def _open(url: str) -> Any:
    from urllib.request import Request, urlopen

    return urlopen(Request(url, headers={"User-Agent": "ldl"}), timeout=TIMEOUT)


def _download_file(
    name: str, description: dict[str, Any], file: IO[bytes], progress: ProgressCallback | None
) -> None:
    url = str(description["url"])
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not a web address: {url}")
    digest = hashlib.md5(usedforsecurity=False)  # the only checksum that OpenML publishes
    with _open(url) as response:
        total = int(response.headers.get("Content-Length") or 0)
        received = 0
        while chunk := response.read(CHUNK):
            received += len(chunk)
            if received > MAX_DATA_BYTES:
                raise ValueError(f"the file is larger than {MAX_DATA_BYTES:,} bytes")
            digest.update(chunk)
            file.write(chunk)
            if progress is not None:
                progress(f"downloading {name}", received, total)
    if total and received != total:
        raise ValueError(f"received {received:,} of {total:,} bytes")
    expected = description["md5_checksum"]
    if digest.hexdigest() != expected:
        raise ValueError(f"MD5 {digest.hexdigest()}, where OpenML declares {expected}")


def parse_arff(file: IO[bytes], target: str) -> tuple[Array, list[str]]:
    """The numbers and the labels of an ARFF file with numeric attributes and one target.

    Rows may be dense (`1,2,3`) or sparse (`{0 1, 2 3}`). Source: the ARFF format of Weka.
    """
    names = _attributes(file)
    column = names.index(target)
    numbers: list[Array] = []
    labels: list[str] = []
    for line in file:
        text = line.decode().strip()
        if not text or text.startswith("%"):
            continue
        cells = _sparse_cells(text, len(names)) if text.startswith("{") else text.split(",")
        if len(cells) != len(names):
            raise ValueError(f"a row of {len(cells)} cells, where {len(names)} are declared")
        labels.append(cells.pop(column).strip().strip("'\""))
        numbers.append(np.array(cells, np.float32))
    return np.stack(numbers), labels


def _attributes(file: IO[bytes]) -> list[str]:
    names: list[str] = []
    for line in file:
        text = line.decode().strip()
        if text.lower() == "@data":
            return names
        if match := re.match(r"@attribute\s+('[^']*'|\"[^\"]*\"|\S+)", text, re.IGNORECASE):
            names.append(match[1].strip("'\""))
    raise ValueError("an ARFF file without @data")


def _sparse_cells(text: str, size: int) -> list[str]:
    cells = ["0"] * size
    for item in filter(None, text.strip("{} ").split(",")):
        index, value = item.split(None, 1)
        cells[int(index)] = value
    return cells
