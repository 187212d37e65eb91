"""MNIST and USPS, and the IDX files of MNIST."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.data.data_folders import data_folders
from ldl.data.dataset import DatasetInfo, ProgressCallback, Target
from ldl.data.npz import MAX_DATA_BYTES
from ldl.data.openml import DownloadError
from ldl.data.sources.embedded import DIGIT_NAMES
from ldl.data.sources.image_set import ARRAY_NAMES, ImageSet, SplitArrays, split_arrays
from ldl.errors import DataError

FETCH_HINT = "download the file again"


@dataclass(frozen=True)
class _DigitSet(ImageSet):
    """Grey images of the ten digits."""

    def _split_arrays(self, x: Array, labels: list[str]) -> SplitArrays:
        samples, test = self.info.samples or 0, self.info.official_test
        if x.shape != (samples, *self.info.inputs["x"]) or set(labels) - {*map(str, range(11))}:
            raise DownloadError(f"OpenML gave {x.shape} pixels and labels {sorted(set(labels))}")
        y = np.array(labels, np.int64)
        y = (y - y.min()).astype(np.uint8)  # USPS has 1 to 10 there for the digits 0 to 9
        return split_arrays(x.reshape(samples, *self.image_shape), y, test)


@dataclass(frozen=True)
class Mnist(_DigitSet):
    """60,000 + 10,000 handwritten digits, 28×28 pixels from 0 to 255 (LeCun et al. 1998).

    Read from the four original IDX files, plain or gzipped, or from mnist.npz.
    """

    name = "mnist"
    openml_id = 554
    info = DatasetInfo({"x": (784,)}, Target("classes", DIGIT_NAMES), (28, 28, 1), 70_000, 10_000)
    checksums: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    }

    def find(self) -> Path | None:
        """The folder of the IDX files, or mnist.npz. Raises DataError where some are missing."""
        for folder in data_folders():
            missing = [name for name in self.checksums if _idx_file(folder, name) is None]
            if not missing:
                return folder
            if len(missing) < len(self.checksums):
                raise DataError(
                    f"{folder}: the files {', '.join(missing)} (or .gz) of MNIST are missing"
                )
            if (folder / "mnist.npz").is_file():
                return folder / "mnist.npz"
        return None

    def arrays(self, path: Path, progress: ProgressCallback | None = None) -> SplitArrays:
        """The four arrays, uint8. Raises DataError."""
        if path.is_file():
            return super().arrays(path)
        files = [_idx_file(path, name) or path / name for name in self.checksums]
        try:
            arrays = dict(zip(ARRAY_NAMES, map(read_idx, files, (3, 1, 3, 1)), strict=True))
        except DataError as error:
            hint = f"or remove all four, and `ldl data fetch {self.name}` downloads the set again"
            raise DataError(f"{error}, {hint}") from error
        for x, y, file in (("x_train", "y_train", files[0]), ("x_test", "y_test", files[2])):
            if arrays[x].shape[1:] != (28, 28):
                raise DataError(f"{file}: images of shape {arrays[x].shape[1:]}, not 28×28 pixels")
            if len(arrays[x]) != len(arrays[y]) or not len(arrays[x]):
                raise DataError(f"{file}: {len(arrays[x])} images, {len(arrays[y])} labels")
            if arrays[y].max() > 9:
                raise DataError(f"{file}: a label is {arrays[y].max()}; they go from 0 to 9")
        return arrays

    def file_names(self) -> str:
        """The four IDX files, for error messages."""
        return ", ".join(self.checksums) + " (or .gz)"

    def contents(self, arrays: SplitArrays) -> dict[str, bytes]:
        """The bytes of the original files, whatever the arrays were read from."""
        names = zip(self.checksums, ARRAY_NAMES, strict=True)
        return {file: idx_bytes(arrays[name]) for file, name in names}

    def from_openml(self, x: Array, labels: list[str]) -> SplitArrays:
        """The four arrays; OpenML keeps the order, so the original files' checksums hold."""
        arrays = self._split_arrays(x, labels)
        arrays = {name: array.astype(np.uint8) for name, array in arrays.items()}
        self._check_download(arrays, tuple(self.checksums))
        return arrays


@dataclass(frozen=True)
class Usps(_DigitSet):
    """7,291 + 2,007 digits from envelopes, 16×16 pixels from 0 to 1 (LeCun et al. 1989).

    Read from usps.npz.
    """

    name = "usps"
    openml_id = 41082
    info = DatasetInfo({"x": (256,)}, Target("classes", DIGIT_NAMES), (16, 16, 1), 9298, 2007)
    checksums: ClassVar[dict[str, str]] = {
        "x_train": "4cc10903414bb4be4b10f0203b73ceab02be2ac780faa3aafea3cfe226ec62fc",
        "y_train": "ee5027fd47b76715ac18ca27e72fa1332bde98e0b8ce593b503bb2bdb6c03da0",
        "x_test": "c8d20aa8f19bae84192211340054be91bc13731398616889e78aef4ce6d72f78",
        "y_test": "0b8b792b8ca1c5c704fd9d5bbd1b261623a359e6c8c65b23db428257beea7800",
    }

    def contents(self, arrays: SplitArrays) -> dict[str, bytes]:
        """Labels as bytes; pixels as whole numbers of 1/2000, which are free of rounding."""
        return {
            name: np.round(array.astype(np.float64) * 2000).astype("<u2").tobytes()
            if name.startswith("x")
            else array.tobytes()
            for name, array in arrays.items()
        }

    def from_openml(self, x: Array, labels: list[str]) -> SplitArrays:
        """The four arrays, from [−1, 1] to [0, 1]; the labels must match their checksums."""
        low, high = float(x.min()), float(x.max())
        if not (-1.01 < low < -0.99 and 0.99 < high < 1.01):
            raise DownloadError(f"OpenML gave pixels from {low:g} to {high:g}, not -1 to 1")
        x = np.clip((x + 1) / 2, 0, 1).astype(np.float32)
        arrays = self._split_arrays(x, labels)
        self._check_download(arrays, ("y_train", "y_test"))
        return arrays


def _idx_file(folder: Path, name: str) -> Path | None:
    files = (folder / name, folder / f"{name}.gz")
    return next((file for file in files if file.is_file()), None)


def read_idx(path: Path, dimensions: int) -> Array:
    """The uint8 array of an IDX file, plain or gzipped, with this number of dimensions.

    Big-endian: 0, 0, type (8 = unsigned byte), number of dimensions; a 32-bit size for each
    dimension; the values, last dimension fastest. Raises DataError where the magic number, the
    sizes or the length are wrong. Source: LeCun, Cortes and Burges, "The MNIST database".
    """
    try:
        with path.open("rb") as file:
            gzipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not gzipped:
                return _parse_idx(path, file, dimensions)
            with gzip.GzipFile(fileobj=file) as stream:
                return _parse_idx(path, stream, dimensions)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); {FETCH_HINT}") from error


def _parse_idx(path: Path, stream: IO[bytes] | gzip.GzipFile, dimensions: int) -> Array:
    size = 4 + 4 * dimensions
    header = stream.read(size)
    if header[:2] != b"\0\0" or len(header) < 4:
        start = header[:4].hex(" ") or "nothing"
        raise DataError(f"{path}: not an IDX file, it begins with {start}")
    if header[2] != 8 or header[3] != dimensions:
        raise DataError(
            f"{path}: IDX of type {header[2]:#x} with {header[3]} dimensions, where type 0x8 "
            f"(unsigned bytes) with {dimensions} is expected; are images and labels interchanged?"
        )
    if len(header) < size:
        raise DataError(f"{path}: ends within its header; {FETCH_HINT}")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    count = math.prod(shape)
    if count > MAX_DATA_BYTES:
        raise DataError(f"{path}: declares {count:,} bytes of shape {shape}; {FETCH_HINT}")
    # One byte more than declared, to see whether the file ends where it should.
    data = stream.read(count + 1)
    if len(data) != count:
        actual = "more" if len(data) > count else f"{len(data):,}"
        raise DataError(
            f"{path}: declares {count:,} values of shape {shape}, holds {actual}; {FETCH_HINT}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def idx_bytes(array: Array) -> bytes:
    """The IDX file of a uint8 array, not gzipped."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + np.ascontiguousarray(array, np.uint8).tobytes()
