"""CIFAR-10: from JPEG files in a tar or a folder, the binary batches, or OpenML."""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ldl.arrays import Array, ImageSize
from ldl.data.data_errors import raise_problems
from ldl.data.data_folders import cache_folder, cached_file, data_folders, file_stamp
from ldl.data.dataset import DatasetInfo, ProgressCallback, Target
from ldl.data.image_files import ImageError, decode_image, image_header_size, open_image
from ldl.data.npz import read_arrays
from ldl.data.openml import DownloadError
from ldl.data.sources.image_set import (
    ARRAY_NAMES,
    ChecksumResult,
    ImageSet,
    SplitArrays,
    split_arrays,
)
from ldl.errors import DataError

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
IMAGE: ImageSize = (32, 32, 3)
PIXELS = 3072  # values per image

JPEGS = ("cifar10-jpeg.tar.xz", "cifar10-jpeg.tar.gz", "cifar10-jpeg.tar", "cifar10-jpeg",
         "cifar10")  # fmt: skip
BINARY = ("cifar-10-binary.tar.gz", "cifar-10-batches-bin")
PICKLES = ("cifar-10-python.tar.gz", "cifar-10-batches-py")

JPEG_PATH = re.compile(r"(?:.*/)?(train|test)/([^/]+)/([^/]+\.jpe?g)", re.IGNORECASE)
BATCH_PATH = re.compile(r"(?:.*/)?(data_batch_[1-5]|test_batch)\.bin")
MAX_JPEG = 1 << 20  # bytes; 32×32 pixels take a thousandth of that
MAX_BATCH = 10_000 * (PIXELS + 1)  # bytes
PROGRESS_STEP = 500  # images between two calls of the progress callback

# The first labels of both sets and the red, green and blue of the first pixel.
FIRST_LABELS = {"y_train": [6, 9, 9, 4, 1, 1, 2, 7, 8, 3], "y_test": [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]}
FIRST_PIXEL = [59, 62, 63]


@dataclass(frozen=True)
class Cifar10(ImageSet):
    """50,000 + 10,000 colour images of ten classes, 32×32 pixels from 0 to 255 (Krizhevsky 2009).

    Read from JPEG files `train/CLASS/NAME.jpg` and `test/CLASS/NAME.jpg`, in cifar10-jpeg.tar.xz or
    a folder cifar10, or from cifar-10-binary.tar.gz; decoded once, then kept in the cache.
    """

    name = "cifar10"
    openml_id = 40927
    info = DatasetInfo({"x": (PIXELS,)}, Target("classes", CLASSES), IMAGE, 60_000, 10_000)
    checksums: ClassVar[dict[str, str]] = {
        "train": "90b39bd6a13957538c67ede87ee5105e3bba37c8cd0216143c02e5eace83a47b",
        "test": "51bb81e661ebd8b37721af1e1bb132db3e2fa8b95ccf385867df9894267f111e",
    }

    def find(self) -> Path | None:
        """The archive, folder or file that holds the set. Raises DataError for pickles alone."""
        for folder in data_folders():
            for name in (*JPEGS, *BINARY, "cifar10.npz"):
                path = folder / name
                if path.is_file() or (path.is_dir() and (name in BINARY or _has_splits(path))):
                    return path
        for folder in data_folders():
            for name in PICKLES:
                if (folder / name).exists():
                    raise DataError(
                        f"{folder / name}: holds pickles, which can run programs when they are "
                        f"opened and are never read; put {BINARY[0]} there instead"
                    )
        return None

    def arrays(self, path: Path, progress: ProgressCallback | None = None) -> SplitArrays:
        """The four arrays, uint8; images decoded before come from the cache. Raises DataError."""
        if path.suffix == ".npz":
            return super().arrays(path)
        cached, stamp = cache_folder() / "cifar10.decoded.npz", _source_stamp(path)
        with suppress(DataError):
            if read_arrays(cached, ["source"])["source"].item() == stamp:
                return read_arrays(cached, ARRAY_NAMES)
        arrays = _from_batches(path) if path.name in BINARY else _from_jpegs(path, progress)
        with suppress(OSError):  # without a cache the next run decodes again
            self.store(cached, {"source": np.array(stamp), **arrays})
        return arrays

    def store(self, path: Path, arrays: SplitArrays) -> None:
        """Write an uncompressed NPZ file: compression saves a tenth and delays every start."""
        with cached_file(path) as file:
            np.savez(file, allow_pickle=False, **arrays)

    def file_names(self) -> str:
        """The tar or the binary archive, for error messages."""
        return f"{JPEGS[0]} (train/CLASS/NAME.jpg, test/CLASS/NAME.jpg) or {BINARY[0]}"

    def verify(self) -> list[ChecksumResult]:
        """SHA-256 over the JPEG files of each set, by name. Raises DataError for other forms."""
        path = self.require()
        if path.name not in JPEGS:
            raise DataError(f"{path}: SHA-256 are known for {JPEGS[0]} only")
        digests = {split: hashlib.sha256() for split in self.checksums}
        for (split, *_), content in sorted(_jpegs(path)):
            digests[split].update(content)
        return [
            ChecksumResult(split, self.checksums[split], digest.hexdigest())
            for split, digest in digests.items()
        ]

    def from_openml(self, x: Array, labels: list[str]) -> SplitArrays:
        """The four arrays of rows of red, green and blue planes; checks the first values."""
        samples, test = self.info.samples or 0, self.info.official_test
        if x.shape != (samples, PIXELS) or set(labels) != set(map(str, range(10))):
            raise DownloadError(f"OpenML gave {x.shape} pixels and labels {sorted(set(labels))}")
        images = _channels_last(x.astype(np.uint8))
        arrays = split_arrays(images, np.array(labels, np.int64).astype(np.uint8), test)
        first_labels = {key: arrays[key][:10].tolist() for key in FIRST_LABELS}
        if first_labels != FIRST_LABELS or images[0, 0, 0].tolist() != FIRST_PIXEL:
            raise DownloadError("OpenML gave data that is not cifar10 in its known order")
        return arrays


def _has_splits(folder: Path) -> bool:
    return (folder / "train").is_dir() and (folder / "test").is_dir()


def _source_stamp(path: Path) -> str:
    """A text that changes when the archive, or any file in the folder, does."""
    if path.is_file():
        return f"{path.resolve()} {file_stamp(path)}"
    digest = hashlib.sha256()
    for folder, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            _, size, time = file_stamp(Path(folder, name))
            digest.update(f"{folder}/{name} {size} {time}\n".encode())
    return f"{path.resolve()} {digest.hexdigest()}"


def _from_jpegs(path: Path, progress: ProgressCallback | None) -> SplitArrays:
    """The arrays of all JPEG files, ordered by set, class and name."""
    files = sorted(_jpegs(path), key=lambda file: (file[0][0] == "test", *file[0][1:]))
    for split in ("train", "test"):
        if {key[1] for key, _ in files if key[0] == split} != set(CLASSES):
            raise DataError(f"{path}: {split}/ must hold the folders {', '.join(CLASSES)}")
    x, problems = np.empty((len(files), *IMAGE), np.uint8), list[str]()
    for i, (key, content) in enumerate(files):
        try:
            with open_image(io.BytesIO(content)) as image:
                if image_header_size(image) != IMAGE:
                    raise ImageError(f"is {image.height}×{image.width} {image.mode}")
                x[i] = decode_image(image, IMAGE)
        except ImageError as error:
            problems.append(f"{'/'.join(key)} {error}")
        if progress is not None and (i + 1) % PROGRESS_STEP == 0:
            progress("decoding cifar10", i + 1, len(files))
    raise_problems(f"{path}: {len(problems)} of {len(files)} images are not 32×32 RGB", problems)
    y = np.array([CLASSES.index(key[1]) for key, _ in files], np.uint8)
    return split_arrays(x, y, sum(key[0] == "test" for key, _ in files))


def _jpegs(path: Path) -> Iterator[tuple[tuple[str, str, str], bytes]]:
    """(train or test, class, name) and content of each JPEG file, in any order."""
    for match, content in _archive_files(path, JPEG_PATH, MAX_JPEG):
        yield (match[1].lower(), match[2], match[3]), content


def _from_batches(path: Path) -> SplitArrays:
    """The arrays of the binary version's six files, which repeat a label and 3072 pixels.

    The pixels of an image are 1024 reds, then greens, then blues. Source: the CIFAR-10 page of
    A. Krizhevsky.
    """
    batches: dict[str, Array] = {}
    for match, content in _archive_files(path, BATCH_PATH, MAX_BATCH):
        if not content or len(content) % (PIXELS + 1):
            size = f"{len(content):,} bytes, not {PIXELS + 1} per image"
            raise DataError(f"{path}: {match[0]} is {size}")
        batches[match[1]] = np.frombuffer(content, np.uint8).reshape(-1, PIXELS + 1)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    if missing := [f"{name}.bin" for name in names if name not in batches]:
        raise DataError(f"{path}: without {', '.join(missing)}")
    rows = np.concatenate([batches[name] for name in names])
    if rows[:, 0].max() > 9:
        raise DataError(f"{path}: a label is {rows[:, 0].max()}; they go from 0 to 9")
    return split_arrays(_channels_last(rows[:, 1:]), rows[:, 0].copy(), len(batches["test_batch"]))


def _channels_last(rows: Array) -> Array:
    """(n, 3072), plane after plane → (n, 32, 32, 3)."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _archive_files(
    path: Path, pattern: re.Pattern[str], max_size: int
) -> Iterator[tuple[re.Match[str], bytes]]:
    """The match and the content of each file of a tar or a folder whose path fits the pattern.

    Nothing is extracted to disk. Raises DataError.
    """
    try:
        for name, size, read in _tar_files(path) if path.is_file() else _folder_files(path):
            if match := pattern.fullmatch(name):
                if size > max_size:
                    raise DataError(
                        f"{path}: {name} is {size:,} bytes; the maximum is {max_size:,}"
                    )
                yield match, read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        hint = "get it again, or remove it, and `ldl data fetch cifar10` downloads the set"
        raise DataError(f"{path}: cannot be read ({error}); {hint}") from error


def _tar_files(path: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with tarfile.open(path, "r|*") as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                yield entry.name, entry.size, file.read


def _folder_files(root: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            yield path.relative_to(root).as_posix(), path.stat().st_size, path.read_bytes
