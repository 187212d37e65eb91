"""Points of several classes in a plane: colours, markers, areas, legends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ldl.arrays import Array
from ldl.plots import style

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Arrays = Mapping[str, Array]  # the arrays of an NPZ file by name
MAX_LISTED = 20  # classes in a legend
MARKER_SCALE = {"*": 1.7, "P": 1.25, "X": 1.25, "p": 1.15, "v": 1.15, "^": 1.15}  # thin shapes


def legend_width(names: Iterable[object]) -> float:
    """Inches that a legend of these classes needs at the right of the axes."""
    listed = ["class", "and 999 more", *(style.shorten(str(name)) for name in names)]
    return 0.6 + style.text_width(listed, style.RC_PARAMS["font.size"])


def figure_height(names: Array, minimum: float) -> float:
    """Inches of a figure in which a legend of these classes fits."""
    return max(minimum, 1.3 + 0.205 * (min(len(names), MAX_LISTED + 1) + 1))


def grid_extent(data: Arrays) -> tuple[float, float, float, float]:
    """(left, right, bottom, top) of a grid with the coordinates `x` and `y`."""
    x, y = data["x"], data["y"]
    return float(x[0]), float(x[-1]), float(y[0]), float(y[-1])


def label_inputs(ax: Axes, features: Array, axes: str = "xy") -> None:
    """Label the axes with the names of the two inputs, or only those named in `axes`."""
    for axis, feature in zip("xy", features, strict=True):
        if axis in axes:
            ax.set(**{f"{axis}label": style.shorten(f"input {feature}", 40)})


def draw_areas(ax: Axes, classes: Array, strength: Array, count: int, extent: Any) -> None:
    """Colour a grid by class (y, x), with opacity `strength` (y, x) in [0, 1]."""
    painted = 1 - strength[..., None] * (1 - style.class_colours(count)[classes])
    ax.imshow(painted, origin="lower", extent=extent, aspect="auto")


def draw_points(
    ax: Axes, points: Array, labels: Array, names: Array, size: float = 5.0, edge: float = 0.6
) -> None:
    """Draw points (n, 2) with labels (n,), a colour and a marker per class."""
    colours = style.class_colours(len(names))
    for i, name in enumerate(names):
        label = style.shorten(str(name)) if i < MAX_LISTED else None
        marker = style.CLASS_MARKERS[i % len(style.CLASS_MARKERS)]
        (line,) = ax.plot(*points[labels == i].T, ls="", marker=marker, label=label)
        scaled = size * MARKER_SCALE.get(marker, 1.0)
        line.set(color=colours[i], markersize=scaled, markeredgewidth=edge)
        line.set(markeredgecolor="white")
    if len(names) > MAX_LISTED:
        ax.plot([], [], ls="", label=f"and {len(names) - MAX_LISTED} more")


def mark_misclassified(ax: Axes, points: Array, labels: Array, predicted: Array) -> list[Artist]:
    """Draw a ring around each misclassified point; returns the artist for a legend, if any."""
    wrong = points[labels != predicted]
    if not len(wrong):
        return []
    label = f"misclassified ({len(wrong)})"
    return [*ax.plot(*wrong.T, "o", ms=9, mfc="none", mec=style.INK, mew=1.0, label=label)]


def class_legend(ax: Axes) -> None:
    """Draw a legend of the classes at the right of the axes."""
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        title="class",
        markerscale=1.5,
        alignment="left",
        handletextpad=0.3,
        borderaxespad=0.1,
    )


def set_limits(ax: Axes, points: Array) -> None:
    """Limit the axes to the range of points (n, 2) with a margin of 5 %; draw a grid."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * (high - low)
    margin[margin == 0] = 1.0
    low, high = low - margin, high + margin
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.grid()
