"""Samples in two dimensions: t-SNE and PCA embeddings, clusters of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldl.arrays import Array
from ldl.plots import class_scatter, style
from ldl.plots.class_scatter import Arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def clusters_plot(data: Arrays, run: str) -> Figure:
    """Points (n, 2) of a code, coloured by class and by cluster with numbered centres."""
    points, names, centres = data["points"], data["names"], data["centres"]
    legend = class_scatter.legend_width(names)
    subtitle = f"{run} · {len(points):,} samples · {len(centres)} clusters"
    value = style.shorten(str(data["place"]), 24)
    title = f"Clusters of {value}"
    fig = style.new_figure(9.5 + legend, class_scatter.figure_height(names, 5.0), title, subtitle)
    numbers = np.array([f"c{i + 1}" for i in range(len(centres))])
    for i, (labels, groups) in enumerate(((data["labels"], names), (data["clusters"], numbers))):
        left = 0.75 + i * (4.6 + legend)
        ax = style.add_axes(fig, left, 0.58, 9.5 + legend - left - 3.9, 1.0)
        class_scatter.draw_points(ax, points, labels, groups, 4.0, 0.3)
        if i == 0:
            class_scatter.class_legend(ax)
        else:
            _label_centres(ax, centres, numbers)
        class_scatter.set_limits(ax, points)
        ax.set_title("by class" if i == 0 else "by cluster, centres numbered", size=9.5, loc="left")
        ax.set_xlabel(f"{value}, dimension 1")
        ax.set_ylabel(f"{value}, dimension 2")
    return fig


def _label_centres(ax: Axes, centres: Array, numbers: Array) -> None:
    box = {"boxstyle": "circle,pad=0.2", "fc": "white", "ec": style.INK, "lw": 0.8, "alpha": 0.85}
    for (x, y), number in zip(centres, numbers, strict=True):
        ax.text(x, y, number, size=7, ha="center", va="center", bbox=box)


def tsne_plot(data: Arrays, run: str) -> Figure:
    """A t-SNE embedding, a panel per split."""
    return _embedding_plot(data, run, "t-SNE", "t-SNE dimension")


def pca_plot(data: Arrays, run: str) -> Figure:
    """The first two principal components, a panel per split."""
    return _embedding_plot(data, run, "Principal components", "principal component")


def _embedding_plot(data: Arrays, run: str, method: str, axis: str) -> Figure:
    """Points (n, 2) coloured by class, a panel per split."""
    names, splits = data["names"], [str(name) for name in data["parts"]]
    legend, width = class_scatter.legend_width(names), 0.1 + 4.75 * len(splits)
    title = f"{method} of {style.shorten(str(data['place']), 24)}"
    subtitle = f"{run} · {len(data['points']):,} samples"
    fig = style.new_figure(width + legend, class_scatter.figure_height(names, 5.2), title, subtitle)
    for i, split in enumerate(splits):
        members = data["part"] == i
        left = 0.75 + 4.75 * i
        ax = style.add_axes(fig, left, 0.58, width + legend - left - 3.9, 1.0)
        class_scatter.draw_points(
            ax, data["points"][members], data["labels"][members], names, 3.6, 0.25
        )
        class_scatter.set_limits(ax, data["points"])
        ax.set_title(f"{split} split, {members.sum():,} samples", size=9.5, loc="left")
        ax.set_xlabel(f"{axis} 1")
        ax.set_ylabel(f"{axis} 2")
        if i == len(splits) - 1:
            class_scatter.class_legend(ax)
    return fig
