"""The plots of a run, as files and as images within a page."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ldl.folder_files import matching_files, read_bytes
from ldl.report.number_format import readable_name
from ldl.runs import RunFolder, write_bytes

DEFAULT_COUNT: Final = 6  # plots of a claim that names none
MAX_WIDTH: Final = 760  # pixels, in a report of many runs
MAX_COLOURS: Final = 64
WIDE_RATIO: Final = 2.0  # width over height, from which on a plot spans two columns
TITLES: Final = {
    "loss": "Loss by epoch",
    "metrics": "Metrics by epoch",
    "optimizer": "Learning rate and gradient norm by epoch",
    "fit": "Fit",
    "mistakes": "The most confident wrong predictions",
    "reconstruction": "Originals and reconstructions",
    "denoising": "Original, noisy, denoised, and the error",
    "decision_regions": "Decision regions",
    "tsne": "t-SNE of the code",
    "pca": "Principal components of the code",
}


@dataclass(frozen=True)
class PlotFile:
    """A PNG in a run's folder; `name` is its path there without the suffix."""

    path: Path
    name: str

    @property
    def title(self) -> str:
        """The title that belongs to the name."""
        folder, _, stem = self.name.rpartition("/")
        kind, _, split = stem.partition("-")
        title = TITLES.get(kind) or readable_name(kind).capitalize()
        if folder == "contingency":
            title = f"Contingency matrix, {readable_name(kind)}"
        return f"{title}, {readable_name(split)} split" if split else title


@dataclass(frozen=True)
class PlotImage:
    """A plot within a page: its PNG as a data URI, its size in pixels."""

    title: str
    alt: str
    uri: str
    width: int
    height: int

    @property
    def wide(self) -> bool:
        """Whether it spans two columns of the page."""
        return self.width > WIDE_RATIO * self.height


def plot_files(run: RunFolder) -> list[PlotFile]:
    """All plots of a run: loss and metrics, those of evaluations, contingency matrices."""
    plots, matrices = (
        [PlotFile(path, f"{folder.name}/{path.stem}") for path in matching_files(folder, "*.png")]
        for folder in (run.plots, run.contingency)
    )
    first = {"plots/loss": 0, "plots/metrics": 1}
    return [*sorted(plots, key=lambda plot: first.get(plot.name, len(first))), *matrices]


def select_plots(run: RunFolder, patterns: Sequence[str] | None) -> list[PlotFile]:
    """The plots that match a pattern, in the order of the patterns; for None the first few."""
    plots = plot_files(run)
    if patterns is None:
        return [p for p in plots if p.path.stem not in ("optimizer", "metrics")][:DEFAULT_COUNT]
    selected: dict[str, PlotFile] = {}
    for pattern in patterns:
        for plot in plots:
            names = (plot.name, plot.name.removeprefix("plots/"))
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                selected.setdefault(plot.name, plot)
    return list(selected.values())


def plot_image(png: bytes, title: str, alt: str) -> PlotImage:
    """The PNG as an image of a page."""
    uri = "data:image/png;base64," + base64.b64encode(png).decode()
    return PlotImage(title, alt, uri, *png_size(png))


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header (ISO/IEC 15948, IHDR)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def reduced_png(plot: PlotFile, cache: Path) -> bytes:
    """The plot with fewer pixels and colours, cached by the SHA-256 of the original."""
    png = read_bytes(plot.path)
    cached = cache / f"{hashlib.sha256(png).hexdigest()[:32]}.png"
    if cached.exists():
        return read_bytes(cached)
    reduced = _reduced(png)
    cache.mkdir(parents=True, exist_ok=True)
    write_bytes(cached, reduced)
    return reduced


def _reduced(png: bytes) -> bytes:
    """At most MAX_WIDTH pixels wide, in MAX_COLOURS colours; unchanged if that is no smaller."""
    from PIL import Image

    image: Image.Image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.width > MAX_WIDTH:
        height = round(image.height * MAX_WIDTH / image.width)
        image = image.resize((MAX_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.quantize(MAX_COLOURS, Image.Quantize.MEDIANCUT).save(buffer, "PNG", optimize=True)
    return min(png, buffer.getvalue(), key=len)
