"""Errors and the table of the fit, computed by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.regression import Regression

from .conftest import make_info, make_split


def fit(folder: Path) -> list[list[str]]:
    with (folder / "plots" / "fit.csv").open(encoding="utf-8") as file:
        return list(csv.reader(file))


def test_one_input_gives_errors_and_a_fit_sorted_by_it(make_context: Any, tmp_path: Path) -> None:
    x, true = [[3.0], [1.0], [2.0]], np.array([[3.0], [1.0], [5.0]], np.float32)
    data = make_info((1,), ("price",), "values", features=("area",))
    results = Regression().run(make_context("regression", data, make_split(x, true)))
    assert results["mae"] == pytest.approx(1.0)
    assert results["rmse"] == pytest.approx(3**0.5)
    assert results["max_error"] == 3
    assert results["r2"] == pytest.approx(1 - 9 / 8)
    assert "targets" not in results
    assert fit(tmp_path) == [
        ["target", "area", "true", "predicted"],
        ["price", "1.0", "1.0", "1.0"],
        ["price", "2.0", "5.0", "2.0"],
        ["price", "3.0", "3.0", "3.0"],
    ]


def test_each_of_several_targets_has_errors(make_context: Any, tmp_path: Path) -> None:
    x = np.array([[0.0, 1.0], [2.0, 3.0]])
    true = x + np.array([0.0, 2.0])
    data = make_info((2,), ("a", "b"), "values")
    results = Regression().run(
        make_context("regression", data, make_split(x, true.astype(np.float32)))
    )
    assert results["targets"]["a"]["mae"] == 0 and results["targets"]["b"]["mae"] == 2
    assert results["mae"] == 1
    header, *rows = fit(tmp_path)
    assert header == ["target", "true", "predicted"]
    assert rows == [["a", "0.0", "0.0"], ["a", "2.0", "2.0"], ["b", "3.0", "1.0"],
                    ["b", "5.0", "3.0"]]  # fmt: skip


def test_outputs_of_shape_n_match_targets_of_shape_n_1(make_context: Any) -> None:
    data = make_info((2,), ("a",), "values")
    context = make_context(
        "regression",
        data,
        make_split([[0, 0], [0, 0]], np.array([[1.0], [2.0]], np.float32)),
        predict=lambda _: np.array([1.0, 2.0], np.float32),
    )
    assert Regression().run(context)["rmse"] == 0


def test_r2_of_one_sample_is_null_with_a_note(make_context: Any) -> None:
    data = make_info((1,), ("a",), "values")
    split = make_split([[2.0]], np.array([[1.0]], np.float32))
    results = Regression().run(make_context("regression", data, split))
    assert results["r2"] is None and results["mae"] == 1.0
    assert results["notes"] == ["R² is not defined for a single sample"]


def test_an_infinite_prediction_gives_valid_json(make_context: Any) -> None:
    data = make_info((1,), ("a",), "values")
    context = make_context(
        "regression", data, make_split([[np.inf]], np.array([[1.0]], np.float32))
    )
    assert Regression().run(context)["mae"] is None
