"""Curves by level of noise and by C, and the folds of a cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.result_files import write_table
from ldl.plots import levels


def table(tmp_path: Path, header: list[str], rows: list[list[object]]) -> levels.Table:
    write_table(tmp_path / "table.csv", header, rows)
    return levels.read(tmp_path / "table.csv")


def inside(figure: Any) -> None:
    figure.canvas.draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        for one in [axes.xaxis.label, axes.yaxis.label, *([legend] if legend else [])]:
            box = one.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0
            assert not any(box.overlaps(t.get_window_extent()) for t in figure.texts)
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


NOISE = ["noise", "level", "input", "mse", "kl_divergence", "accuracy"]


def test_levels_of_two_kinds_begin_at_clean_inputs(tmp_path: Path) -> None:
    rows: list[list[object]] = []
    for noise, level, value in (
        ("clean", 0.0, 0.1), ("own", "", 0.25), ("mask", 0.5, 0.3), ("gaussian", 0.2, 0.2),
        ("mask", 0.2, 0.15), ("mixed", "", 0.4),
    ):  # fmt: skip
        rows += [[noise, level, side, value, "", 1 - value] for side in ("noisy", "denoised")]
    figure: Any = levels.noise(table(tmp_path, NOISE, rows), "run")
    mse, accuracy = figure.axes  # the divergence has no values
    labels = [line.get_label() for line in mse.lines]
    assert labels == [
        "mask, noisy", "mask, denoised", "gaussian, noisy", "gaussian, denoised",
        "own noise, denoised", "mixed, denoised",
    ]  # fmt: skip
    np.testing.assert_array_equal(mse.lines[0].get_xdata(), [0, 0.2, 0.5])
    np.testing.assert_array_equal(mse.lines[0].get_ydata(), [0.1, 0.15, 0.3])
    np.testing.assert_array_equal(mse.lines[-2].get_ydata(), [0.25, 0.25])
    assert (mse.get_ylabel(), accuracy.get_ylabel()) == ("mean square error", "accuracy")
    assert "gaussian: standard deviation" in figure.texts[1].get_text()
    inside(figure)


def test_one_kind_is_named_on_the_axis(tmp_path: Path) -> None:
    rows: list[list[object]] = [["gaussian", 0.2, side, 0.1, 0.2, ""] for side in levels.SIDES]
    figure: Any = levels.noise(table(tmp_path, NOISE, rows), "run")
    assert [axes.get_xlabel() for axes in figure.axes] == ["level of gaussian noise"] * 2
    assert [line.get_label() for line in figure.axes[0].lines] == ["noisy", "denoised"]
    assert levels.noise(table(tmp_path, NOISE, [["clean", 0, "noisy", 1, 1, 1]]), "run") is None


def test_baselines_show_the_judged_accuracy_and_what_c_is_chosen_by(tmp_path: Path) -> None:
    header = ["model", "C", "training", "validation", "test (judged)", "chosen"]
    rows: list[list[object]] = [
        ["network", "", "", "", 0.97, ""],
        ["rbf_svm", 0.1, 0.8, 0.7, 0.75, 0],
        ["rbf_svm", 1, 0.9, 0.85, 0.8, 1],
    ]
    figure: Any = levels.baselines(table(tmp_path, header, rows), "run")
    (axes,) = figure.axes
    judged, chosen, ring, network = axes.lines
    assert judged.get_ydata().tolist() == [0.75, 0.8]
    assert chosen.get_ydata().tolist() == [0.7, 0.85]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (1, 0.8)
    assert network.get_label() == "network" and network.get_ydata() == [0.97, 0.97]
    assert axes.get_xscale() == "log" and axes.get_ylabel() == "accuracy"
    assert "solid: test part, dashed: validation" in figure.texts[1].get_text()
    inside(figure)
    assert levels.baselines(table(tmp_path, header, rows[:1]), "run") is None


def test_folds_have_a_mean_and_a_band(tmp_path: Path) -> None:
    header = ["fold", "samples", "accuracy", "log_loss"]
    rows: list[list[object]] = [[1, 9, 0.8, ""], [2, 9, 0.9, ""], ["mean", "", 0.85, ""],
                                ["sd", "", 0.07, ""]]  # fmt: skip
    figure: Any = levels.folds(table(tmp_path, header, rows), "run")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["fold", "mean 0.85", "± s.d. 0.07"]
    band = axes.patches[0]
    assert band.get_y() == pytest.approx(0.78) and band.get_height() == pytest.approx(0.14)
    assert figure.texts[0].get_text() == "Cross-validation, 2 folds"
    inside(figure)
    assert levels.folds(table(tmp_path, header, rows[2:]), "run") is None


def test_a_ragged_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="argument"):
        table(tmp_path, ["a", "b"], [[1]])
