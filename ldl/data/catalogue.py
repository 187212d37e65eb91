"""The list of data sources, and how to download and verify those with files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ldl.data.dataset import DatasetInfo, ProgressCallback
from ldl.data.sources import SOURCES
from ldl.data.sources.cifar10 import Cifar10
from ldl.data.sources.digit_sets import Mnist, Usps
from ldl.data.sources.embedded import BreastCancer, Diabetes, Digits, Iris, Linnerud, Wine
from ldl.data.sources.image_set import ChecksumResult, ImageSet
from ldl.errors import DataError, UsageError

DOWNLOADABLE: dict[str, ImageSet] = {"mnist": Mnist(), "usps": Usps(), "cifar10": Cifar10()}
DERIVED_FROM = {"digit_pairs": "mnist"}
USER_FILES = ("csv", "npz", "images")
EMBEDDED = (Digits, Iris, Wine, BreastCancer, Diabetes, Linnerud)
State = Literal["embedded", "generated", "yours", "found", "incomplete", "missing"]


@dataclass(frozen=True)
class SourceListing:
    """One line of `ldl data list`; `info` is None for the user's own files."""

    name: str
    summary: str
    info: DatasetInfo | None
    state: State
    path: Path | None = None  # of the files of a downloadable set


def list_sources() -> list[SourceListing]:
    """All sources with their default settings; looks for files and reads none of them."""
    return [_listing(name, entry) for name, entry in SOURCES.items()]


def _listing(name: str, entry: type) -> SourceListing:
    summary = (entry.__doc__ or "").split("\n", 1)[0]
    if name in USER_FILES:
        return SourceListing(name, summary, None, "yours")
    info: DatasetInfo = entry().describe()
    files_of = DERIVED_FROM.get(name, name)
    if files_of not in DOWNLOADABLE:
        state: State = "embedded" if entry in EMBEDDED else "generated"
        return SourceListing(name, summary, info, state)
    try:
        path = DOWNLOADABLE[files_of].find()
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
        return DOWNLOADABLE[name]
    if name in DERIVED_FROM:
        reason = f"is made from {DERIVED_FROM[name]}"
    else:
        reason = "needs no download" if name in SOURCES else "is no data set"
    raise UsageError(f'"{name}" {reason}; the downloadable sets are {", ".join(DOWNLOADABLE)}')
