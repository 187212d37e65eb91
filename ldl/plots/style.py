"""How every figure looks: sizes in inches, colours that colour-blind readers tell apart."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.atomic_file import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DPI = 120
INK = "#222222"
FAINT = "#666666"
TRAIN = "#0072B2"
VALIDATION = "#D55E00"
# Okabe and Ito's palette, without black, then two darker hues for ten classes.
CLASSES = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"),
    *("#D55E00", "#F0E442", "#882255", "#117733", "#888888"),
)
MARKERS = "osD^vP*Xph"
RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#999999",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "xtick.color": "#999999",
    "ytick.color": "#999999",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "image.interpolation": "nearest",
}


def figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty figure, in inches, with its title and a fainter line below at the top left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(fig)
    top = 1 - 0.12 / height
    fig.text(0.14 / width, top, title, size=12, weight="bold", va="top")
    fig.text(0.14 / width, top - 0.24 / height, subtitle, size=9, color=FAINT, va="top")
    return fig


def axes(fig: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Axes whose four margins to the figure's edges are given in inches."""
    width, height = fig.get_size_inches()
    box = (left / width, bottom / height)
    size = ((width - left - right) / width, (height - bottom - top) / height)
    return fig.add_axes((*box, *size))


def legend_above(
    ax: Axes, columns: int = 4, handles: list[Any] | None = None, length: float = 1.4
) -> None:
    """A legend in one row above the axes, at the right, where no data is; of all or of some.

    Dashes need a greater `length` to be told from a line.
    """
    ax.legend(
        **({} if handles is None else {"handles": handles}),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        borderaxespad=0.15,
        borderpad=0.1,
        handlelength=length,
        columnspacing=1.2,
    )


def colour_bar(fig: Figure, ax: Axes, cmap: str, low: float, high: float, label: str) -> Axes:
    """A labelled scale of `cmap` from low to high beside `ax`; cheaper than Figure.colorbar."""
    width, _ = fig.get_size_inches()
    box = ax.get_position()
    bar = fig.add_axes((box.x1 + 0.12 / width, box.y0, 0.12 / width, box.height))
    ramp = np.linspace(0, 1, 128)[:, None]
    bar.imshow(ramp, cmap=cmap, aspect="auto", origin="lower", extent=(0, 1, low, high))
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")
    bar.set_xticks([])
    bar.set_ylabel(label)
    bar.spines[:].set_visible(False)
    return bar


def save(fig: Figure, path: Path) -> Path:
    """Writes the figure as a PNG, lightly compressed, in place of the old one."""
    content = io.BytesIO()
    fig.savefig(content, format="png", dpi=DPI, pil_kwargs={"compress_level": 1})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content.getvalue())
    return path


def widest(texts: Iterable[str], size: float) -> float:
    """The width in inches of the widest of the texts, at `size` points."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=RC["font.family"])))
    font.set_size(size, DPI)
    most = 0.0
    for text in dict.fromkeys(texts):
        font.set_text(text.replace(r"\$", "$"), 0.0)
        most = max(most, font.get_width_height()[0] / 64 / DPI)
    return most


def short(text: str, limit: int = 18) -> str:
    """The text in a line, or its beginning and an ellipsis, with nothing that has a meaning.

    Matplotlib takes dollar signs for formulas and leaves labels with a leading underscore out.
    """
    text = " ".join(text.split()) if not text.isprintable() else text
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return ("\u200a" if text.startswith("_") else "") + text.replace("$", r"\$")


def class_colours(count: int) -> Array:
    """A colour (3,) for each of `count` classes."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    if count <= len(CLASSES):
        return np.array([to_rgb(colour) for colour in CLASSES[: max(count, 1)]])
    colours: Array = colormaps["turbo"](np.linspace(0.05, 0.95, count))
    return colours[:, :3]
