"""Sheets of pictures of different kinds: codes, levels of noise, centres, filters, activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.plots import sheets, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = Mapping[str, Array]
SIGNED = "RdBu_r"
VALUES = "viridis"
SMALL = 56  # pixels of a tile where many stand on a sheet
STRIP = 44  # pixels of height for what has one row
ROWS = {"pca": "PCA", "jpeg": "JPEG"}


def compression(data: Arrays, run: str) -> Figure | None:
    """Originals, codes as pictures, what comes back, by PCA and JPEG too, and the errors."""
    original = data["original"]
    if not len(original):
        return None
    span, error = sheets.limits(original), np.nan_to_num(data["error"], posinf=0.0)
    highest = float(error.max()) or 1.0
    back = [name for name in ("reconstruction", "pca", "jpeg") if name in data]
    tiles = {n: sheets.zoomed(sheets.grey_or_rgb(data[n], span)) for n in ("original", *back)}
    size = tiles["original"].shape[1:3]
    code = data["code"]
    spread = (float(code.min()), float(code.max()))
    rows = [tiles["original"], fitted(sheets.grey_or_rgb(code[..., None], spread), size)]
    rows += [tiles[name] for name in back] + [sheets.zoomed(sheets.heat(error / highest))]
    named = any(str(label) for label in data["labels"])
    shape = "×".join(map(str, code.shape[1:]))
    numbers = code[0].size
    sheet, size = sheets.mosaic(rows, 0)
    subtitle = f"{run} · code of {numbers} numbers, shown as {shape} from {spread[0]:.3g} (black) "
    subtitle += f"to {spread[1]:.3g} (white)"
    margins = {"left": 1.3, "right": 0.8, "below": 0.18, "above": 1.02 if named else 0.72}
    fig, ax = sheets.framed(sheet, "Compression", subtitle, **margins, least=6.4)
    names = ["original", "code", *(ROWS.get(name, name) for name in back), "squared error"]
    sheets.row_names(ax, names, size[0])
    sheets.columns(ax, data["labels"] if named else [], size[1])
    sheets.error_scale(fig, ax, sheet.shape[0], size[0], highest)
    return fig


def fitted(tiles: Array, size: tuple[int, ...]) -> Array:
    """Tiles (n, h, w, 3) as large as `size` allows, each pixel a rectangle, on white."""
    h, w = tiles.shape[1:3]
    scale = min(size[0] / h, size[1] / w)
    high, wide = max(1, int(h * scale)), max(1, int(w * scale))
    down, across = np.arange(high) * h // high, np.arange(wide) * w // wide
    canvas = np.full((len(tiles), *size, 3), 255, np.uint8)
    top, left = (size[0] - high) // 2, (size[1] - wide) // 2
    canvas[:, top : top + high, left : left + wide] = tiles[:, down][:, :, across]
    return canvas


def noise_levels(data: Arrays, run: str) -> Figure | None:
    """Two rows a level: noisy and denoised samples."""
    if not data["noisy"].size:
        return None
    span = sheets.limits(data["noisy"][0])
    rows, names = [], []
    for level, noisy, denoised in zip(data["levels"], data["noisy"], data["denoised"], strict=True):
        rows += [sheets.zoomed(sheets.grey_or_rgb(x, span), SMALL) for x in (noisy, denoised)]
        own = {"clean": "clean", "own": "own noise"}.get(str(level), str(level))
        names += [own, "denoised"]
    sheet, size = sheets.mosaic(rows, 0)
    named = any(str(label) for label in data["labels"])
    left = 0.35 + style.widest(names, style.RC["font.size"])
    margins = {"left": left, "right": 0.2, "below": 0.18, "above": 1.02 if named else 0.72}
    fig, ax = sheets.framed(sheet, "Denoising by level of noise", run, **margins, least=4.6)
    sheets.row_names(ax, names, size[0])
    sheets.columns(ax, data["labels"] if named else [], size[1])
    return fig


def centres(data: Arrays, run: str) -> Figure | None:
    """What the decoder makes of each cluster's centre, with its commonest class."""
    images = data["images"]
    if not len(images):
        return None
    tiles = sheets.zoomed(sheets.grey_or_rgb(images, sheets.limits(images)))
    across = sheets.ACROSS
    below = 34
    rows = [tiles[i : i + across] for i in range(0, len(tiles), across)]
    sheet, size = sheets.mosaic(rows, below)
    margins = {"left": 0.2, "right": 0.2, "below": 0.15, "above": 0.72}
    title = "Decoded cluster centres"
    subtitle = f"{run} · cluster, samples and commonest class"
    fig, ax = sheets.framed(sheet, title, subtitle, **margins, least=4.6)
    ax.set(xticks=[], yticks=[])
    for i, (name, samples) in enumerate(zip(data["names"], data["sizes"], strict=True)):
        x = (i % across) * (size[1] + sheets.GAP) + size[1] / 2
        y = (i // across) * (size[0] + sheets.GAP + below) + size[0] + 3
        text = f"c{i + 1}, {samples:,}\n{style.short(str(name), 12)}"
        ax.text(x, y, text, size=7, ha="center", va="top")
    return fig


def filters(data: Arrays, run: str) -> Figure | None:
    """The weights of the first layer's units: signed, or in colour where they have three channels.

    In colour, grey is 0.
    """
    weights = data["filters"]
    if not weights.size:
        return None
    coloured = weights.shape[-1] == 3
    most = float(np.abs(weights if coloured else weights.mean(axis=-1)).max()) or 1.0
    if coloured:
        tiles = sheets.grey_or_rgb(weights, (-most, most))
    else:
        tiles = _coloured(weights.mean(axis=-1), SIGNED, -most, most)
    tiles = sheets.zoomed(tiles, SMALL)
    if weights.shape[1] == 1:  # of one dimension: a strip that can be seen
        tiles = tiles.repeat(-(-STRIP // tiles.shape[1]), axis=1)
    across = max(8, int(np.ceil(np.sqrt(len(tiles)))))
    sheet, _ = sheets.mosaic([tiles[i : i + across] for i in range(0, len(tiles), across)], 0)
    shape = "×".join(map(str, weights.shape[1:3]))
    mean = ", mean over channels" if weights.shape[-1] not in (1, 3) else ""
    total = int(data.get("total", len(weights)))
    shown = f"{len(weights)} units" if total == len(weights) else f"{len(weights)} of {total} units"
    subtitle = f"{run} · {data['layer']} · {shown} of {shape}{mean}"
    margins = {"left": 0.2, "right": 0.9, "below": 0.2, "above": 0.72}
    fig, ax = sheets.framed(sheet, "First-layer filters", subtitle, **margins, least=5.6)
    ax.set(xticks=[], yticks=[])
    if not coloured:
        bar = style.colour_bar(fig, ax, SIGNED, -most, most, "weight")
        bar.set_yticks([-most, 0, most], [f"{-most:.2g}", "0", f"{most:.2g}"])
    return fig


def activations(data: Arrays, run: str) -> Figure | None:
    """Maps, a column a sample; signals one below the other; or a heat map with a row a sample."""
    values = data["values"]
    if not values.size:
        return None
    low, high = _span(values)
    title, subtitle = "Activations", f"{run} · {data['place']}"
    if values.ndim == 2:
        return _heat_map(data, title, subtitle, (low, high))
    if values.ndim == 3:
        return _signals(data, title, subtitle, (low, high))
    named = any(str(label) for label in data["labels"])
    maps = values.transpose(1, 0, 2, 3)
    rows = [sheets.zoomed(_coloured(row, VALUES, low, high), SMALL) for row in maps]
    size = rows[0].shape[1:3]
    names = [f"channel {i + 1}" for i in range(len(rows))]
    if "images" in data:
        images = data["images"]
        shown = sheets.zoomed(sheets.grey_or_rgb(images, sheets.limits(images)), SMALL)
        rows, names = [fitted(shown, size), *rows], ["input", *names]
    sheet, size = sheets.mosaic(rows, 0)
    margins = {"left": 1.1, "right": 1.1, "below": 0.2, "above": 1.02 if named else 0.72}
    fig, ax = sheets.framed(sheet, title, subtitle, **margins, least=4.6)
    sheets.row_names(ax, names, size[0])
    sheets.columns(ax, data["labels"] if named else [], size[1])
    style.colour_bar(fig, ax, VALUES, low, high, "value")
    return fig


def _heat_map(data: Arrays, title: str, subtitle: str, span: tuple[float, float]) -> Figure:
    """Vectors: a row a sample, a column a unit."""
    values = data["values"]
    height = max(1.2, 0.28 * len(values))
    fig = style.figure(8.0, height + 1.4, title, f"{subtitle} · {values.shape[1]} units")
    names = [style.short(str(label), 11) for label in data["labels"]]
    ax = style.axes(fig, 0.75 + style.widest(names, style.RC["font.size"]), 0.58, 1.15, 0.82)
    cmap = SIGNED if span[0] < 0 < span[1] else VALUES
    if cmap == SIGNED:
        span = (-max(-span[0], span[1]), max(-span[0], span[1]))
    extent = (0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5)
    limits: dict[str, Any] = {"cmap": cmap, "vmin": span[0], "vmax": span[1]}
    ax.imshow(values, aspect="auto", extent=extent, **limits)
    ax.set_yticks(range(len(values)), names if any(names) else [""] * len(values))
    ax.set_ylabel("class of the sample" if any(names) else "sample")
    ax.set_xlabel("unit")
    step = -(-values.shape[1] // 16)
    ax.set_xticks(range(step, values.shape[1] + 1, step))
    ax.tick_params(length=0)
    style.colour_bar(fig, ax, cmap, *span, "value")
    return fig


def _signals(data: Arrays, title: str, subtitle: str, span: tuple[float, float]) -> Figure:
    """Signals (n, c, l): for each sample a band with a row a channel, along the positions."""
    samples, channels, length = data["values"].shape
    gap = max(1, channels // 4)
    bands = np.pad(data["values"], [(0, 0), (0, gap), (0, 0)], constant_values=np.nan)
    bands = bands.reshape(-1, length)[:-gap]
    subtitle = f"{subtitle} · {channels} channels, one below the other"
    fig = style.figure(8.4, 0.45 * samples + 1.45, title, subtitle)
    names = [style.short(str(label), 11) for label in data["labels"]]
    ax = style.axes(fig, 0.6 + style.widest(names, style.RC["font.size"]), 0.58, 1.15, 0.82)
    extent = (0.5, length + 0.5, len(bands), 0.0)
    limits: dict[str, Any] = {"cmap": VALUES, "vmin": span[0], "vmax": span[1]}
    ax.imshow(bands, aspect="auto", extent=extent, **limits)
    ax.set_yticks(np.arange(samples) * (channels + gap) + channels / 2, names)
    ax.set_ylabel("class of the sample" if any(names) else "sample")
    ax.set_xlabel("position")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    style.colour_bar(fig, ax, VALUES, *span, "value")
    return fig


def _span(values: Array) -> tuple[float, float]:
    """The least and the largest value, apart."""
    held = values[np.isfinite(values)]
    low, high = (float(held.min()), float(held.max())) if held.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _coloured(values: Array, name: str, low: float, high: float) -> Array:
    """Values (n, h, w) in the colours of a map, (n, h, w, 3) bytes."""
    from matplotlib import colormaps

    shares = np.nan_to_num((values - low) / (high - low))
    colours: Array = colormaps[name](shares, bytes=True)
    return colours[..., :3]
