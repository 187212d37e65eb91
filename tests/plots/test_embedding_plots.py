"""Embeddings and clusters: panels, colours, legends that fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots import style
from ldl.plots.class_scatter import class_legend, draw_points
from ldl.plots.embedding_plots import clusters_plot, tsne_plot

from .figures import assert_apart, assert_inside, legend_texts

rng = np.random.default_rng(0)


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
    figure: Any = clusters_plot(data, "run")
    left, right = figure.axes
    assert len(legend_texts(left)) == min(classes, 20) + (classes > 20)
    assert [text.get_text() for text in right.texts] == ["c1", "c2", "c3", "c4"]
    np.testing.assert_allclose([text.get_position() for text in right.texts], data["centres"])
    for axes in (left, right):
        assert sum(len(line.get_xdata()) for line in axes.lines) == 60
    assert left.get_xlim() == right.get_xlim() and left.get_xlabel() == "code, dimension 1"
    assert figure.texts[1].get_text() == "run · 60 samples · 4 clusters"
    assert_inside(figure)
    assert_apart(figure)


@pytest.mark.parametrize("splits", [["training"], ["training", "test"]])
def test_an_embedding_has_a_panel_per_split(splits: list[str]) -> None:
    data = {
        "place": np.array("encoder.tanh1"),
        "points": rng.normal(size=(30, 2)),
        "labels": np.arange(30) % 3,
        "part": np.arange(30) % len(splits),
        "parts": np.array(splits),
        "names": names(3),
    }
    figure: Any = tsne_plot(data, "run")
    assert figure.texts[0].get_text() == "t-SNE of encoder.tanh1"
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [f"{split} split, {30 // len(splits)} samples" for split in splits]
    assert legend_texts(figure.axes[-1])[0] == "a class of a long…"
    assert_inside(figure)
    assert_apart(figure)


def test_names_that_mean_something_to_matplotlib_are_drawn() -> None:
    """An underscore does not leave a class out of the legend; a line's end stays in the line."""
    fig = style.new_figure(5, 4, "t", "s")
    ax = style.add_axes(fig, 0.5, 0.5, 0.5, 0.5)
    draw_points(ax, np.zeros((3, 2)), np.arange(3), np.array(["ok", "_hidden", "two\nlines $x$"]))
    class_legend(ax)
    legend: Any = ax.get_legend()
    shown = [text.get_text().strip("\u200a") for text in legend.get_texts()]
    assert shown == ["ok", "_hidden", r"two lines \$x\$"]
