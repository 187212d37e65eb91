"""Sheets of sample pictures, each one mosaic: an axes a picture would cost ten times the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = Mapping[str, Array]
TILE = 84
GAP = 6
LONGEST = 11  # letters of a column's name
BETWEEN = 0.06  # inches between two of them
HEAT = "magma"
ACROSS = 8


def rows(data: Arrays, names: tuple[str, ...], title: str, run: str) -> Figure | None:
    """A row for each of `names` and one of squared errors with its scale, a column a sample."""
    original = data["original"]
    if not len(original):
        return None
    span, error = limits(original), np.nan_to_num(data["error"], posinf=0.0)
    highest = float(error.max()) or 1.0
    pictures = [grey_or_rgb(data[name], span) for name in names]
    sheet, size = mosaic([zoomed(row) for row in (*pictures, heat(error / highest))], 0)
    named = any(str(label) for label in data["labels"])
    fig, ax = framed(
        sheet, title, run, left=1.3, right=0.8, below=0.18, above=1.02 if named else 0.72
    )
    row_names(ax, [*names, "squared error"], size[0])
    columns(ax, data["labels"] if named else [], size[1])
    error_scale(fig, ax, sheet.shape[0], size[0], highest)
    return fig


def mistakes(data: Arrays, run: str) -> Figure | None:
    """The most confident mistakes: what each is, what it was read as and with what probability."""
    images = data["images"]
    if not len(images):
        return None
    names = [str(name) for name in (*data["true"], *data["predicted"])]
    long = max(map(len, names)) > 3
    below = 54 if long else 40
    tiles = zoomed(grey_or_rgb(images, limits(images)))
    rows = [tiles[i : i + ACROSS] for i in range(0, len(tiles), ACROSS)]
    sheet, size = mosaic(rows, below)
    title = "Most confident mistakes"
    fig, ax = framed(sheet, title, run, left=0.2, right=0.2, below=0.15, above=0.7, least=4.2)
    ax.set_yticks([])
    ax.set_xticks([])
    said = (data["true"], data["predicted"], data["confidence"])
    for i, (true, predicted, confidence) in enumerate(zip(*said, strict=True)):
        x = (i % ACROSS) * (size[1] + GAP) + size[1] / 2
        y = (i // ACROSS) * (size[0] + GAP + below) + size[0] + 3
        joint = "\nas " if long else " read as "
        text = f"{style.short(str(true), 12)}{joint}{style.short(str(predicted), 10)}"
        ax.text(x, y, f"{text}\n{_percent(confidence)}", size=7, ha="center", va="top")
    return fig


def _percent(confidence: float) -> str:
    return ">99.9%" if confidence > 0.999 else f"{100 * confidence:.1f}%"


def framed(
    sheet: Array,
    title: str,
    run: str,
    *,
    left: float,
    right: float,
    below: float,
    above: float,
    least: float = 0.0,
) -> tuple[Figure, Axes]:
    """A figure in which the sheet stands pixel by pixel, with margins in inches."""
    height, width = sheet.shape[0] / style.DPI, sheet.shape[1] / style.DPI
    right += max(0.0, least - left - width - right)
    fig = style.figure(left + width + right, below + height + above, title, run)
    ax = style.axes(fig, left, below, right, above)
    extent = (0, sheet.shape[1], sheet.shape[0], 0)
    ax.imshow(sheet, aspect="auto", extent=extent, resample=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig, ax


def row_names(ax: Axes, names: list[str], height: int) -> None:
    """What each row of a sheet shows, at its left."""
    ax.set_yticks([(height + GAP) * row + height / 2 for row in range(len(names))], names)


def columns(ax: Axes, labels: Iterable[object], width: int) -> None:
    """The classes above the columns of a sheet, as long as they fit beside one another."""
    whole, size = [*map(str, labels)], float(style.RC["font.size"])
    names = [style.short(label, LONGEST) for label in whole]
    for limit in range(LONGEST - 1, 2, -1):
        if style.widest(names, size) < (width + GAP) / style.DPI - BETWEEN:
            break
        names = [style.short(label, limit) for label in whole]
    ax.set_xticks([(width + GAP) * i + width / 2 for i in range(len(names))], names)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("class" if names else "")


def error_scale(fig: Figure, ax: Axes, pixels: int, tile: int, highest: float) -> None:
    """The scale of the squared error beside the lowest row."""
    box = ax.get_position()
    height = box.height * tile / pixels
    row = fig.add_axes((box.x0, box.y0, box.width, height), frameon=False, xticks=[], yticks=[])
    bar = style.colour_bar(fig, row, HEAT, 0, highest, "")
    bar.set_yticks([0, highest / 2, highest], ["0", f"{highest / 2:.2g}", f"{highest:.2g}"])
    bar.set_ylim(0, highest)


def zoomed(tiles: Array, size: int = TILE) -> Array:
    """Tiles (n, h, w, 3) about `size` pixels wide and high: each pixel repeated, or some left out.

    Never over twice that size.
    """
    longest = max(tiles.shape[1:3])
    zoom, skip = max(1, round(size / longest)), -(-longest // (2 * size))
    return tiles[:, ::skip, ::skip].repeat(zoom, axis=1).repeat(zoom, axis=2)


def mosaic(rows: list[Array], below: int) -> tuple[Array, tuple[int, int]]:
    """Rows of (n, h, w, 3) bytes as one white-gapped picture, and a tile's height and width."""
    h, w = rows[0].shape[1:3]
    step, pitch, across = h + GAP + below, w + GAP, max(map(len, rows))
    sheet = np.full((step * len(rows) - (0 if below else GAP), pitch * across - GAP, 3), 255)
    sheet = sheet.astype(np.uint8)
    for r, row in enumerate(rows):
        for i, tile in enumerate(row):
            sheet[r * step : r * step + h, i * pitch : i * pitch + w] = tile
    return sheet, (h, w)


def limits(images: Array) -> tuple[float, float]:
    """What is black and what is white: 0 and 1 where the pictures lie between, else their range."""
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    return (0.0, 1.0) if low >= -0.05 and high <= 1.05 else (low, high)


def grey_or_rgb(images: Array, span: tuple[float, float]) -> Array:
    """(n, h, w, c) values to (n, h, w, 3) bytes; other than three channels are averaged."""
    low, high = span
    scaled = np.nan_to_num((images - low) / ((high - low) or 1.0))
    levels = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    if levels.shape[-1] == 3:
        return levels
    grey: Array = levels.mean(axis=-1, keepdims=True).astype(np.uint8)
    return grey.repeat(3, axis=-1)


def heat(shares: Array) -> Array:
    """Shares of the largest error (…) as colours (…, 3)."""
    from matplotlib import colormaps

    colours: Array = colormaps[HEAT](shares, bytes=True)
    return colours[..., :3]
