"""Points of several classes: panels, colours, legends that fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots import planes, points, style

rng = np.random.default_rng(0)


def texts(legend: Any) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


def inside(figure: Any) -> None:
    """Every text and legend lies within the figure, and no panel over another one."""
    figure.canvas.draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        for one in [axes.title, axes.xaxis.label, axes.yaxis.label, *([legend] if legend else [])]:
            box = one.get_window_extent()
            assert box.x0 >= 0 and box.y0 >= 0
            assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def names(count: int) -> Any:
    return np.array([f"a class of a long name, {i}" for i in range(count)])


@pytest.mark.parametrize("classes", [1, 10, 30])
def test_clusters_by_class_and_by_cluster(classes: int) -> None:
    data = {
        "place": np.array("code"),
        "points": rng.normal(size=(60, 2)),
        "labels": np.arange(60) % classes,
        "clusters": np.arange(60) % 4,
        "centres": rng.normal(size=(4, 2)),
        "names": names(classes),
    }
    figure: Any = planes.clusters(data, "run")
    left, right = figure.axes
    assert len(texts(left.get_legend())) == min(classes, 20) + (classes > 20)
    assert [text.get_text() for text in right.texts] == ["c1", "c2", "c3", "c4"]
    np.testing.assert_allclose([text.get_position() for text in right.texts], data["centres"])
    for axes in (left, right):
        assert sum(len(line.get_xdata()) for line in axes.lines) == 60
    assert left.get_xlim() == right.get_xlim() and left.get_xlabel() == "code, first number"
    assert figure.texts[1].get_text() == "run · 60 samples · 4 clusters"
    inside(figure)


@pytest.mark.parametrize("parts", [["training"], ["training", "test"]])
def test_a_layout_has_a_panel_a_part(parts: list[str]) -> None:
    data = {
        "place": np.array("encoder.tanh1"),
        "points": rng.normal(size=(30, 2)),
        "labels": np.arange(30) % 3,
        "part": np.arange(30) % len(parts),
        "parts": np.array(parts),
        "names": names(3),
    }
    figure: Any = planes.layout(data, "run", "t-SNE", "t-SNE dimension")
    assert figure.texts[0].get_text() == "t-SNE of encoder.tanh1"
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [f"{part} part, {30 // len(parts)} samples" for part in parts]
    assert texts(figure.axes[-1].get_legend())[0] == "a class of a long…"
    inside(figure)


def test_each_baseline_says_what_it_makes_of_the_plane() -> None:
    labels = np.arange(20) % 2
    wrong = labels.copy()
    wrong[:3] = 1 - wrong[:3]
    data = {
        "x": np.linspace(0, 1, 7),
        "y": np.linspace(2, 3, 5),
        "classes": rng.integers(0, 2, (2, 5, 7)),
        "predicted": np.stack([wrong, labels]),
        "models": np.array(["linear_svm", "rbf_svm"]),
        "points": rng.random((20, 2)) + np.array([0, 2]),
        "labels": labels,
        "names": names(2),
        "features": np.array(["x1", "x2"]),
    }
    figure: Any = planes.baselines(data, "run")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["linear SVM · accuracy 85.0%", "RBF SVM · accuracy 100.0%"]
    rings = [line for line in figure.axes[0].lines if line.get_markersize() == 9]
    assert [len(line.get_xdata()) for line in rings] == [3]
    assert len(figure.axes[1].lines) == 2
    inside(figure)


def test_regions_with_lines_and_mistakes_have_two_legends() -> None:
    labels = np.arange(10) % 2
    data = {
        "x": np.linspace(0, 1, 6),
        "y": np.linspace(2, 3, 5),
        "classes": np.zeros((5, 6), int),
        "confidence": np.ones((5, 6)),
        "points": rng.random((10, 2)) + np.array([0, 2]),
        "labels": labels,
        "predicted": np.zeros(10, int),
        "lines": np.array([[[0, 2], [1, 3]], [[0, 3], [1, 2]]], float),
        "names": np.array(["a", "b"]),
        "features": np.array(["x1", "x2"]),
    }
    figure: Any = points.regions(data, "run")
    (axes,) = figure.axes
    said = ["misclassified (5)", "first layer's hyperplanes (2)"]
    assert texts(axes.get_legend()) == said
    (classes,) = [one for one in axes.artists if hasattr(one, "get_texts")]
    assert texts(classes) == ["a", "b"]
    np.testing.assert_array_equal(axes.collections[0].get_segments(), data["lines"])
    assert axes.get_xlim() == (0, 1)
    inside(figure)
    boxes = [axes.get_legend().get_window_extent(), *(t.get_window_extent() for t in figure.texts)]
    assert not any(boxes[0].overlaps(box) for box in boxes[1:])


def test_names_that_mean_something_to_matplotlib_are_drawn() -> None:
    """An underscore does not leave a class out of the legend; a line's end stays in the line."""
    fig = style.figure(5, 4, "t", "s")
    ax = style.axes(fig, 0.5, 0.5, 0.5, 0.5)
    planes.dots(ax, np.zeros((3, 2)), np.arange(3), np.array(["ok", "_hidden", "two\nlines $x$"]))
    planes.class_legend(ax)
    legend: Any = ax.get_legend()
    shown = [text.get_text().strip("\u200a") for text in legend.get_texts()]
    assert shown == ["ok", "_hidden", r"two lines \$x\$"]
