"""The user's image files, in one folder per class."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from ldl.arrays import ImageSize, Shape
from ldl.data.data_errors import quoted, raise_problems
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.data.image_files import ImageError, decode_image, image_header_size, open_image
from ldl.data.npz import MAX_DATA_BYTES
from ldl.errors import DataError
from ldl.fields import FilePath, Size

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
SPLITS = ("train", "test")
PROGRESS_STEP = 200  # images between two calls of the progress callback


@dataclass(frozen=True)
class ImageFile:
    """An image file; size and time change when its content does."""

    path: str
    class_name: str
    split: str
    size: int
    time: int


@dataclass(frozen=True)
class Images:
    """Image files in one folder per class, or in train/ and test/ with one folder per class.

    JPEG, PNG and other files with 8 bits per channel, pixels from 0 to 255. All must have one size
    and number of channels, unless `size` (height, width) and `channels` say what to convert them
    to: resized bilinearly, grey (1) or RGB (3). Classes are in alphabetical order.
    """

    path: Annotated[str, FilePath()]
    size: tuple[Size, Size] | None = None
    channels: Literal[1, 3] | None = None

    def describe(self) -> DatasetInfo:
        """Lists the folder; reads all images' headers unless size and channels are set."""
        files = list_images(Path(self.path))
        classes = tuple(sorted({file.class_name for file in files}))
        height, width, channels = image = self._image_size(files)
        if len(files) * height * width * channels > MAX_DATA_BYTES:
            raise DataError(
                f"{self.path}: {len(files)} images of {height}×{width} are more than "
                f"{MAX_DATA_BYTES:,} bytes; `size` makes them smaller"
            )
        test = sum(file.split == "test" for file in files)
        inputs: dict[str, Shape] = {"x": (height * width * channels,)}
        return DatasetInfo(inputs, Target("classes", classes), image, len(files), test)

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """All images, training images first. Raises DataError with the names of damaged files."""
        info, files = self.describe(), list_images(Path(self.path))
        assert info.image is not None
        x = np.empty((len(files), *info.image), np.uint8)
        problems: list[str] = []
        for i, file in enumerate(files):
            try:
                with open_image(Path(file.path)) as image:
                    x[i] = decode_image(image, info.image)
            except ImageError as error:
                problems.append(f"{file.path} {error}")
            if progress is not None and (i + 1) % PROGRESS_STEP == 0:
                progress(f"reading {self.path}", i + 1, len(files))
        _raise_unreadable(self.path, problems, len(files))
        index_of = {name: i for i, name in enumerate(info.target.names)}
        y = np.array([index_of[file.class_name] for file in files], np.int64)
        return RawDataset(info, {"x": x.reshape(len(x), -1)}, y)

    def _image_size(self, files: tuple[ImageFile, ...]) -> ImageSize:
        """The size that every image has or is converted to."""
        if self.size and self.channels:
            return *self.size, self.channels
        return _common_size(self, files)


def list_images(root: Path) -> tuple[ImageFile, ...]:
    """The images in a folder by split, class and name. Raises DataError for another layout."""
    folders = _subfolders(root)
    if set(SPLITS) <= set(folders) and _subfolders(root / "train"):
        if extra := sorted(set(folders) - set(SPLITS)):
            raise DataError(
                f"{root}: beside train and test there is {quoted(extra)}; "
                "`data.split` makes the validation split"
            )
        files = [file for split in SPLITS for file in _class_files(root / split, split)]
        train_classes = {file.class_name for file in files if file.split == "train"}
        unknown = sorted({file.class_name for file in files} - train_classes)
        if unknown:
            raise DataError(f"{root}: {quoted(unknown)} is in test/ and not in train/")
        return tuple(files)
    return tuple(_class_files(root, "train"))


def _subfolders(root: Path) -> list[str]:
    try:
        with os.scandir(root) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise DataError(f"{root}: not a folder that can be read ({error.strerror})") from error


def _class_files(root: Path, split: str) -> list[ImageFile]:
    files: list[ImageFile] = []
    classes = _subfolders(root)
    if not classes:
        raise DataError(f"{root}: no folders in it; each class needs a folder of its images")
    for name in classes:
        with os.scandir(root / name) as entries:
            images = [e for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file()]
        if not images:
            raise DataError(f"{root / name}: no images in it ({', '.join(SUFFIXES)})")
        for entry in sorted(images, key=lambda entry: entry.name):
            status = entry.stat()
            files.append(ImageFile(entry.path, name, split, status.st_size, status.st_mtime_ns))
    return files


@lru_cache(maxsize=4)
def _common_size(source: Images, files: tuple[ImageFile, ...]) -> ImageSize:
    """The one size of all images, where `size` or `channels` replace their own."""
    sizes: dict[str, ImageSize] = {}
    problems: list[str] = []
    for file in files:
        try:
            with open_image(Path(file.path)) as image:
                height, width, channels = image_header_size(image)
        except ImageError as error:
            problems.append(f"{file.path} {error}")
            continue
        sizes[file.path] = (*(source.size or (height, width)), source.channels or channels)
    _raise_unreadable(source.path, problems, len(files))
    ((common, _),) = Counter(sizes.values()).most_common(1)
    height, width, channels = common
    mismatches = [
        f"{path} {_describe_size(size)}"
        for path, size in sizes.items()
        if size != common or not channels
    ]
    expected = f"{_describe_size(common)}, as most are" if channels else "grey or RGB"
    settings = f"size: [{height}, {width}], channels: {channels or 3}"
    raise_problems(
        f"{source.path}: {len(mismatches)} of {len(files)} images are not {expected}",
        mismatches,
        f"`images: {{path: …, {settings}}}` converts all to one size",
    )
    return common


def _describe_size(size: ImageSize) -> str:
    height, width, channels = size
    colours = {1: "grey", 3: "RGB"}.get(channels, "in other colours (transparent, CMYK, …)")
    return f"{height}×{width} {colours}"


def _raise_unreadable(path: str, problems: list[str], files: int) -> None:
    heading = f"{path}: {len(problems)} of {files} images are unusable"
    raise_problems(heading, problems, "repair or remove them")
