"""MNIST and USPS: found in LDL_DATA_DIR or the cache, else downloaded from OpenML."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.data.data_folders import data_folders
from ldl.data.dataset import DatasetInfo, ProgressCallback, Target
from ldl.data.idx import idx_bytes, read_idx
from ldl.data.openml import DownloadError
from ldl.data.sources.embedded import TEN
from ldl.data.sources.image_set import PARTS, Arrays, ImageSet, in_parts
from ldl.errors import DataError


@dataclass(frozen=True)
class _DigitSet(ImageSet):
    """Grey pictures of the ten digits."""

    def _halves(self, x: Array, labels: list[str]) -> Arrays:
        samples, test = self.info.samples or 0, self.info.official_test
        if x.shape != (samples, *self.info.inputs["x"]) or set(labels) - {*map(str, range(11))}:
            raise DownloadError(f"OpenML gave {x.shape} pixels and labels {sorted(set(labels))}")
        y = np.array(labels, np.int64)
        y = (y - y.min()).astype(np.uint8)  # USPS has 1 to 10 there for the digits 0 to 9
        return in_parts(x.reshape(samples, *self.picture), y, test)


@dataclass(frozen=True)
class Mnist(_DigitSet):
    """60,000 + 10,000 handwritten digits, 28×28 pixels from 0 to 255 (LeCun et al. 1998).

    Read from the four original IDX files, plain or gzipped, or from mnist.npz.
    """

    name = "mnist"
    openml = 554
    info = DatasetInfo({"x": (784,)}, Target("classes", TEN), (28, 28, 1), 70_000, 10_000)
    pinned: ClassVar[dict[str, str]] = {
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
        """The folder of the IDX files, or mnist.npz; DataError where some of the four lack."""
        for folder in data_folders():
            lacking = [name for name in self.pinned if _idx_file(folder, name) is None]
            if not lacking:
                return folder
            if len(lacking) < len(self.pinned):
                raise DataError(f"{folder}: of MNIST's files {', '.join(lacking)} (or .gz) lack")
            if (folder / "mnist.npz").is_file():
                return folder / "mnist.npz"
        return None

    def arrays(self, place: Path, progress: ProgressCallback | None = None) -> Arrays:
        """The four arrays, uint8. Raises DataError."""
        if place.is_file():
            return super().arrays(place)
        paths = [_idx_file(place, name) or place / name for name in self.pinned]
        try:
            arrays = dict(zip(PARTS, map(read_idx, paths, (3, 1, 3, 1)), strict=True))
        except DataError as error:
            again = f"or remove all four, and `ldl data fetch {self.name}` downloads the set again"
            raise DataError(f"{error}, {again}") from error
        for x, y, path in (("x_train", "y_train", paths[0]), ("x_test", "y_test", paths[2])):
            if arrays[x].shape[1:] != (28, 28):
                raise DataError(f"{path}: pictures of {arrays[x].shape[1:]}, not 28×28 pixels")
            if len(arrays[x]) != len(arrays[y]) or not len(arrays[x]):
                raise DataError(f"{path}: {len(arrays[x])} pictures, {len(arrays[y])} labels")
            if arrays[y].max() > 9:
                raise DataError(f"{path}: a label is {arrays[y].max()}; they go from 0 to 9")
        return arrays

    def files(self) -> str:
        """The four IDX names."""
        return ", ".join(self.pinned) + " (or .gz)"

    def contents(self, arrays: Arrays) -> dict[str, bytes]:
        """The original files' bytes, whatever the arrays were read from."""
        return {
            name: idx_bytes(arrays[part]) for name, part in zip(self.pinned, PARTS, strict=True)
        }

    def from_openml(self, x: Array, labels: list[str]) -> Arrays:
        """OpenML keeps the original order, so the original files' checksums hold for it too."""
        arrays = {part: array.astype(np.uint8) for part, array in self._halves(x, labels).items()}
        self._compare(arrays, tuple(self.pinned))
        return arrays


@dataclass(frozen=True)
class Usps(_DigitSet):
    """7,291 + 2,007 digits from envelopes, 16×16 pixels from 0 to 1 (LeCun et al. 1989).

    Read from usps.npz.
    """

    name = "usps"
    openml = 41082
    info = DatasetInfo({"x": (256,)}, Target("classes", TEN), (16, 16, 1), 9298, 2007)
    pinned: ClassVar[dict[str, str]] = {
        "x_train": "4cc10903414bb4be4b10f0203b73ceab02be2ac780faa3aafea3cfe226ec62fc",
        "y_train": "ee5027fd47b76715ac18ca27e72fa1332bde98e0b8ce593b503bb2bdb6c03da0",
        "x_test": "c8d20aa8f19bae84192211340054be91bc13731398616889e78aef4ce6d72f78",
        "y_test": "0b8b792b8ca1c5c704fd9d5bbd1b261623a359e6c8c65b23db428257beea7800",
    }

    def contents(self, arrays: Arrays) -> dict[str, bytes]:
        """Labels as bytes; pixels as the whole 2000ths that they are, free of rounding."""
        return {
            part: np.round(array.astype(np.float64) * 2000).astype("<u2").tobytes()
            if part.startswith("x")
            else array.tobytes()
            for part, array in arrays.items()
        }

    def from_openml(self, x: Array, labels: list[str]) -> Arrays:
        """[−1, 1] there, [0, 1] here; the labels in their order have to be the known ones."""
        low, high = float(x.min()), float(x.max())
        if not (-1.01 < low < -0.99 and 0.99 < high < 1.01):
            raise DownloadError(f"OpenML gave pixels from {low:g} to {high:g}, not -1 to 1")
        x = np.clip((x + 1) / 2, 0, 1).astype(np.float32)
        arrays = self._halves(x, labels)
        self._compare(arrays, ("y_train", "y_test"))
        return arrays


def _idx_file(folder: Path, name: str) -> Path | None:
    files = (folder / name, folder / f"{name}.gz")
    return next((file for file in files if file.is_file()), None)
