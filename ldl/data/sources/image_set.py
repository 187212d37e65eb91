"""A known set of pictures: found in LDL_DATA_DIR or the cache, else downloaded from OpenML."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from ldl.arrays import Array, Shape
from ldl.data.data_folders import cache_folder, data_folders, write_whole
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset
from ldl.data.npz import ANEW
from ldl.data.openml import DownloadError, fetch
from ldl.data.sources.embedded import TEN
from ldl.data.sources.npz_file import Npz
from ldl.errors import DataError

PARTS = ("x_train", "y_train", "x_test", "y_test")
Arrays = dict[str, Array]  # the four PARTS


@dataclass(frozen=True)
class ChecksumResult:
    """A SHA-256 as it should be and as it is."""

    name: str
    expected: str
    actual: str

    @property
    def matches(self) -> bool:
        """Whether they are the same."""
        return self.expected == self.actual


@dataclass(frozen=True)
class ImageSet:
    """Pictures of ten classes with an official test part."""

    name: ClassVar[str]
    openml: ClassVar[int]  # the number of the data set there
    info: ClassVar[DatasetInfo]
    pinned: ClassVar[dict[str, str]]  # what → SHA-256

    @property
    def picture(self) -> Shape:
        """(height, width) of grey pictures, (height, width, channels) of coloured ones."""
        height, width, channels = self.info.image or (0, 0, 0)
        return (height, width) if channels == 1 else (height, width, channels)

    def describe(self) -> DatasetInfo:
        """Constants; reads nothing."""
        return self.info

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The training part, then the official test part; downloads them if they are not here."""
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
        """Downloads the set into the cache and checks it. Raises DataError saying what to do."""
        path = cache_folder() / f"{self.name}.npz"
        try:
            x, labels = fetch(self.name, self.openml, progress)
            self.store(path, self.from_openml(x, labels))
        except (DownloadError, OSError) as error:
            places = " or ".join(map(str, data_folders()))
            raise DataError(
                f"{self.name}: not in {places}; {error}\n  Put {self.files()} into "
                f"{cache_folder()}, or set LDL_DATA_DIR to the folder that holds them."
            ) from error
        return path

    def store(self, path: Path, arrays: Arrays) -> None:
        """Writes the arrays as an NPZ file."""
        write_whole(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))

    def arrays(self, place: Path, progress: ProgressCallback | None = None) -> Arrays:
        """The four arrays from where `find` says they are. Raises DataError."""
        try:
            raw = Npz(str(place)).read(0)
        except DataError as error:
            reason = str(error).removesuffix(ANEW)
            raise DataError(f"{reason}; {self.again(place)}") from error
        (x,), test = raw.inputs.values(), raw.info.official_test
        if raw.targets is None or not test or x[0].size != self.info.inputs["x"][0]:
            size = "×".join(map(str, self.picture))
            needed = f"{', '.join(PARTS)} are needed, {size} pixels to a sample"
            raise DataError(f"{place}: {needed}; {self.again(place)}")
        if raw.info.target.names != TEN:
            raise DataError(f"{place}: the labels have to be the digits 0 to 9")
        return in_parts(x.reshape(-1, *self.picture), raw.targets.astype(np.uint8), test)

    def verify(self) -> list[ChecksumResult]:
        """What there is against the known SHA-256. Raises DataError where nothing is found."""
        contents = self.contents(self.arrays(self.place()))
        return [
            ChecksumResult(what, self.pinned[what], hashlib.sha256(content).hexdigest())
            for what, content in contents.items()
        ]

    def place(self) -> Path:
        """Where the set is. Raises DataError where it is not."""
        place = self.find()
        if place is None:
            places = " or ".join(map(str, data_folders()))
            raise DataError(f"{self.name}: not in {places}; `ldl data fetch {self.name}` gets it")
        return place

    def again(self, place: Path) -> str:
        """What to do about a damaged file."""
        return f"remove {place.name}, and `ldl data fetch {self.name}` downloads it again"

    def files(self) -> str:
        """The names to look for, as an error says them."""
        return f"{self.name}.npz (arrays {', '.join(PARTS)})"

    def contents(self, arrays: Arrays) -> dict[str, bytes]:
        """The bytes that `pinned` speaks of."""
        raise NotImplementedError

    def from_openml(self, x: Array, labels: list[str]) -> Arrays:
        """The four arrays out of OpenML's rows, training rows first. Raises DownloadError."""
        raise NotImplementedError

    def _compare(self, arrays: Arrays, keys: tuple[str, ...]) -> None:
        contents = self.contents(arrays)
        for key in keys:
            if hashlib.sha256(contents[key]).hexdigest() != self.pinned[key]:
                raise DownloadError(f"what OpenML gave is not {self.name}: {key} differs")


def in_parts(x: Array, y: Array, test: int) -> Arrays:
    """The four arrays; the last `test` samples are the test part."""
    return dict(zip(PARTS, (x[:-test], y[:-test], x[-test:], y[-test:]), strict=True))
