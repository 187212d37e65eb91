"""Picture files of the user's own, in a folder a class."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from ldl.arrays import ImageSize, Shape
from ldl.data.csv_table import quoted
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.data.image_files import ImageError, kind, opened, pixels, refuse
from ldl.data.npz import LIMIT
from ldl.errors import DataError
from ldl.fields import FilePath, Size

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
PARTS = ("train", "test")
TICK = 200  # pictures between two reports of progress


@dataclass(frozen=True)
class ImageFile:
    """A file as its folder lists it; changed content shows in size or time."""

    path: str
    class_name: str
    part: str
    size: int
    time: int


@dataclass(frozen=True)
class Images:
    """The pictures in a folder, in a subfolder for each class; or in train/ and test/, each so.

    JPEG, PNG and other files with 8 bits a channel, pixels from 0 to 255. All have to be of one
    size and number of channels, unless `size` (height, width) and `channels` say what to make of
    them: resized bilinearly, grey (1) or RGB (3). Classes are in alphabetical order.
    """

    path: Annotated[str, FilePath()]
    size: tuple[Size, Size] | None = None
    channels: Literal[1, 3] | None = None

    def describe(self) -> DatasetInfo:
        """Lists the folder; reads the headers of all pictures unless size and channels are set."""
        files = list_pictures(Path(self.path))
        classes = tuple(sorted({file.class_name for file in files}))
        height, width, channels = picture = self._picture(files)
        if len(files) * height * width * channels > LIMIT:
            raise DataError(
                f"{self.path}: {len(files)} pictures of {height}×{width} are more than {LIMIT:,} "
                "bytes; `size` makes them smaller"
            )
        test = sum(file.part == "test" for file in files)
        inputs: dict[str, Shape] = {"x": (height * width * channels,)}
        return DatasetInfo(inputs, Target("classes", classes), picture, len(files), test)

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """All pictures, training part first. Raises DataError that names those that are damaged."""
        info, files = self.describe(), list_pictures(Path(self.path))
        assert info.image is not None
        x = np.empty((len(files), *info.image), np.uint8)
        faults: dict[str, str] = {}
        for i, file in enumerate(files):
            try:
                with opened(Path(file.path)) as image:
                    x[i] = pixels(image, info.image)
            except ImageError as error:
                faults[file.path] = str(error)
            if progress is not None and (i + 1) % TICK == 0:
                progress(f"reading {self.path}", i + 1, len(files))
        _refuse_unreadable(self.path, faults)
        place = {name: i for i, name in enumerate(info.target.names)}
        y = np.array([place[file.class_name] for file in files], np.int64)
        return RawDataset(info, {"x": x.reshape(len(x), -1)}, y)

    def _picture(self, files: tuple[ImageFile, ...]) -> ImageSize:
        """What every picture is or is brought to."""
        if self.size and self.channels:
            return *self.size, self.channels
        return _common(self, files)


def list_pictures(root: Path) -> tuple[ImageFile, ...]:
    """The pictures in a folder by part, class and name. Raises DataError where the form differs."""
    parts = _folders(root)
    if set(PARTS) <= set(parts) and _folders(root / "train"):
        if others := sorted(set(parts) - set(PARTS)):
            raise DataError(
                f"{root}: beside train and test there is {quoted(others)}; "
                "a validation part is made by `data.split`"
            )
        files = [file for part in PARTS for file in _classes(root / part, part)]
        known = {file.class_name for file in files if file.part == "train"}
        unknown = sorted({file.class_name for file in files} - known)
        if unknown:
            raise DataError(f"{root}: {quoted(unknown)} stands in test/ and not in train/")
        return tuple(files)
    return tuple(_classes(root, "train"))


def _folders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: not a folder that can be read ({error.strerror})") from error


def _classes(root: Path, part: str) -> list[ImageFile]:
    files: list[ImageFile] = []
    folders = _folders(root)
    if not folders:
        raise DataError(
            f"{root}: no folders in it; the pictures of a class stand in one of its own"
        )
    for name in folders:
        with os.scandir(root / name) as entries:
            found = [e for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file()]
        if not found:
            raise DataError(f"{root / name}: no pictures in it ({', '.join(SUFFIXES)})")
        for entry in sorted(found, key=lambda entry: entry.name):
            status = entry.stat()
            files.append(ImageFile(entry.path, name, part, status.st_size, status.st_mtime_ns))
    return files


@lru_cache(maxsize=4)
def _common(source: Images, files: tuple[ImageFile, ...]) -> ImageSize:
    """The one size and number of channels that all pictures have; what is set counts as theirs."""
    kinds: dict[str, ImageSize] = {}
    faults: dict[str, str] = {}
    for file in files:
        try:
            with opened(Path(file.path)) as image:
                height, width, channels = kind(image)
        except ImageError as error:
            faults[file.path] = str(error)
            continue
        kinds[file.path] = (*(source.size or (height, width)), source.channels or channels)
    _refuse_unreadable(source.path, faults)
    ((common, _),) = Counter(kinds.values()).most_common(1)
    strays = {path: _words(found) for path, found in kinds.items() if found != common}
    if not common[2]:
        strays = {path: _words(found) for path, found in kinds.items()}
    height, width, channels = common
    wanted = f"size: [{height}, {width}], channels: {channels or 3}"
    refuse(
        strays,
        f"{source.path}: {len(strays)} of {len(files)} pictures are not "
        + ("grey or RGB" if not channels else f"{_words(common)}, as most are"),
        f"`images: {{path: …, {wanted}}}` makes all alike",
    )
    return common


def _words(picture: ImageSize) -> str:
    height, width, channels = picture
    colours = {1: "grey", 3: "RGB"}.get(channels, "in other colours (transparent, CMYK, …)")
    return f"{height}×{width} {colours}"


def _refuse_unreadable(path: str, faults: dict[str, str]) -> None:
    refuse(faults, f"{path}: {len(faults)} pictures are of no use", "mend them or take them away")
