"""Denoising at several levels and kinds of noise: metrics, and sample images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ldl.plots import image_mosaic, style
from ldl.plots.class_scatter import Arrays
from ldl.plots.plot_table import PlotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL_LABELS = {
    "gaussian": "standard deviation",
    "replace": "share of values replaced at random",
    "mask": "share of values set to 0",
}
DATA_NOISE = "noise of the data"  # called `own` in the files: the noise of the section `data`
DASHES = {"noisy": (0, (3, 2)), "denoised": "-"}


def noise_sweep_plot(table: PlotTable, run: str) -> Figure | None:
    """A panel per metric: its value by noise level, noisy dashed and denoised solid."""
    kinds = list(dict.fromkeys(row["noise"] for row in table.rows if row["level"]))
    kinds = [kind for kind in kinds if kind != "clean"]
    metrics = [name for name in table.header[3:] if any(row[name] for row in table.rows)]
    if not kinds or not metrics:
        return None
    labels = [*(f"{kind}, denoised" for kind in kinds), f"{DATA_NOISE}, denoised"]
    legend = 0.9 + style.text_width(labels, 9.5)
    units = "; ".join(f"{kind}: {LEVEL_LABELS.get(kind, 'level')}" for kind in kinds)
    width = style.panels_width(len(metrics)) + legend
    fig = style.new_figure(width, 4.1, "Denoising by noise level", f"{run} · {units}")
    for i, metric in enumerate(metrics):
        ax = style.add_panel(fig, i, 0.8)
        _plot_levels(ax, table, kinds, metric)
        _draw_unlevelled(ax, table, metric)
        ax.set_ylabel(style.METRIC_LABELS.get(metric, metric))
        ax.set_xlabel(f"level of {kinds[0]} noise" if len(kinds) == 1 else "noise level")
        if metric == metrics[-1]:
            ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), handlelength=2.6)
    return fig


def _plot_levels(ax: Axes, table: PlotTable, kinds: list[str], metric: str) -> None:
    """Plot a metric by level, a colour per kind of noise; clean inputs have level 0."""
    for k, kind in enumerate(kinds):
        rows = [row for row in table.rows if row["noise"] in (kind, "clean")]
        rows = [row for row in rows if row["level"] and row[metric]]
        for side, dashes in DASHES.items():
            points = sorted(
                (float(row["level"]), float(row[metric])) for row in rows if row["input"] == side
            )
            levels, values = [level for level, _ in points], [value for _, value in points]
            label = side if len(kinds) == 1 else f"{kind}, {side}"
            (line,) = ax.plot(levels, values, "o", ls=dashes, ms=4, label=label)
            colour = style.CLASS_COLOURS[k % len(style.CLASS_COLOURS)]
            line.set(color=colour, mfc="white" if side == "noisy" else colour)


def _draw_unlevelled(ax: Axes, table: PlotTable, metric: str) -> None:
    """Draw a horizontal line for noise without a level: the data's own, and mixtures."""
    for row in table.rows:
        if not row["level"] and row["input"] == "denoised" and row[metric]:
            is_data_noise = row["noise"] == "own"
            label = f"{DATA_NOISE if is_data_noise else row['noise']}, denoised"
            dashes = (0, (1, 2)) if is_data_noise else (0, (5, 1, 1, 1))
            ax.axhline(float(row[metric]), color=style.GREY, lw=1, ls=dashes, label=label)


def noise_images_plot(data: Arrays, run: str) -> Figure | None:
    """Two rows of images per noise level: noisy and denoised samples."""
    if not data["noisy"].size:
        return None
    span = image_mosaic.value_range(data["noisy"][0])
    rows, names = [], []
    for level, noisy, denoised in zip(data["levels"], data["noisy"], data["denoised"], strict=True):
        for images in (noisy, denoised):
            tiles = image_mosaic.to_rgb(images, span)
            rows.append(image_mosaic.zoom(tiles, image_mosaic.SMALL_TILE))
        names += [DATA_NOISE if str(level) == "own" else str(level), "denoised"]
    left = 0.35 + style.text_width(names, style.RC_PARAMS["font.size"])
    fig, _, _ = image_mosaic.labelled_rows(
        rows, names, data["labels"], "Denoising by noise level", run,
        left=left, right=0.2, below=0.18, min_width=4.6,
    )  # fmt: skip
    return fig
