"""Decision regions: areas, samples, legends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots.decision_regions_plot import decision_regions_plot

from .figures import assert_apart, assert_inside, legend_texts

rng = np.random.default_rng(0)


def region_data(classes: int) -> dict[str, Any]:
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
    figure: Any = decision_regions_plot(region_data(classes), "run")
    (axes,) = figure.axes
    assert legend_texts(axes) == [f"class {i}" for i in range(min(classes, 20))] + (
        [f"and {classes - 20} more"] if classes > 20 else []
    )
    assert sum(len(line.get_xdata()) for line in axes.lines) == 40
    assert axes.images[0].get_array().shape == (5, 6, 3)
    assert axes.images[0].get_extent() == [0, 1, 2, 3]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("input x1", "input x2")
    figure.canvas.draw()
    box = axes.get_legend().get_window_extent()
    assert box.x0 > axes.get_window_extent().x1 and box.x1 <= figure.bbox.x1 and box.y0 >= 0


def test_areas_are_darker_where_the_confidence_is_higher() -> None:
    grid = region_data(2)
    grid["classes"][:] = 0
    grid["confidence"] = np.tile(np.linspace(0.5, 1, 6), (5, 1))
    axes: Any = decision_regions_plot(grid, "run").axes[0]
    brightness = axes.images[0].get_array().sum(axis=-1)[0]
    assert (np.diff(brightness) < 0).all() and brightness.max() < 3


def test_values_and_samples_share_one_scale() -> None:
    grid = region_data(1)
    del grid["classes"], grid["confidence"]
    grid |= {"values": rng.random((5, 6)), "labels": np.linspace(-1, 4, 40)}
    grid["names"] = np.array(["height"])
    figure: Any = decision_regions_plot(grid, "run")
    axes, bar = figure.axes
    assert axes.images[0].get_clim() == axes.collections[0].get_clim() == (-1, 4)
    assert bar.get_ylabel() == "height" and bar.get_ylim() == (-1, 4)


def test_hyperplanes_and_misclassified_samples_have_a_legend() -> None:
    data = {
        "x": np.linspace(0, 1, 6),
        "y": np.linspace(2, 3, 5),
        "classes": np.zeros((5, 6), int),
        "confidence": np.ones((5, 6)),
        "points": rng.random((10, 2)) + np.array([0, 2]),
        "labels": np.arange(10) % 2,
        "predicted": np.zeros(10, int),
        "lines": np.array([[[0, 2], [1, 3]], [[0, 3], [1, 2]]], float),
        "names": np.array(["a", "b"]),
        "features": np.array(["x1", "x2"]),
    }
    figure: Any = decision_regions_plot(data, "run")
    (axes,) = figure.axes
    labels = ["misclassified (5)", "first layer's hyperplanes (2)"]
    assert legend_texts(axes) == labels
    (classes,) = [one for one in axes.artists if hasattr(one, "get_texts")]
    assert [text.get_text() for text in classes.get_texts()] == ["a", "b"]
    np.testing.assert_array_equal(axes.collections[0].get_segments(), data["lines"])
    assert axes.get_xlim() == (0, 1)
    assert_inside(figure)
    assert_apart(figure)
    boxes = [axes.get_legend().get_window_extent(), *(t.get_window_extent() for t in figure.texts)]
    assert not any(boxes[0].overlaps(box) for box in boxes[1:])
