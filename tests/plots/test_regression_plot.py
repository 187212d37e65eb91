"""Regression fits: what is drawn where, and the labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ldl.evaluate.result_files import write_table
from ldl.plots.plot_table import read_plot_table
from ldl.plots.regression_plot import RegressionFit, draw_fits, parse_fits

from .figures import legend_texts


def test_infinite_rows_of_a_fit_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "fit.csv"
    rows = [["price", 1, 2, 3], ["price", 2, 4, "nan"], ["rent", 5, 6, 7]]
    # A feature may be called what another column is.
    write_table(path, ["target", "true", "true", "predicted"], rows)
    price, rent = parse_fits(read_plot_table(path))
    assert (price.target, price.feature, rent.feature) == ("price", "true", "true")
    assert price.x is not None
    assert [one.tolist() for one in (price.x, price.true, price.predicted)] == [[1], [2], [3]]
    write_table(path, ["target", "true", "predicted"], [["a", 1, 2]])
    assert parse_fits(read_plot_table(path))[0].x is None


def test_a_single_input_has_a_panel_with_the_fitted_line() -> None:
    x = np.linspace(0, 1, 9)
    one = RegressionFit("price", x * 2, x * 2 + 0.1, x, "area")
    figure: Any = draw_fits([one], "run")
    line, truth = figure.axes
    assert (line.get_xlabel(), line.get_ylabel()) == ("input area", "price")
    assert legend_texts(line) == ["data", "prediction"]
    np.testing.assert_array_equal(line.lines[1].get_ydata(), one.predicted)
    assert (truth.get_xlabel(), truth.get_ylabel()) == ("true price", "predicted price")
    assert truth.get_xlim() == truth.get_ylim()
    assert figure.texts[1].get_text() == "run · 9 samples"


def test_of_many_targets_four_are_drawn_and_no_target_draws_nothing() -> None:
    fits = [RegressionFit(str(i), np.arange(3.0), np.arange(3.0)) for i in range(9)]
    figure: Any = draw_fits(fits, "run")
    assert [axes.get_xlabel() for axes in figure.axes] == [f"true {i}" for i in range(4)]
    assert draw_fits([], "run") is None
    assert draw_fits([RegressionFit("a", np.zeros(0), np.zeros(0))], "run") is None


def test_a_fit_of_one_sample_is_drawn() -> None:
    one = RegressionFit("a", np.ones(1), np.ones(1), np.ones(1), "x")
    figure: Any = draw_fits([one], "run")
    figure.canvas.draw()
