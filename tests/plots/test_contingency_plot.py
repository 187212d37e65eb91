"""Plots of contingency matrices: numbers, labels, and sizes from one class to a hundred."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.result_files import write_contingency
from ldl.plots.contingency_plot import contingency_plot, parse_matrix
from ldl.plots.plot_table import read_plot_table


def figure(tmp_path: Path, counts: Any, names: list[str], **more: Any) -> Any:
    path = tmp_path / "matrix.csv"
    write_contingency(path, np.asarray(counts), names, **more)
    return contingency_plot(read_plot_table(path), "Contingency", "run")


def numbers(axes: Any) -> dict[tuple[int, int], str]:
    """The text in each cell, by row and column."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def test_cells_hold_the_count_and_the_share_of_their_row(tmp_path: Path) -> None:
    drawn = figure(tmp_path, [[3, 1], [0, 0]], ["yes", "no"])
    axes, bar = drawn.axes
    assert numbers(axes) == {(0, 0): "3\n75%", (0, 1): "1\n25%"}
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["yes", "no"]
    assert bar.get_ylabel() == "share of the true class"
    assert drawn.texts[1].get_text() == "run · 4 samples · accuracy 75.0%"


def test_a_share_below_half_a_percent_is_not_0(tmp_path: Path) -> None:
    axes = figure(tmp_path, [[999, 1], [0, 5]], ["a", "b"]).axes[0]
    assert numbers(axes)[0, 1] == "1\n<1%"


@pytest.mark.parametrize(("classes", "shown"), [(1, "7\n100%"), (13, "7"), (30, "7"), (31, None)])
def test_the_text_of_a_cell_depends_on_the_number_of_classes(
    classes: int, shown: str | None, tmp_path: Path
) -> None:
    drawn = figure(tmp_path, 7 * np.eye(classes, dtype=int), [f"c{i}" for i in range(classes)])
    assert numbers(drawn.axes[0]).get((0, 0)) == shown
    assert max(drawn.get_size_inches()) < 12


def test_a_hundred_long_names_are_cut_and_vertical_and_every_other_is_left_out(
    tmp_path: Path,
) -> None:
    names = [f"a rather long class name, the {i}th" for i in range(100)]
    drawn = figure(tmp_path, np.eye(100, dtype=int), names)
    labels = drawn.axes[0].get_xticklabels()
    assert len(labels) == 50 and all(len(label.get_text()) <= 18 for label in labels)
    assert labels[0].get_rotation() == 90
    assert max(drawn.get_size_inches()) < 12


def test_clusters_against_classes_need_not_be_square(tmp_path: Path) -> None:
    more = {"columns": ["a", "b", "c"], "corner": "cluster\\true"}
    drawn = figure(tmp_path, [[1, 0, 2], [0, 4, 0]], ["k0", "k1"], **more)
    axes, bar = drawn.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true class", "cluster")
    assert bar.get_ylabel() == "share of the cluster"
    assert "accuracy" not in drawn.texts[1].get_text()


def test_dollar_signs_in_names_are_no_formulas(tmp_path: Path) -> None:
    drawn = figure(tmp_path, [[1, 0], [0, 1]], ["$10^$", "$a"])
    drawn.canvas.draw()


def test_names_stay_inside_the_figure(tmp_path: Path) -> None:
    names = ["WWWWWWWWWWWWWWWWWWWWWW", "short"]
    drawn = figure(tmp_path, [[1, 0], [0, 1]], names)
    drawn.canvas.draw()
    width, height = drawn.canvas.get_width_height()
    for label in [*drawn.axes[0].get_yticklabels(), *drawn.axes[0].get_xticklabels()]:
        box = label.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_a_ragged_matrix_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text("true\\predicted,a,b\na,1,2\n", encoding="utf-8")
    assert parse_matrix(read_plot_table(path)).counts.shape == (1, 2)
    path.write_text("true\\predicted,a,b\na,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="differ in length"):
        read_plot_table(path)
