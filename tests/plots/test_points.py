"""Fits and regions: what lies where, and what it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.result_files import write_table
from ldl.plots import points

rng = np.random.default_rng(0)


def legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_fit_comes_back_from_its_file_without_what_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "fit.csv"
    rows = [["price", 1, 2, 3], ["price", 2, 4, "nan"], ["rent", 5, 6, 7]]
    # A feature may be called what another column is.
    write_table(path, ["target", "true", "true", "predicted"], rows)
    price, rent = points.read_fit(path)
    assert (price.target, price.feature, rent.feature) == ("price", "true", "true")
    assert price.x is not None
    assert [one.tolist() for one in (price.x, price.true, price.predicted)] == [[1], [2], [3]]
    write_table(path, ["target", "true", "predicted"], [["a", 1, 2]])
    assert points.read_fit(path)[0].x is None


def test_one_input_shows_the_line_and_the_truth() -> None:
    x = np.linspace(0, 1, 9)
    one = points.Fit("price", x * 2, x * 2 + 0.1, x, "area")
    figure: Any = points.fit([one], "run")
    line, truth = figure.axes
    assert (line.get_xlabel(), line.get_ylabel()) == ("input area", "price")
    assert legend(line) == ["data", "prediction"]
    np.testing.assert_array_equal(line.lines[1].get_ydata(), one.predicted)
    assert (truth.get_xlabel(), truth.get_ylabel()) == ("true price", "predicted price")
    assert truth.get_xlim() == truth.get_ylim()
    assert figure.texts[1].get_text() == "run · 9 samples"


def test_many_targets_show_the_first_few_and_none_shows_nothing() -> None:
    fits = [points.Fit(str(i), np.arange(3.0), np.arange(3.0)) for i in range(9)]
    figure: Any = points.fit(fits, "run")
    assert [axes.get_xlabel() for axes in figure.axes] == [f"true {i}" for i in range(4)]
    assert points.fit([], "run") is None
    assert points.fit([points.Fit("a", np.zeros(0), np.zeros(0))], "run") is None


def test_a_fit_of_one_sample_is_drawn() -> None:
    one = points.Fit("a", np.ones(1), np.ones(1), np.ones(1), "x")
    figure: Any = points.fit([one], "run")
    figure.canvas.draw()


def regions(classes: int) -> dict[str, Any]:
    return {
        "x": np.linspace(0, 1, 6),
        "y": np.linspace(2, 3, 5),
        "classes": np.arange(30).reshape(5, 6) % classes,
        "confidence": rng.uniform(1 / classes, 1, (5, 6)),
        "points": rng.random((40, 2)),
        "labels": np.arange(40) % classes,
        "names": np.array([f"class {i}" for i in range(classes)]),
        "features": np.array(["x1", "x2"]),
    }


@pytest.mark.parametrize("classes", [1, 2, 10, 40])
def test_classes_are_areas_with_their_samples_and_a_legend_beside(classes: int) -> None:
    figure: Any = points.regions(regions(classes), "run")
    (axes,) = figure.axes
    assert legend(axes) == [f"class {i}" for i in range(min(classes, 20))] + (
        [f"and {classes - 20} more"] if classes > 20 else []
    )
    assert sum(len(line.get_xdata()) for line in axes.lines) == 40
    assert axes.images[0].get_array().shape == (5, 6, 3)
    assert axes.images[0].get_extent() == [0, 1, 2, 3]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("input x1", "input x2")
    figure.canvas.draw()
    box = axes.get_legend().get_window_extent()
    assert box.x0 > axes.get_window_extent().x1 and box.x1 <= figure.bbox.x1 and box.y0 >= 0


def test_the_surer_the_darker() -> None:
    given = regions(2)
    given["classes"][:] = 0
    given["confidence"] = np.tile(np.linspace(0.5, 1, 6), (5, 1))
    axes: Any = points.regions(given, "run").axes[0]
    brightness = axes.images[0].get_array().sum(axis=-1)[0]
    assert (np.diff(brightness) < 0).all() and brightness.max() < 3


def test_values_and_samples_share_one_scale() -> None:
    given = regions(1)
    del given["classes"], given["confidence"]
    given |= {"values": rng.random((5, 6)), "labels": np.linspace(-1, 4, 40)}
    given["names"] = np.array(["height"])
    figure: Any = points.regions(given, "run")
    axes, bar = figure.axes
    assert axes.images[0].get_clim() == axes.collections[0].get_clim() == (-1, 4)
    assert bar.get_ylabel() == "height" and bar.get_ylim() == (-1, 4)
