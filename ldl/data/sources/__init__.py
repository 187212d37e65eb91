"""The registry of data sources; the list of them, and the download of those with files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ldl.data.dataset import DatasetInfo, ProgressCallback
from ldl.data.sources.cifar10 import Cifar10
from ldl.data.sources.csv_file import Csv
from ldl.data.sources.digit_pairs import DigitPairs
from ldl.data.sources.digit_sets import Mnist, Usps
from ldl.data.sources.embedded import BreastCancer, Diabetes, Digits, Iris, Linnerud, Wine
from ldl.data.sources.generated import Bands, Circles, Disc, Gaussians, Moons, NoisyLine, Xor
from ldl.data.sources.image_folder import Images
from ldl.data.sources.image_set import ChecksumResult, ImageSet
from ldl.data.sources.npz_file import Npz
from ldl.errors import DataError, UsageError

EMBEDDED: dict[str, type] = {
    "digits": Digits,
    "iris": Iris,
    "wine": Wine,
    "breast_cancer": BreastCancer,
    "diabetes": Diabetes,
    "linnerud": Linnerud,
}
GENERATED: dict[str, type] = {
    "gaussians": Gaussians,
    "xor": Xor,
    "circles": Circles,
    "moons": Moons,
    "bands": Bands,
    "disc": Disc,
    "line": NoisyLine,
}
USER_FILES: dict[str, type] = {"csv": Csv, "npz": Npz, "images": Images}
DOWNLOADABLE: dict[str, type[ImageSet]] = {"mnist": Mnist, "usps": Usps, "cifar10": Cifar10}
DERIVED_FROM = {"digit_pairs": "mnist"}
SOURCES: dict[str, type] = {
    **EMBEDDED,
    **GENERATED,
    **USER_FILES,
    **DOWNLOADABLE,
    "digit_pairs": DigitPairs,
}
SourceState = Literal["embedded", "generated", "yours", "found", "incomplete", "missing"]


@dataclass(frozen=True)
class SourceListing:
    """One line of `ldl data list`; `info` is None for the user's own files."""

    name: str
    summary: str
    info: DatasetInfo | None
    state: SourceState
    path: Path | None = None  # of the files of a downloadable set


def list_sources() -> list[SourceListing]:
    """All sources with their default settings; looks for files and reads none of them."""
    return [_listing(name, entry) for name, entry in SOURCES.items()]


def _listing(name: str, entry: type) -> SourceListing:
    summary = (entry.__doc__ or "").split("\n", 1)[0]
    if name in USER_FILES:
        return SourceListing(name, summary, None, "yours")
    info: DatasetInfo = entry().describe()
    if name in EMBEDDED or name in GENERATED:
        return SourceListing(name, summary, info, "embedded" if name in EMBEDDED else "generated")
    try:
        path = DOWNLOADABLE[DERIVED_FROM.get(name, name)]().find()
    except DataError:
        return SourceListing(name, summary, info, "incomplete")
    return SourceListing(name, summary, info, "found" if path else "missing", path)


def fetch(name: str, progress: ProgressCallback | None = None) -> Path:
    """The path of a set, which is downloaded if it is absent. Raises DataError, UsageError."""
    image_set = _downloadable(name)
    return image_set.find() or image_set.fetch(progress)


def verify(name: str) -> list[ChecksumResult]:
    """The SHA-256 of a set's files beside the expected ones. Raises DataError, UsageError."""
    return _downloadable(name).verify()


def _downloadable(name: str) -> ImageSet:
    if name in DOWNLOADABLE:
        return DOWNLOADABLE[name]()
    if name in DERIVED_FROM:
        reason = f"is made from {DERIVED_FROM[name]}"
    else:
        reason = "needs no download" if name in SOURCES else "is no data set"
    raise UsageError(f'"{name}" {reason}; the downloadable sets are {", ".join(DOWNLOADABLE)}')
