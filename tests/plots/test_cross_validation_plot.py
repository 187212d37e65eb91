"""Metrics by fold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ldl.plots.cross_validation_plot import folds_plot

from .figures import assert_apart, assert_inside, table


def test_folds_have_a_mean_and_a_band(tmp_path: Path) -> None:
    header = ["fold", "samples", "accuracy", "log_loss"]
    rows: list[list[object]] = [[1, 9, 0.8, ""], [2, 9, 0.9, ""], ["mean", "", 0.85, ""],
                                ["sd", "", 0.07, ""]]  # fmt: skip
    figure: Any = folds_plot(table(tmp_path, header, rows), "run")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["fold", "mean 0.85", "± s.d. 0.07"]
    band = axes.patches[0]
    assert band.get_y() == pytest.approx(0.78) and band.get_height() == pytest.approx(0.14)
    assert figure.texts[0].get_text() == "Cross-validation, 2 folds"
    assert_inside(figure)
    assert_apart(figure)
    assert folds_plot(table(tmp_path, header, rows[2:]), "run") is None
