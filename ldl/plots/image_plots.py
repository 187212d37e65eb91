"""Sample images: reconstructions, denoising, compression, misclassified ones, cluster centres."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.class_scatter import Arrays
from ldl.plots.image_mosaic import (
    GAP,
    captioned_mosaic,
    colour_mapped,
    fit_to_size,
    labelled_rows,
    to_rgb,
    value_range,
    zoom,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_MAP = "magma"
ROW_NAMES = {"pca": "PCA", "jpeg": "JPEG"}
ERROR_ROW = "squared error"


def reconstruction_plot(data: Arrays, run: str) -> Figure | None:
    """Originals, reconstructions and squared errors, a column per sample."""
    return _rows_with_error(data, ("original", "reconstruction"), "Reconstructions", run)


def denoising_plot(data: Arrays, run: str) -> Figure | None:
    """Originals, noisy and denoised samples and squared errors, a column per sample."""
    return _rows_with_error(data, ("original", "noisy", "denoised"), "Denoising", run)


def _rows_with_error(data: Arrays, names: tuple[str, ...], title: str, run: str) -> Figure | None:
    """A row of images for each of `names` and one of squared errors with its scale."""
    original = data["original"]
    if not len(original):
        return None
    span = value_range(original)
    errors, highest = _error_tiles(data["error"])
    rows = [*(zoom(to_rgb(data[name], span)) for name in names), errors]
    fig, ax, height = labelled_rows(
        rows, [*names, ERROR_ROW], data["labels"], title, run, left=1.3, right=0.8, below=0.18
    )
    _error_scale(fig, ax, height, len(rows), highest)
    return fig


def compression_plot(data: Arrays, run: str) -> Figure | None:
    """Originals, codes as images, reconstructions of the network, PCA and JPEG, and errors."""
    original = data["original"]
    if not len(original):
        return None
    code = data["code"]
    span = value_range(original)
    errors, highest = _error_tiles(data["error"])
    names = [name for name in ("original", "reconstruction", "pca", "jpeg") if name in data]
    first, *remaining = (zoom(to_rgb(data[name], span)) for name in names)
    low, high = float(code.min()), float(code.max())
    codes = fit_to_size(to_rgb(code[..., None], (low, high)), first.shape[1:3])
    rows = [first, codes, *remaining, errors]
    shape = "×".join(map(str, code.shape[1:]))
    numbers = f"code of {code[0].size} numbers, shown as {shape}"
    subtitle = f"{run} · {numbers} from {low:.3g} (black) to {high:.3g} (white)"
    row_names = ["original", "code", *(ROW_NAMES.get(name, name) for name in names[1:]), ERROR_ROW]
    fig, ax, height = labelled_rows(
        rows, row_names, data["labels"], "Compression", subtitle,
        left=1.3, right=0.8, below=0.18, min_width=6.4,
    )  # fmt: skip
    _error_scale(fig, ax, height, len(rows), highest)
    return fig


def misclassified_plot(data: Arrays, run: str) -> Figure | None:
    """The most confidently misclassified images: true and predicted class, and probability."""
    images = data["images"]
    if not len(images):
        return None
    names = [str(name) for name in (*data["true"], *data["predicted"])]
    is_long = max(map(len, names)) > 3
    joint = "\nas " if is_long else " read as "
    captions = [
        f"{style.shorten(str(true), 12)}{joint}{style.shorten(str(predicted), 10)}\n{_percent(p)}"
        for true, predicted, p in zip(
            data["true"], data["predicted"], data["confidence"], strict=True
        )
    ]
    return captioned_mosaic(
        zoom(to_rgb(images, value_range(images))), captions, 54 if is_long else 40,
        "Most confident misclassifications", run, above=0.7, min_width=4.2,
    )  # fmt: skip


def cluster_centres_plot(data: Arrays, run: str) -> Figure | None:
    """The decoded centre of each cluster, its number of samples and its most frequent class."""
    images = data["images"]
    if not len(images):
        return None
    captions = [
        f"c{i + 1}, {samples:,}\n{style.shorten(str(name), 12)}"
        for i, (name, samples) in enumerate(zip(data["names"], data["sizes"], strict=True))
    ]
    return captioned_mosaic(
        zoom(to_rgb(images, value_range(images))), captions, 34, "Decoded cluster centres",
        f"{run} · cluster, samples and most frequent class", above=0.72, min_width=4.6,
    )  # fmt: skip


def _percent(confidence: float) -> str:
    return ">99.9%" if confidence > 0.999 else f"{100 * confidence:.1f}%"


def _error_tiles(error: Array) -> tuple[Array, float]:
    """Squared errors (n, h, w) as coloured images, and the largest error, or 1 if there is none."""
    finite = np.nan_to_num(error, posinf=0.0)
    highest = float(finite.max()) or 1.0
    return zoom(colour_mapped(finite, ERROR_MAP, 0.0, highest)), highest


def _error_scale(fig: Figure, ax: Axes, height: int, rows: int, highest: float) -> None:
    """Draw the scale of the squared error beside the lowest row."""
    box = ax.get_position()
    share = box.height * height / ((height + GAP) * rows - GAP)
    row = fig.add_axes((box.x0, box.y0, box.width, share), frameon=False, xticks=[], yticks=[])
    bar = style.colour_bar(fig, row, ERROR_MAP, 0, highest, "")
    bar.set_yticks([0, highest / 2, highest], ["0", f"{highest / 2:.2g}", f"{highest:.2g}"])
    bar.set_ylim(0, highest)
