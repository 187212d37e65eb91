"""Mosaics of images in one axes: an axes per image would take ten times as long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TILE = 84  # pixels of an image
SMALL_TILE = 56  # pixels where there are many images
GAP = 6  # pixels between two images
ACROSS = 8  # images in a row of a mosaic without columns of its own
MAX_LABEL = 11  # characters of a column's label
LABEL_GAP = 0.06  # inches between the labels of two columns


def draw_mosaic(
    sheet: Array, title: str, subtitle: str, *, left: float, right: float, below: float,
    above: float, min_width: float = 0.0,
) -> tuple[Figure, Axes]:  # fmt: skip
    """A figure of an RGB image (height, width, 3), pixel by pixel, with margins in inches."""
    height, width = sheet.shape[0] / style.DPI, sheet.shape[1] / style.DPI
    right += max(0.0, min_width - left - width - right)
    fig = style.new_figure(left + width + right, below + height + above, title, subtitle)
    ax = style.add_axes(fig, left, below, right, above)
    extent = (0, sheet.shape[1], sheet.shape[0], 0)
    ax.imshow(sheet, aspect="auto", extent=extent, resample=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig, ax


def labelled_rows(
    rows: list[Array], names: list[str], labels: Iterable[object], title: str, subtitle: str,
    **margins: Any,
) -> tuple[Figure, Axes, int]:  # fmt: skip
    """A mosaic with a name per row of images and a label per column, unless all are empty.

    `margins` are those of `draw_mosaic` but `above`. Returns the height of an image in pixels too.
    """
    sheet, (height, width) = mosaic(rows)
    columns = [*map(str, labels)] if any(map(str, labels)) else []
    above = 1.02 if columns else 0.72
    fig, ax = draw_mosaic(sheet, title, subtitle, above=above, **margins)
    ax.set_yticks([(height + GAP) * row + height / 2 for row in range(len(names))], names)
    _label_columns(ax, columns, width)
    return fig, ax, height


def _label_columns(ax: Axes, labels: Sequence[str], width: int) -> None:
    """Write the classes above the columns, cut to fit side by side."""
    size = float(style.RC_PARAMS["font.size"])
    names = [style.shorten(label, MAX_LABEL) for label in labels]
    for limit in range(MAX_LABEL - 1, 2, -1):
        if style.text_width(names, size) < (width + GAP) / style.DPI - LABEL_GAP:
            break
        names = [style.shorten(label, limit) for label in labels]
    ax.set_xticks([(width + GAP) * i + width / 2 for i in range(len(names))], names)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("class" if names else "")


def captioned_mosaic(
    tiles: Array, captions: Sequence[str], caption_height: int, title: str, subtitle: str,
    **margins: Any,
) -> Figure:  # fmt: skip
    """A mosaic of images (n, h, w, 3) in rows of eight with a caption of pixels below each."""
    rows = [tiles[i : i + ACROSS] for i in range(0, len(tiles), ACROSS)]
    sheet, (height, width) = mosaic(rows, caption_height)
    fig, ax = draw_mosaic(sheet, title, subtitle, left=0.2, right=0.2, below=0.15, **margins)
    ax.set(xticks=[], yticks=[])
    for i, caption in enumerate(captions):
        x = (i % ACROSS) * (width + GAP) + width / 2
        y = (i // ACROSS) * (height + GAP + caption_height) + height + 3
        ax.text(x, y, caption, size=7, ha="center", va="top")
    return fig


def mosaic(rows: list[Array], caption_height: int = 0) -> tuple[Array, tuple[int, int]]:
    """Rows of images (n, h, w, 3) as one white-gapped image, and an image's (h, w)."""
    h, w = rows[0].shape[1:3]
    step, pitch, across = h + GAP + caption_height, w + GAP, max(map(len, rows))
    height = step * len(rows) - (0 if caption_height else GAP)
    sheet = np.full((height, pitch * across - GAP, 3), 255).astype(np.uint8)
    for r, row in enumerate(rows):
        for i, tile in enumerate(row):
            sheet[r * step : r * step + h, i * pitch : i * pitch + w] = tile
    return sheet, (h, w)


def zoom(tiles: Array, size: int = TILE) -> Array:
    """Images (n, h, w, 3) at about `size` pixels, never over twice that: repeat or skip pixels."""
    longest = max(tiles.shape[1:3])
    factor, stride = max(1, round(size / longest)), -(-longest // (2 * size))
    return tiles[:, ::stride, ::stride].repeat(factor, axis=1).repeat(factor, axis=2)


def fit_to_size(tiles: Array, size: tuple[int, ...]) -> Array:
    """Images (n, h, w, 3) enlarged to fit (height, width), every pixel a rectangle, on white."""
    h, w = tiles.shape[1:3]
    scale = min(size[0] / h, size[1] / w)
    height, width = max(1, int(h * scale)), max(1, int(w * scale))
    down, across = np.arange(height) * h // height, np.arange(width) * w // width
    canvas = np.full((len(tiles), *size, 3), 255, np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    canvas[:, top : top + height, left : left + width] = tiles[:, down][:, :, across]
    return canvas


def value_range(images: Array) -> tuple[float, float]:
    """The values of black and white: 0 and 1 for images in about that range, else their own."""
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    return (0.0, 1.0) if low >= -0.05 and high <= 1.05 else (low, high)


def to_rgb(images: Array, span: tuple[float, float]) -> Array:
    """Images (n, h, w, c) as bytes (n, h, w, 3); grey, the mean, unless there are 3 channels."""
    low, high = span
    scaled = np.nan_to_num((images - low) / ((high - low) or 1.0))
    levels = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    if levels.shape[-1] == 3:
        return levels
    grey: Array = levels.mean(axis=-1, keepdims=True).astype(np.uint8)
    return grey.repeat(3, axis=-1)


def colour_mapped(values: Array, name: str, low: float, high: float) -> Array:
    """Values (…) in the colours of a map, bytes (…, 3)."""
    from matplotlib import colormaps

    colours: Array = colormaps[name](np.nan_to_num((values - low) / (high - low)), bytes=True)
    return colours[..., :3]
