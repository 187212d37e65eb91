"""A published set of images: found in LDL_DATA_DIR or the cache, else downloaded from OpenML."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ldl.arrays import Array, Shape
from ldl.data.data_folders import cache_folder, cached_file, data_folders
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset
from ldl.data.npz import REWRITE_HINT
from ldl.data.openml import DownloadError, download
from ldl.data.sources.embedded import DIGIT_NAMES
from ldl.data.sources.npz_file import Npz
from ldl.errors import DataError

ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
SplitArrays = dict[str, Array]  # one for each of ARRAY_NAMES


@dataclass(frozen=True)
class ChecksumResult:
    """The expected and the actual SHA-256 of a file or array."""

    name: str
    expected: str
    actual: str

    @property
    def matches(self) -> bool:
        """Whether the two are equal."""
        return self.expected == self.actual


@dataclass(frozen=True)
class ImageSet:
    """Images of ten classes with an official test set."""

    name: ClassVar[str]
    openml_id: ClassVar[int]
    info: ClassVar[DatasetInfo]
    checksums: ClassVar[dict[str, str]]  # SHA-256 by the names of `contents`

    @property
    def image_shape(self) -> Shape:
        """(height, width) of grey images, (height, width, channels) of coloured ones."""
        height, width, channels = self.info.image or (0, 0, 0)
        return (height, width) if channels == 1 else (height, width, channels)

    def describe(self) -> DatasetInfo:
        """The constants of the set; reads no file."""
        return self.info

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The training images, then the test images; downloads the set if it is absent."""
        arrays = self.arrays(self.find() or self.fetch(progress), progress)
        pixels = self.info.inputs["x"][0]
        x = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(-1, pixels)
        y = np.concatenate([arrays["y_train"], arrays["y_test"]]).astype(np.int64)
        info = replace(self.info, samples=len(y), official_test=len(arrays["y_test"]))
        return RawDataset(info, {"x": x}, y)

    def find(self) -> Path | None:
        """The folder or file that holds the set, None if there is none."""
        files = [folder / f"{self.name}.npz" for folder in data_folders()]
        return next((file for file in files if file.is_file()), None)

    def fetch(self, progress: ProgressCallback | None = None) -> Path:
        """Download the set into the cache and check it. Raises DataError with a remedy."""
        path = cache_folder() / f"{self.name}.npz"
        try:
            x, labels = download(self.name, self.openml_id, progress)
            self.store(path, self.from_openml(x, labels))
        except (DownloadError, OSError) as error:
            raise DataError(
                f"{self.name}: not in {_folder_names()}; {error}\n  Put {self.file_names()} into "
                f"{cache_folder()}, or set LDL_DATA_DIR to the folder that holds them."
            ) from error
        return path

    def store(self, path: Path, arrays: SplitArrays) -> None:
        """Write the arrays to an NPZ file."""
        with cached_file(path) as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def arrays(self, path: Path, progress: ProgressCallback | None = None) -> SplitArrays:
        """The four arrays from the path that `find` gives. Raises DataError."""
        try:
            raw = Npz(str(path)).read(0)
        except DataError as error:
            reason = str(error).removesuffix(REWRITE_HINT)
            raise DataError(f"{reason}; {self.download_hint(path)}") from error
        (x,), test = raw.inputs.values(), raw.info.official_test
        if raw.targets is None or not test or x[0].size != self.info.inputs["x"][0]:
            size = "×".join(map(str, self.image_shape))
            needed = f"{', '.join(ARRAY_NAMES)} are needed, {size} pixels per sample"
            raise DataError(f"{path}: {needed}; {self.download_hint(path)}")
        if raw.info.target.names != DIGIT_NAMES:
            raise DataError(f"{path}: the labels must be the digits 0 to 9")
        return split_arrays(x.reshape(-1, *self.image_shape), raw.targets.astype(np.uint8), test)

    def verify(self) -> list[ChecksumResult]:
        """The SHA-256 of the set beside the expected ones. Raises DataError if it is absent."""
        contents = self.contents(self.arrays(self.require()))
        return [
            ChecksumResult(name, self.checksums[name], hashlib.sha256(content).hexdigest())
            for name, content in contents.items()
        ]

    def require(self) -> Path:
        """The folder or file that holds the set. Raises DataError where there is none."""
        path = self.find()
        if path is None:
            raise DataError(
                f"{self.name}: not in {_folder_names()}; `ldl data fetch {self.name}` downloads it"
            )
        return path

    def download_hint(self, path: Path) -> str:
        """The remedy for a damaged file."""
        return f"remove {path.name}, and `ldl data fetch {self.name}` downloads it again"

    def file_names(self) -> str:
        """The files of the set, for error messages."""
        return f"{self.name}.npz (arrays {', '.join(ARRAY_NAMES)})"

    def contents(self, arrays: SplitArrays) -> dict[str, bytes]:
        """The bytes whose SHA-256 are `checksums`."""
        raise NotImplementedError

    def from_openml(self, x: Array, labels: list[str]) -> SplitArrays:
        """The four arrays of OpenML's rows, training rows first. Raises DownloadError."""
        raise NotImplementedError

    def _check_download(self, arrays: SplitArrays, names: tuple[str, ...]) -> None:
        contents = self.contents(arrays)
        for name in names:
            if hashlib.sha256(contents[name]).hexdigest() != self.checksums[name]:
                raise DownloadError(
                    f"OpenML gave data that is not {self.name}: {name} has another SHA-256"
                )


def split_arrays(x: Array, y: Array, test: int) -> SplitArrays:
    """The four arrays by name; the last `test` samples are the test set."""
    return dict(zip(ARRAY_NAMES, (x[:-test], y[:-test], x[-test:], y[-test:]), strict=True))


def _folder_names() -> str:
    return " or ".join(map(str, data_folders()))
