"""Predicted against true values of a regression, from `fit.csv`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ldl.arrays import Array
from ldl.plots import style
from ldl.plots.plot_table import PlotTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_TARGETS = 4
PANEL = 4.3  # inches


class RegressionFit(NamedTuple):
    """True and predicted values (n,) of a target, and the input x (n,) if it is one number."""

    target: str
    true: Array
    predicted: Array
    x: Array | None = None
    feature: str = ""


def parse_fits(table: PlotTable) -> list[RegressionFit]:
    """A fit per target, without rows of infinite values.

    The columns are target, the input if it is one number, true, predicted.
    """
    fits = []
    for target in dict.fromkeys(row[0] for row in table.cells):
        cells = [row[1:] for row in table.cells if row[0] == target]
        values = np.array([[float(cell) for cell in row] for row in cells])
        *x, true, predicted = values[np.isfinite(values).all(axis=1)].T
        feature = (x[0], table.header[1]) if x else ()
        fits.append(RegressionFit(target, true, predicted, *feature))
    return fits


def regression_plot(table: PlotTable, run: str) -> Figure | None:
    """Predicted by true values of up to four targets, and the fitted line of a single input."""
    return draw_fits(parse_fits(table), run)


def draw_fits(fits: list[RegressionFit], run: str) -> Figure | None:
    """The figure of `regression_plot`; None without samples."""
    fits = [fit for fit in fits if len(fit.true)][:MAX_TARGETS]
    if not fits:
        return None
    panels = []
    for fit in fits:
        panels += [(fit, _draw_line)] if fit.x is not None else []
        panels.append((fit, _draw_true_and_predicted))
    width = max(PANEL * len(panels) + 0.2, 4.9)
    subtitle = f"{run} · {len(fits[0].true)} samples"
    fig = style.new_figure(width, 4.6, "Regression fit", subtitle)
    for i, (fit, draw) in enumerate(panels):
        left = PANEL * i
        ax = style.add_axes(fig, left + 0.85, 0.58, width - left - PANEL, 0.95)
        draw(ax, fit)
        ax.grid()
        style.legend_above(ax)
    return fig


def _draw_line(ax: Axes, fit: RegressionFit) -> None:
    """Draw data and prediction by the input."""
    assert fit.x is not None
    _draw_points(ax, fit.x, fit.true, "data")
    ax.plot(fit.x, fit.predicted, color=style.VALIDATION, label="prediction")
    ax.set_xlabel(style.shorten(f"input {fit.feature}", 40))
    ax.set_ylabel(style.shorten(fit.target, 40))


def _draw_true_and_predicted(ax: Axes, fit: RegressionFit) -> None:
    """Draw predicted by true values, and the diagonal on which they are equal."""
    low = float(min(fit.true.min(), fit.predicted.min()))
    high = float(max(fit.true.max(), fit.predicted.max()))
    margin = 0.04 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    ax.plot(ends, ends, color=style.GREY, lw=1, ls=(0, (4, 3)), label="exact")
    _draw_points(ax, fit.true, fit.predicted, "samples")
    ax.set_xlim(*ends)
    ax.set_ylim(*ends)
    ax.set_xlabel(f"true {style.shorten(fit.target, 34)}")
    ax.set_ylabel(f"predicted {style.shorten(fit.target, 34)}")


def _draw_points(ax: Axes, x: Array, y: Array, label: str) -> None:
    ax.plot(x, y, "o", ms=3.5, mew=0, alpha=0.5, color=style.TRAIN, label=label)
