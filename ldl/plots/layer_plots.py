"""Inside a network: the weights of the first layer, and the values of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.class_scatter import Arrays
from ldl.plots.image_mosaic import (
    SMALL_TILE,
    colour_mapped,
    draw_mosaic,
    fit_to_size,
    labelled_rows,
    mosaic,
    to_rgb,
    value_range,
    zoom,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGNED_MAP = "RdBu_r"  # white at 0
VALUE_MAP = "viridis"
STRIP_HEIGHT = 44  # pixels of a filter of one dimension

Span = tuple[float, float]


def filters_plot(data: Arrays, run: str) -> Figure | None:
    """The weights of the first layer's units (units, h, w, channels); None without any.

    Three channels are drawn in colour, where grey is 0; of others the mean, red above 0 and blue
    below.
    """
    weights = data["filters"]
    if not weights.size:
        return None
    is_rgb = weights.shape[-1] == 3
    largest = float(np.abs(weights if is_rgb else weights.mean(axis=-1)).max()) or 1.0
    if is_rgb:
        tiles = to_rgb(weights, (-largest, largest))
    else:
        tiles = colour_mapped(weights.mean(axis=-1), SIGNED_MAP, -largest, largest)
    tiles = zoom(tiles, SMALL_TILE)
    if weights.shape[1] == 1:
        tiles = tiles.repeat(-(-STRIP_HEIGHT // tiles.shape[1]), axis=1)
    across = max(8, int(np.ceil(np.sqrt(len(tiles)))))
    sheet, _ = mosaic([tiles[i : i + across] for i in range(0, len(tiles), across)])
    shape = "×".join(map(str, weights.shape[1:3]))
    mean = ", mean over channels" if weights.shape[-1] not in (1, 3) else ""
    total = int(data.get("total", len(weights)))
    units = f"{len(weights)} units" if total == len(weights) else f"{len(weights)} of {total} units"
    fig, ax = draw_mosaic(
        sheet, "First-layer filters", f"{run} · {data['layer']} · {units} of {shape}{mean}",
        left=0.2, right=0.9, below=0.2, above=0.72, min_width=5.6,
    )  # fmt: skip
    ax.set(xticks=[], yticks=[])
    if not is_rgb:
        bar = style.colour_bar(fig, ax, SIGNED_MAP, -largest, largest, "weight")
        ticks = [f"{-largest:.2g}", "0", f"{largest:.2g}"]
        bar.set_yticks([-largest, 0, largest], ticks)
    return fig


def activations_plot(data: Arrays, run: str) -> Figure | None:
    """The values of a layer for some samples: feature maps, signals or vectors by their shape."""
    values = data["values"]
    if not values.size:
        return None
    subtitle = f"{run} · {data['place']}"
    span = _value_span(values)
    if values.ndim == 2:
        return _heat_map(data, subtitle, span)
    if values.ndim == 3:
        return _signals(data, subtitle, span)
    return _feature_maps(data, subtitle, span)


def _feature_maps(data: Arrays, subtitle: str, span: Span) -> Figure:
    """Maps (n, h, w, channels): a row per channel, a column per sample; the inputs above."""
    maps = data["values"].transpose(1, 0, 2, 3)
    rows = [zoom(colour_mapped(row, VALUE_MAP, *span), SMALL_TILE) for row in maps]
    names = [f"channel {i + 1}" for i in range(len(rows))]
    if "images" in data:
        images = data["images"]
        inputs = zoom(to_rgb(images, value_range(images)), SMALL_TILE)
        rows, names = [fit_to_size(inputs, rows[0].shape[1:3]), *rows], ["input", *names]
    fig, ax, _ = labelled_rows(
        rows, names, data["labels"], "Activations", subtitle,
        left=1.1, right=1.1, below=0.2, min_width=4.6,
    )  # fmt: skip
    style.colour_bar(fig, ax, VALUE_MAP, *span, "value")
    return fig


def _heat_map(data: Arrays, subtitle: str, span: Span) -> Figure:
    """Vectors (n, units): a row per sample, a column per unit."""
    values = data["values"]
    samples, units = values.shape
    cmap = SIGNED_MAP if span[0] < 0 < span[1] else VALUE_MAP
    if cmap == SIGNED_MAP:
        largest = max(-span[0], span[1])
        span = (-largest, largest)
    fig = style.new_figure(
        8.0, max(1.2, 0.28 * samples) + 1.4, "Activations", f"{subtitle} · {units} units"
    )
    names = _sample_names(data)
    ax = _value_image(fig, values, names, (0.5, units + 0.5, samples - 0.5, -0.5), cmap, span, 0.75)
    ax.set_yticks(range(samples), names if any(names) else [""] * samples)
    ax.set_xlabel("unit")
    step = -(-units // 16)
    ax.set_xticks(range(step, units + 1, step))
    ax.tick_params(length=0)
    style.colour_bar(fig, ax, cmap, *span, "value")
    return fig


def _signals(data: Arrays, subtitle: str, span: Span) -> Figure:
    """Signals (n, channels, length): a band per sample with a row per channel."""
    samples, channels, length = data["values"].shape
    gap = max(1, channels // 4)
    bands = np.pad(data["values"], [(0, 0), (0, gap), (0, 0)], constant_values=np.nan)
    bands = bands.reshape(-1, length)[:-gap]
    subtitle = f"{subtitle} · {channels} channels, one below the other"
    fig = style.new_figure(8.4, 0.45 * samples + 1.45, "Activations", subtitle)
    names = _sample_names(data)
    extent = (0.5, length + 0.5, float(len(bands)), 0.0)
    ax = _value_image(fig, bands, names, extent, VALUE_MAP, span, 0.6)
    ax.set_yticks(np.arange(samples) * (channels + gap) + channels / 2, names)
    ax.set_xlabel("position")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    style.colour_bar(fig, ax, VALUE_MAP, *span, "value")
    return fig


def _sample_names(data: Arrays) -> list[str]:
    return [style.shorten(str(label), 11) for label in data["labels"]]


def _value_image(
    fig: Figure, values: Array, names: list[str], extent: tuple[float, float, float, float],
    cmap: str, span: Span, left: float,
) -> Axes:  # fmt: skip
    """Axes with values (rows, columns) as an image, and room for the names at the left."""
    margin = left + style.text_width(names, style.RC_PARAMS["font.size"])
    ax = style.add_axes(fig, margin, 0.58, 1.15, 0.82)
    ax.imshow(values, aspect="auto", extent=extent, cmap=cmap, vmin=span[0], vmax=span[1])
    ax.set_ylabel("class of the sample" if any(names) else "sample")
    return ax


def _value_span(values: Array) -> Span:
    """The smallest and the largest finite value, at least 1 apart if they are equal."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)
