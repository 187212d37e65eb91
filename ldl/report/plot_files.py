"""The pictures of a run as data URIs."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ldl.report.markup import Safe, tag
from ldl.report.number_format import words
from ldl.runs import RunFolder, write_bytes

MOST: Final = 6  # pictures of one file where it does not say which
WIDTH: Final = 760  # pixels, of a picture in a report of many
COLOURS: Final = 64
WIDE: Final = 2.0  # width over height, from which on a picture takes more room than others
TITLES: Final = {
    "loss": "Loss by epoch",
    "metrics": "Metrics by epoch",
    "optimizer": "Learning rate and gradient norm by epoch",
    "fit": "Fit",
    "mistakes": "The most confident mistakes",
    "reconstruction": "Originals and reconstructions",
    "denoising": "Original, noisy, denoised, and the error",
    "decision_regions": "Decision regions",
    "tsne": "t-SNE of the code",
    "pca": "Principal components of the code",
}


@dataclass(frozen=True)
class Picture:
    """A PNG in a run's folder; `name` is its path there without the suffix."""

    path: Path
    name: str

    @property
    def title(self) -> str:
        """What it shows."""
        folder, _, stem = self.name.rpartition("/")
        kind, _, rest = stem.partition("-")
        title = TITLES.get(kind) or words(kind).capitalize()
        if folder == "contingency":
            title = f"Contingency matrix, {words(kind)}"
        return f"{title}, {words(rest)} part" if rest else title


def pictures(run: RunFolder) -> list[Picture]:
    """All of a run: curves first, then what evaluations show, then contingency matrices."""
    plots = [Picture(p, f"plots/{p.stem}") for p in sorted(run.plots.glob("*.png"))]
    matrices = [Picture(p, f"contingency/{p.stem}") for p in sorted(run.contingency.glob("*.png"))]
    order = ("loss", "metrics")

    def rank(picture: Picture) -> int:
        stem = picture.path.stem
        return order.index(stem) if stem in order else len(order)

    return [*sorted(plots, key=rank), *matrices]


def chosen(run: RunFolder, shows: Sequence[str] | None) -> list[Picture]:
    """Those that a claim names, in its order; the first few where it names none."""
    found = pictures(run)
    if shows is None:
        return [each for each in found if each.path.stem not in ("optimizer", "metrics")][:MOST]
    picked: dict[str, Picture] = {}
    for pattern in shows:
        for each in found:
            if fnmatch.fnmatchcase(each.name, pattern) or fnmatch.fnmatchcase(
                each.name.removeprefix("plots/"), pattern
            ):
                picked.setdefault(each.name, each)
    return list(picked.values())


def uri(data: bytes) -> str:
    """PNG as a data URI."""
    return "data:image/png;base64," + base64.b64encode(data).decode()


def small(picture: Picture, cache: Path) -> bytes:
    """The picture with fewer pixels and colours, kept in `cache` by the SHA-256 of the original."""
    data = picture.path.read_bytes()
    kept = cache / f"{hashlib.sha256(data).hexdigest()[:32]}.png"
    if kept.exists():
        return kept.read_bytes()
    less = _reduced(data)
    cache.mkdir(parents=True, exist_ok=True)
    write_bytes(kept, less)
    return less


def _reduced(data: bytes) -> bytes:
    """At most WIDTH pixels wide and in COLOURS colours; as it was where that is no smaller."""
    from PIL import Image

    image: Image.Image = Image.open(io.BytesIO(data)).convert("RGB")
    if image.width > WIDTH:
        height = round(image.height * WIDTH / image.width)
        image = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT).save(content, "PNG", optimize=True)
    return min(data, content.getvalue(), key=len)


def size(data: bytes) -> tuple[int, int]:
    """Width and height, from the PNG's header (ISO/IEC 15948, IHDR)."""
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def figure(data: bytes, title: str, alt: str) -> Safe:
    """The picture with its caption; its room is kept before it is decoded."""
    width, height = size(data)
    image = tag(
        "img", src=uri(data), alt=alt, width=width, height=height, loading="lazy", decoding="async"
    )
    wide = "wide" if width > WIDE * height else None
    return tag("figure", tag("figcaption", title), image, class_=wide)
