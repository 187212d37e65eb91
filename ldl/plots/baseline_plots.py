"""Baseline models beside the network: accuracy by C, and decision regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ldl.plots import class_scatter, style
from ldl.plots.class_scatter import Arrays
from ldl.plots.plot_table import PlotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL_LABELS = {
    "linear_svm": "linear SVM",
    "rbf_svm": "RBF SVM",
    "logistic_regression": "logistic regression",
    "network": "network",
}


def baselines_plot(table: PlotTable, run: str) -> Figure | None:
    """Accuracy by C of each model; None without a model.

    Solid lines show the evaluated split, dashed lines the one by which C is selected; a ring marks
    the selected C, and a horizontal line the network.
    """
    selection, evaluated = table.header[3:5]
    rows = table.rows
    models = list(dict.fromkeys(row["model"] for row in rows if row["model"] != "network"))
    if not models:
        return None
    split = evaluated.partition(" ")[0]
    subtitle = f"{run} · solid: {split} split, dashed: {selection}, ring: selected C"
    fig = style.new_figure(7.6, 4.6, "Baselines by C", subtitle)
    ax = style.add_axes(fig, 0.85, 0.58, 0.25, 1.2)
    for k, model in enumerate(models):
        colour = style.CLASS_COLOURS[k % len(style.CLASS_COLOURS)]
        own_rows = [row for row in rows if row["model"] == model]
        _plot_model(ax, own_rows, evaluated, selection, colour)
    for row in rows:
        if row["model"] == "network" and row[evaluated]:
            ax.axhline(float(row[evaluated]), color=style.INK, lw=1.2, label="network")
    ax.set_xscale("log")
    ax.set_xlabel("C (logarithmic scale)")
    ax.set_ylabel("accuracy")
    ax.grid(axis="y")
    style.legend_above(ax)
    return fig


def _plot_model(
    ax: Axes, rows: list[dict[str, str]], evaluated: str, selection: str, colour: str
) -> None:
    """Plot the accuracy of one model by C, and a ring at the selected C."""
    c = [float(row["C"]) for row in rows]
    for column, dashes in ((evaluated, "-"), (selection, (0, (3, 2)))):
        values = [float(row[column]) for row in rows]
        model = rows[0]["model"]
        label = MODEL_LABELS.get(model, model) if column == evaluated else None
        ax.plot(c, values, "o", ls=dashes, ms=3.5, color=colour, label=label)
    best = next(row for row in rows if row["chosen"] == "1")
    point = (float(best["C"]), float(best[evaluated]))
    ax.plot(*point, "o", ms=10, mfc="none", mec=colour, mew=1.6)


def baseline_regions_plot(data: Arrays, run: str) -> Figure:
    """The decision regions of each model over two inputs, side by side, with the samples."""
    names, models = data["names"], [str(model) for model in data["models"]]
    legend, width = class_scatter.legend_width(names), 0.2 + 4.0 * len(models)
    title = "Decision regions of the baselines"
    subtitle = f"{run} · {len(data['points']):,} samples · rings are misclassified"
    fig = style.new_figure(width + legend, class_scatter.figure_height(names, 4.6), title, subtitle)
    extent = class_scatter.grid_extent(data)
    for i, model in enumerate(models):
        left = 0.75 + 4.0 * i
        ax = style.add_axes(fig, left, 0.58, width + legend - left - 3.35, 1.0)
        classes, predicted = data["classes"][i], data["predicted"][i]
        class_scatter.draw_areas(ax, classes, np.full(classes.shape, 0.3), len(names), extent)
        class_scatter.draw_points(ax, data["points"], data["labels"], names, 4.0, 0.4)
        if i == len(models) - 1:
            class_scatter.class_legend(ax)
        class_scatter.mark_misclassified(ax, data["points"], data["labels"], predicted)
        accuracy = float((predicted == data["labels"]).mean())
        name = MODEL_LABELS.get(model, model)
        ax.set_title(f"{name} · accuracy {accuracy:.1%}", size=9.5, loc="left")
        ax.set(xlim=extent[:2], ylim=extent[2:])
        class_scatter.label_inputs(ax, data["features"], "xy" if i == 0 else "x")
    return fig
