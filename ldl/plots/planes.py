"""Points of several classes in a plane: regions around them, clusters, two-dimensional layouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.plots import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arrays = Mapping[str, Array]
LISTED = 20
_LARGER = {"*": 1.7, "P": 1.25, "X": 1.25, "p": 1.15, "v": 1.15, "^": 1.15}  # thin shapes
MODELS = {
    "linear_svm": "linear SVM",
    "rbf_svm": "RBF SVM",
    "logistic_regression": "logistic regression",
    "network": "network",
}


def room_for(names: Iterable[object], *more: str) -> float:
    """Inches for a legend of these classes at the right."""
    listed = ["class", "and 999 more", *more, *(style.short(str(name)) for name in names)]
    return 0.6 + style.widest(listed, style.RC["font.size"])


def height_for(names: Array, least: float) -> float:
    """Inches for a figure in which a legend of these classes has room."""
    return max(least, 1.3 + 0.205 * (min(len(names), LISTED + 1) + 1))


def paint(ax: Axes, classes: Array, strength: Array, count: int, extent: Any) -> None:
    """Areas (y, x) in their classes' colours, as strong as `strength` (y, x) from 0 to 1."""
    painted = 1 - strength[..., None] * (1 - style.class_colours(count)[classes])
    ax.imshow(painted, origin="lower", extent=extent, aspect="auto")


def dots(
    ax: Axes, points: Array, labels: Array, names: Array, size: float = 5.0, edge: float = 0.6
) -> None:
    """Points (n, 2), each class in its colour and shape."""
    colours = style.class_colours(len(names))
    for i, name in enumerate(names):
        label = style.short(str(name)) if i < LISTED else None
        marker = style.MARKERS[i % len(style.MARKERS)]
        (drawn,) = ax.plot(*points[labels == i].T, ls="", marker=marker, label=label)
        larger = size * _LARGER.get(marker, 1.0)
        drawn.set(color=colours[i], markersize=larger, markeredgewidth=edge)
        drawn.set(markeredgecolor="white")
    if len(names) > LISTED:
        ax.plot([], [], ls="", label=f"and {len(names) - LISTED} more")


def mark_wrong(ax: Axes, points: Array, labels: Array, predicted: Array) -> list[Artist]:
    """A ring around each point that is read wrongly; returns them as one artist, if any."""
    wrong = points[labels != predicted]
    if not len(wrong):
        return []
    label = f"misclassified ({len(wrong)})"
    return [*ax.plot(*wrong.T, "o", ms=9, mfc="none", mec=style.INK, mew=1.0, label=label)]


def class_legend(ax: Axes) -> None:
    """The classes drawn so far, at the right of the axes."""
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        title="class",
        markerscale=1.5,
        alignment="left",
        handletextpad=0.3,
        borderaxespad=0.1,
    )


def clusters(data: Arrays, run: str) -> Figure:
    """A code of two numbers: its classes, and the clusters with their centres."""
    points, names, centres = data["points"], data["names"], data["centres"]
    room = room_for(names)
    subtitle = f"{run} · {len(points):,} samples · {len(centres)} clusters"
    place = style.short(str(data["place"]), 24)
    fig = style.figure(9.5 + room, height_for(names, 5.0), f"Clusters of {place}", subtitle)
    numbers = np.array([f"c{i + 1}" for i in range(len(centres))])
    for i, (labels, called) in enumerate(((data["labels"], names), (data["clusters"], numbers))):
        left = 0.75 + i * (4.6 + room)
        ax = style.axes(fig, left, 0.58, 9.5 + room - left - 3.9, 1.0)
        dots(ax, points, labels, called, 4.0, 0.3)
        if i == 0:
            class_legend(ax)
        else:
            _number(ax, centres, numbers)
        _square(ax, points)
        ax.set_title("by class" if i == 0 else "by cluster, centres numbered", size=9.5, loc="left")
        ax.set_xlabel(f"{place}, first number")
        ax.set_ylabel(f"{place}, second number")
    return fig


def layout(data: Arrays, run: str, what: str, axis: str) -> Figure:
    """Points in the plane, a panel a part, in the colours of their classes."""
    names, parts = data["names"], [str(name) for name in data["parts"]]
    room, width = room_for(names), 0.1 + 4.75 * len(parts)
    title = f"{what} of {style.short(str(data['place']), 24)}"
    fig = style.figure(
        width + room, height_for(names, 5.2), title, f"{run} · {len(data['points']):,} samples"
    )
    for i, part in enumerate(parts):
        own = data["part"] == i
        left = 0.75 + 4.75 * i
        ax = style.axes(fig, left, 0.58, width + room - left - 3.9, 1.0)
        dots(ax, data["points"][own], data["labels"][own], names, 3.6, 0.25)
        _square(ax, data["points"])
        ax.set_title(f"{part} part, {own.sum():,} samples", size=9.5, loc="left")
        ax.set_xlabel(f"{axis} 1")
        ax.set_ylabel(f"{axis} 2")
        if i == len(parts) - 1:
            class_legend(ax)
    return fig


def baselines(data: Arrays, run: str) -> Figure:
    """What each model says of the plane, beside one another."""
    names, models = data["names"], [str(model) for model in data["models"]]
    room, width = room_for(names), 0.2 + 4.0 * len(models)
    subtitle = f"{run} · {len(data['points']):,} samples · rings are misclassified"
    fig = style.figure(
        width + room, height_for(names, 4.6), "Decision regions of the baselines", subtitle
    )
    x, y = data["x"], data["y"]
    extent = (float(x[0]), float(x[-1]), float(y[0]), float(y[-1]))
    for i, model in enumerate(models):
        left = 0.75 + 4.0 * i
        ax = style.axes(fig, left, 0.58, width + room - left - 3.35, 1.0)
        paint(ax, data["classes"][i], np.full(data["classes"][i].shape, 0.3), len(names), extent)
        dots(ax, data["points"], data["labels"], names, 4.0, 0.4)
        if i == len(models) - 1:
            class_legend(ax)
        mark_wrong(ax, data["points"], data["labels"], data["predicted"][i])
        share = float((data["predicted"][i] == data["labels"]).mean())
        ax.set_title(f"{MODELS.get(model, model)} · accuracy {share:.1%}", size=9.5, loc="left")
        ax.set(xlim=extent[:2], ylim=extent[2:])
        ax.set_xlabel(style.short(f"input {data['features'][0]}", 40))
        if i == 0:
            ax.set_ylabel(style.short(f"input {data['features'][1]}", 40))
    return fig


def _number(ax: Axes, centres: Array, numbers: Array) -> None:
    """The clusters' names in their places."""
    box = {"boxstyle": "circle,pad=0.2", "fc": "white", "ec": style.INK, "lw": 0.8, "alpha": 0.85}
    for (x, y), number in zip(centres, numbers, strict=True):
        ax.text(x, y, number, size=7, ha="center", va="center", bbox=box)


def _square(ax: Axes, points: Array) -> None:
    """The same limits for panels of the same points, a little beyond them."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.05 * (high - low)
    room[room == 0] = 1.0
    ax.set(xlim=(low[0] - room[0], high[0] + room[0]), ylim=(low[1] - room[1], high[1] + room[1]))
    ax.grid()
