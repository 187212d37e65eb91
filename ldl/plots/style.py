"""The style of all figures: sizes in inches, fonts, colours for colour-blind readers too."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl.arrays import Array
from ldl.atomic_file import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


DPI = 120
MAX_MARKED_EPOCHS = 30  # a curve of more epochs has no markers
INK = "#222222"
GREY = "#666666"
TRAIN = "#0072B2"
VALIDATION = "#D55E00"
# The palette of Okabe and Ito (2008) without black, and three more for ten classes.
CLASS_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"),
    *("#D55E00", "#F0E442", "#882255", "#117733", "#888888"),
)
METRIC_LABELS = {
    "mse": "mean squared error",
    "kl_divergence": "KL divergence (nats)",
    "log_loss": "log loss (nats)",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "max_error": "maximum error",
}
PANEL = 4.4  # inches from one panel to the next
CLASS_MARKERS = "osD^vP*Xph"
RC_PARAMS: dict[Any, Any] = {
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


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw with RC_PARAMS, and without warnings of characters that the font lacks."""
    from matplotlib import rc_context

    with rc_context(RC_PARAMS), warnings.catch_warnings():
        # Such characters are drawn as boxes; the files of the run hold the whole names.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        yield


def new_figure(width: float, height: float, title: str, subtitle: str) -> Figure:
    """An empty figure, in inches, with a title and a grey subtitle at the top left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(fig)
    top = 1 - 0.12 / height
    fig.text(0.14 / width, top, title, size=12, weight="bold", va="top")
    fig.text(0.14 / width, top - 0.24 / height, subtitle, size=9, color=GREY, va="top")
    return fig


def add_axes(fig: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """New axes at these distances in inches from the figure's edges."""
    width, height = fig.get_size_inches()
    box = (left / width, bottom / height)
    size = ((width - left - right) / width, (height - bottom - top) / height)
    return fig.add_axes((*box, *size))


def panels_width(count: int, minimum: float = 0.0) -> float:
    """Inches that so many panels take side by side."""
    return max(0.2 + PANEL * count, minimum)


def add_panel(fig: Figure, i: int, top: float) -> Axes:
    """The axes of panel `i` from the left, `top` inches below the figure's upper edge."""
    width = float(fig.get_size_inches()[0])
    left = 0.85 + PANEL * i
    ax = add_axes(fig, left, 0.58, width - left - (PANEL - 1.0), top)
    ax.grid(axis="y")
    return ax


def legend_above(ax: Axes, handles: list[Any] | None = None) -> None:
    """Draw a one-row legend above the axes at the right: of `handles`, or of all artists."""
    ax.legend(
        **({} if handles is None else {"handles": handles}),
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=4,
        borderaxespad=0.15,
        borderpad=0.1,
        handlelength=1.4,
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


def logarithmic_y(ax: Axes, low: float, high: float) -> None:
    """Make the y axis logarithmic; label 2 and 5 between powers of ten if there are few of them."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    if high < 100 * low:
        ax.yaxis.set_minor_formatter(
            lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""
        )
    else:
        ax.minorticks_off()


def save_png(fig: Figure, path: Path) -> Path:
    """Write the figure as a lightly compressed PNG, replacing an old file atomically."""
    content = io.BytesIO()
    fig.savefig(content, format="png", dpi=DPI, pil_kwargs={"compress_level": 1})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content.getvalue())
    return path


def text_width(texts: Iterable[str], size: float) -> float:
    """The width in inches of the widest text at `size` points."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=RC_PARAMS["font.family"])))
    font.set_size(size, DPI)
    widest = 0.0
    for text in dict.fromkeys(texts):
        font.set_text(text.replace(r"\$", "$"), 0.0)
        widest = max(widest, font.get_width_height()[0] / 64 / DPI)
    return widest


def shorten(text: str, limit: int = 18) -> str:
    """The text on one line, cut at `limit` characters, safe as a matplotlib label.

    Matplotlib reads dollar signs as formulas and hides labels with a leading underscore.
    """
    text = " ".join(text.split()) if not text.isprintable() else text
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return ("\u200a" if text.startswith("_") else "") + text.replace("$", r"\$")


def class_colours(count: int) -> Array:
    """An RGB colour per class, (count, 3) in [0, 1]."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    if count <= len(CLASS_COLOURS):
        return np.array([to_rgb(colour) for colour in CLASS_COLOURS[: max(count, 1)]])
    colours: Array = colormaps["turbo"](np.linspace(0.05, 0.95, count))
    return colours[:, :3]
