"""What data sets there are, where they are found, getting them and checking them."""

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
YOURS = ("csv", "npz", "images")
EMBEDDED = (Digits, Iris, Wine, BreastCancer, Diabetes, Linnerud)
State = Literal["embedded", "generated", "yours", "found", "incomplete", "missing"]


@dataclass(frozen=True)
class SourceListing:
    """A line of `ldl data list`; `info` is None for files of the user's own."""

    name: str
    summary: str
    info: DatasetInfo | None
    state: State
    path: Path | None = None  # where a set is that has files of its own


def list_sources() -> list[SourceListing]:
    """All sources with their default settings; looks for files and reads none of them."""
    return [_listing(name, entry) for name, entry in SOURCES.items()]


def _listing(name: str, entry: type) -> SourceListing:
    summary = (entry.__doc__ or "").split("\n", 1)[0]
    if name in YOURS:
        return SourceListing(name, summary, None, "yours")
    info: DatasetInfo = entry().describe()
    needed = DERIVED_FROM.get(name, name)
    if needed not in DOWNLOADABLE:
        return SourceListing(name, summary, info, "embedded" if entry in EMBEDDED else "generated")
    try:
        place = DOWNLOADABLE[needed].find()
    except DataError:
        return SourceListing(name, summary, info, "incomplete")
    return SourceListing(name, summary, info, "found" if place else "missing", place)


def fetch(name: str, progress: ProgressCallback | None = None) -> Path:
    """Where a set lies, downloading it if it is nowhere. Raises DataError, UsageError."""
    source = _fetched(name)
    return source.find() or source.fetch(progress)


def verify(name: str) -> list[ChecksumResult]:
    """The SHA-256 of what is there against the known ones. Raises DataError, UsageError."""
    return _fetched(name).verify()


def _fetched(name: str) -> ImageSet:
    if name not in DOWNLOADABLE:
        kind = "needs no download" if name in SOURCES else "is no data set"
        if name in DERIVED_FROM:
            kind = f"is made of {DERIVED_FROM[name]}"
        raise UsageError(
            f'"{name}" {kind}; those with files of their own: {", ".join(DOWNLOADABLE)}'
        )
    return DOWNLOADABLE[name]
