"""Predictions over the plane of two inputs, with the samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.plots import class_scatter, style
from ldl.plots.class_scatter import Arrays

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR_MAP = "viridis"
MANY_HYPERPLANES = 40  # beyond so many the lines are thinner

Extent = tuple[float, float, float, float]


def decision_regions_plot(data: Arrays, run: str) -> Figure:
    """The predicted class or value over the plane, and the samples on it.

    The colour of a class is paler where the classifier is less confident. Where the data has them,
    the hyperplanes of a first linear layer are lines, and misclassified samples have rings.
    """
    is_classifier = "classes" in data
    right = class_scatter.legend_width(data["names"]) if is_classifier else 1.0
    title = "Decision regions" if is_classifier else "Predicted values"
    subtitle = f"{run} · {len(data['points'])} samples"
    if is_classifier:
        subtitle += " · paler: less confident"
    fig = style.new_figure(5.2 + right, 5.86, title, subtitle)
    ax = style.add_axes(fig, 0.75, 0.58, right, 0.98)
    extent = class_scatter.grid_extent(data)
    class_scatter.label_inputs(ax, data["features"])
    if is_classifier:
        handles = _draw_classes(ax, data, extent)
    else:
        handles = []
        _draw_values(fig, ax, data, extent)
    handles += _draw_hyperplanes(ax, data)
    classes = ax.get_legend()
    if handles:
        if classes is not None:
            ax.add_artist(classes)  # kept beside a second legend
        style.legend_above(ax, handles=handles)
    ax.set_xlim(*extent[:2])
    ax.set_ylim(*extent[2:])
    return fig


def _draw_classes(ax: Axes, data: Arrays, extent: Extent) -> list[Artist]:
    """Draw areas, samples and the legend of classes; return the artists for a second legend."""
    names = data["names"]
    chance = 1 / max(len(names), 2)
    confidence = np.clip((data["confidence"] - chance) / (1 - chance), 0, 1)
    class_scatter.draw_areas(ax, data["classes"], 0.12 + 0.38 * confidence, len(names), extent)
    class_scatter.draw_points(ax, data["points"], data["labels"], names)
    class_scatter.class_legend(ax)
    if "predicted" not in data:
        return []
    return class_scatter.mark_misclassified(ax, data["points"], data["labels"], data["predicted"])


def _draw_hyperplanes(ax: Axes, data: Arrays) -> list[Artist]:
    """Draw a line where the preactivation of each unit of the first layer is 0."""
    from matplotlib.collections import LineCollection

    lines = data.get("lines", np.zeros((0, 2, 2)))
    if not len(lines):
        return []
    width = 0.9 if len(lines) <= MANY_HYPERPLANES else 0.5
    label = f"first layer's hyperplanes ({len(lines)})"
    artist = LineCollection([*lines], colors=style.INK, linewidths=width, alpha=0.55, label=label)
    return [ax.add_collection(artist)]


def _draw_values(fig: Figure, ax: Axes, data: Arrays, extent: Extent) -> None:
    """Draw predicted values as an image and true values as points on one colour scale."""
    values = np.concatenate([data["values"].ravel(), np.ravel(data["labels"])])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    high = high if high > low else low + 1
    scale: dict[str, Any] = {"cmap": COLOUR_MAP, "vmin": low, "vmax": high}
    ax.imshow(data["values"], origin="lower", extent=extent, aspect="auto", **scale)
    first, second = data["points"].T
    ax.scatter(first, second, 22, data["labels"], edgecolor="white", lw=0.7, **scale)
    style.colour_bar(fig, ax, COLOUR_MAP, low, high, style.shorten(str(data["names"][0]), 40))
