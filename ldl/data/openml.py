"""Downloading a data set from OpenML: description, checksum, ARFF."""

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
from ldl.errors import DataError

API = "https://www.openml.org/api/v1/json/data/{}"
TIMEOUT = 30.0  # seconds without an answer
CHUNK = 1 << 18
LIMIT = 2**32  # bytes


class DownloadError(DataError):
    """The data set could not be fetched, or is not what it should be."""


def fetch(
    name: str, number: int, progress: ProgressCallback | None = None
) -> tuple[Array, list[str]]:
    """Data set `number`: float32 (n, d) features in the file's order, and n labels as text.

    Raises DownloadError: no network, an answer that makes no sense, a checksum that differs.
    """
    # Here and in `_open`, since the two take 40 ms and only a set's first use needs them.
    from http.client import HTTPException

    try:
        with _open(API.format(number)) as answer:
            about = json.load(answer)["data_set_description"]
        with tempfile.TemporaryFile() as file:
            _download(name, about, file, progress)
            file.seek(0)
            return parse_arff(file, about["default_target_attribute"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError, zlib.error) as error:
        raise DownloadError(f"{name}: the download from OpenML failed: {error!r}") from error


def _open(url: str) -> Any:
    from urllib.request import Request, urlopen

    return urlopen(Request(url, headers={"User-Agent": "ldl"}), timeout=TIMEOUT)


def _download(
    name: str, about: dict[str, Any], file: IO[bytes], progress: ProgressCallback | None
) -> None:
    url = str(about["url"])
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"not a web address: {url}")
    digest = hashlib.md5(usedforsecurity=False)  # the only checksum that OpenML gives
    with _open(url) as answer:
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while chunk := answer.read(CHUNK):
            done += len(chunk)
            if done > LIMIT:
                raise ValueError(f"the file is larger than {LIMIT:,} bytes")
            digest.update(chunk)
            file.write(chunk)
            if progress is not None:
                progress(f"downloading {name}", done, total)
    if total and done != total:
        raise ValueError(f"{done:,} of {total:,} bytes came")
    if digest.hexdigest() != about["md5_checksum"]:
        raise ValueError(f"MD5 {digest.hexdigest()}, where OpenML says {about['md5_checksum']}")


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
        cells = _sparse(text, len(names)) if text.startswith("{") else text.split(",")
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


def _sparse(text: str, size: int) -> list[str]:
    cells = ["0"] * size
    for item in filter(None, text.strip("{} ").split(",")):
        index, value = item.split(None, 1)
        cells[int(index)] = value
    return cells
