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
from typing import ClassVar, NamedTuple

import numpy as np

from ldl.arrays import Array, ImageSize
from ldl.data.data_folders import cache_folder, data_folders, stamp, write_whole
from ldl.data.dataset import DatasetInfo, ProgressCallback, Target
from ldl.data.image_files import ImageError, kind, opened, pixels, refuse
from ldl.data.npz import read_arrays
from ldl.data.openml import DownloadError
from ldl.data.sources.image_set import PARTS, Arrays, ChecksumResult, ImageSet, in_parts
from ldl.errors import DataError

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
PICTURE: ImageSize = (32, 32, 3)
SIZE = 3072  # numbers to a picture

JPEGS = ("cifar10-jpeg.tar.xz", "cifar10-jpeg.tar.gz", "cifar10-jpeg.tar", "cifar10-jpeg",
         "cifar10")  # fmt: skip
BINARY = ("cifar-10-binary.tar.gz", "cifar-10-batches-bin")
PICKLES = ("cifar-10-python.tar.gz", "cifar-10-batches-py")

JPEG = re.compile(r"(?:.*/)?(train|test)/([^/]+)/([^/]+\.jpe?g)", re.IGNORECASE)
BATCH = re.compile(r"(?:.*/)?(data_batch_[1-5]|test_batch)\.bin")
LARGEST_JPEG = 1 << 20  # bytes; 32×32 pixels take a thousandth of that
LARGEST_BATCH = 10_000 * (SIZE + 1)
TICK = 500  # pictures between two reports of progress

# The first labels of either part and the first pixel's red, green and blue, as everyone has them.
FIRST_LABELS = {"y_train": [6, 9, 9, 4, 1, 1, 2, 7, 8, 3], "y_test": [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]}
FIRST_PIXEL = [59, 62, 63]


class Member(NamedTuple):
    """A file of a tar or a folder."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Cifar10(ImageSet):
    """50,000 + 10,000 colour pictures of ten things, 32×32 pixels from 0 to 255 (Krizhevsky 2009).

    Read from JPEG files `train/CLASS/NAME.jpg` and `test/CLASS/NAME.jpg`, in cifar10-jpeg.tar.xz or
    a folder cifar10, or from cifar-10-binary.tar.gz; decoded once, then kept in the cache.
    """

    name = "cifar10"
    openml = 40927
    info = DatasetInfo({"x": (SIZE,)}, Target("classes", CLASSES), PICTURE, 60_000, 10_000)
    pinned: ClassVar[dict[str, str]] = {
        "train": "90b39bd6a13957538c67ede87ee5105e3bba37c8cd0216143c02e5eace83a47b",
        "test": "51bb81e661ebd8b37721af1e1bb132db3e2fa8b95ccf385867df9894267f111e",
    }

    def find(self) -> Path | None:
        """The archive, folder or file that holds the set; DataError where only pickles do."""
        for folder in data_folders():
            for name in (*JPEGS, *BINARY, "cifar10.npz"):
                place = folder / name
                if place.is_file() or (place.is_dir() and (name in BINARY or _is_split(place))):
                    return place
        for folder in data_folders():
            for name in PICKLES:
                if (folder / name).exists():
                    raise DataError(
                        f"{folder / name}: holds pickles, which can run programs when they are "
                        f"opened and are never read; put {BINARY[0]} there instead"
                    )
        return None

    def arrays(self, place: Path, progress: ProgressCallback | None = None) -> Arrays:
        """The four arrays, uint8; those decoded before come from the cache. Raises DataError."""
        if place.suffix == ".npz":
            return super().arrays(place)
        cached, mark = cache_folder() / "cifar10.decoded.npz", _mark(place)
        with suppress(DataError):
            if read_arrays(cached, ["source"])["source"].item() == mark:
                return read_arrays(cached, PARTS)
        arrays = _from_batches(place) if place.name in BINARY else _from_jpegs(place, progress)
        with suppress(OSError):  # a cache that cannot be written costs time, nothing else
            self.store(cached, {"source": np.array(mark), **arrays})
        return arrays

    def store(self, path: Path, arrays: Arrays) -> None:
        """Not compressed: that would save a tenth and make every start wait."""
        write_whole(path, lambda file: np.savez(file, allow_pickle=False, **arrays))

    def files(self) -> str:
        """The tar or the binary archive."""
        return f"{JPEGS[0]} (train/CLASS/NAME.jpg, test/CLASS/NAME.jpg) or {BINARY[0]}"

    def verify(self) -> list[ChecksumResult]:
        """SHA-256 over the JPEG files of either part, by name. Raises DataError for other forms."""
        place = self.place()
        if place.name not in JPEGS:
            raise DataError(f"{place}: SHA-256 are known of {JPEGS[0]} only")
        digests = {part: hashlib.sha256() for part in self.pinned}
        for (part, *_), content in sorted(_jpegs(place)):
            digests[part].update(content)
        return [
            ChecksumResult(part, self.pinned[part], d.hexdigest()) for part, d in digests.items()
        ]

    def from_openml(self, x: Array, labels: list[str]) -> Arrays:
        """Rows are the red, green and blue planes; the known beginnings have to be there."""
        samples, test = self.info.samples or 0, self.info.official_test
        if x.shape != (samples, SIZE) or set(labels) != set(map(str, range(10))):
            raise DownloadError(f"OpenML gave {x.shape} pixels and labels {sorted(set(labels))}")
        pictures = _channels_last(x.astype(np.uint8))
        arrays = in_parts(pictures, np.array(labels, np.int64).astype(np.uint8), test)
        firsts = {key: arrays[key][:10].tolist() for key in FIRST_LABELS}
        if firsts != FIRST_LABELS or pictures[0, 0, 0].tolist() != FIRST_PIXEL:
            raise DownloadError("what OpenML gave is not cifar10 in its known order")
        return arrays


def _is_split(place: Path) -> bool:
    return (place / "train").is_dir() and (place / "test").is_dir()


def _mark(place: Path) -> str:
    """What changes when the archive, or any file in the folder, does."""
    if place.is_file():
        return f"{place.resolve()} {stamp(place)}"
    digest = hashlib.sha256()
    for folder, _, names in sorted(os.walk(place)):
        for name in sorted(names):
            _, size, time = stamp(Path(folder, name))
            digest.update(f"{folder}/{name} {size} {time}\n".encode())
    return f"{place.resolve()} {digest.hexdigest()}"


def _from_jpegs(place: Path, progress: ProgressCallback | None) -> Arrays:
    """Decodes all JPEG files, ordered by part, class and name."""
    found = sorted(_jpegs(place), key=lambda member: (member[0][0] == "test", *member[0][1:]))
    classes = {part: {key[1] for key, _ in found if key[0] == part} for part in ("train", "test")}
    for part, names in classes.items():
        if names != set(CLASSES):
            raise DataError(f"{place}: {part}/ has to hold the folders {', '.join(CLASSES)}")
    x, faults = np.empty((len(found), *PICTURE), np.uint8), dict[str, str]()
    for i, (key, content) in enumerate(found):
        try:
            with opened(io.BytesIO(content)) as image:
                if kind(image) != PICTURE:
                    raise ImageError(f"is {image.height}×{image.width} {image.mode}")
                x[i] = pixels(image, PICTURE)
        except ImageError as error:
            faults["/".join(key)] = str(error)
        if progress is not None and (i + 1) % TICK == 0:
            progress("decoding cifar10", i + 1, len(found))
    refuse(faults, f"{place}: {len(faults)} pictures are not sound 32×32 RGB")
    y = np.array([CLASSES.index(key[1]) for key, _ in found], np.uint8)
    return in_parts(x, y, sum(key[0] == "test" for key, _ in found))


def _jpegs(place: Path) -> Iterator[tuple[tuple[str, str, str], bytes]]:
    """(part, class, name) and content of each JPEG file, in any order."""
    for member in _members(place, JPEG, LARGEST_JPEG):
        match = JPEG.fullmatch(member.name)
        assert match is not None
        yield (match[1].lower(), match[2], match[3]), member.content


def _from_batches(place: Path) -> Arrays:
    """The six files of the binary version: a label, then 1024 reds, greens and blues, 10,000 times.

    Source: the CIFAR-10 page of A. Krizhevsky.
    """
    batches: dict[str, Array] = {}
    for name, content in _members(place, BATCH, LARGEST_BATCH):
        match = BATCH.fullmatch(name)
        assert match is not None
        if not content or len(content) % (SIZE + 1):
            raise DataError(f"{place}: {name} is {len(content):,} bytes, not {SIZE + 1} a picture")
        batches[match[1]] = np.frombuffer(content, np.uint8).reshape(-1, SIZE + 1)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    if lacking := [f"{name}.bin" for name in names if name not in batches]:
        raise DataError(f"{place}: {', '.join(lacking)} lack")
    rows = np.concatenate([batches[name] for name in names])
    if rows[:, 0].max() > 9:
        raise DataError(f"{place}: a label is {rows[:, 0].max()}; they go from 0 to 9")
    return in_parts(_channels_last(rows[:, 1:]), rows[:, 0].copy(), len(batches["test_batch"]))


def _channels_last(rows: Array) -> Array:
    """(n, 3072), plane after plane → (n, 32, 32, 3)."""
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _members(place: Path, pattern: re.Pattern[str], largest: int) -> Iterator[Member]:
    """The files of a tar or a folder whose names fit; nothing is written. Raises DataError."""
    try:
        for name, size, read in _tar(place) if place.is_file() else _folder(place):
            if pattern.fullmatch(name):
                if size > largest:
                    raise DataError(f"{place}: {name} is {size:,} bytes; {largest:,} are the most")
                yield Member(name, read())
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        again = "remove it, and `ldl data fetch cifar10` downloads the set"
        raise DataError(f"{place}: cannot be read ({error}); fetch it anew, or {again}") from error


def _tar(place: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    with tarfile.open(place, "r|*") as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                yield entry.name, entry.size, file.read


def _folder(place: Path) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    for folder, _, names in os.walk(place):
        for name in names:
            path = Path(folder, name)
            yield path.relative_to(place).as_posix(), path.stat().st_size, path.read_bytes
