"""Accuracy of baseline models by C, and their decision regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ldl.plots.baseline_plots import baseline_regions_plot, baselines_plot

from .figures import assert_apart, assert_inside, table

rng = np.random.default_rng(0)


def test_baselines_show_the_test_accuracy_and_the_one_that_selects_c(tmp_path: Path) -> None:
    header = ["model", "C", "training", "validation", "test (judged)", "chosen"]
    rows: list[list[object]] = [
        ["network", "", "", "", 0.97, ""],
        ["rbf_svm", 0.1, 0.8, 0.7, 0.75, 0],
        ["rbf_svm", 1, 0.9, 0.85, 0.8, 1],
    ]
    figure: Any = baselines_plot(table(tmp_path, header, rows), "run")
    (axes,) = figure.axes
    evaluated, selection, ring, network = axes.lines
    assert evaluated.get_ydata().tolist() == [0.75, 0.8]
    assert selection.get_ydata().tolist() == [0.7, 0.85]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1, 0.8)
    assert network.get_label() == "network" and network.get_ydata() == [0.97, 0.97]
    assert axes.get_xscale() == "log" and axes.get_ylabel() == "accuracy"
    assert "solid: test split, dashed: validation" in figure.texts[1].get_text()
    assert_inside(figure)
    assert_apart(figure)
    assert baselines_plot(table(tmp_path, header, rows[:1]), "run") is None


def test_each_baseline_has_a_panel_of_decision_regions() -> None:
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
        "names": np.array([f"a class of a long name, {i}" for i in range(2)]),
        "features": np.array(["x1", "x2"]),
    }
    figure: Any = baseline_regions_plot(data, "run")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["linear SVM · accuracy 85.0%", "RBF SVM · accuracy 100.0%"]
    rings = [line for line in figure.axes[0].lines if line.get_markersize() == 9]
    assert [len(line.get_xdata()) for line in rings] == [3]
    assert len(figure.axes[1].lines) == 2
    assert_inside(figure)
    assert_apart(figure)
