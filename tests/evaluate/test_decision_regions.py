"""The grid around the samples, and the outputs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.errors import DataError
from ldl.evaluate.decision_regions import DecisionRegions

from .conftest import make_info, make_split

POINTS = np.array([[0.0, 0.0], [10.0, 5.0], [10.0, 0.0]])


def test_a_classifiers_grid(make_context: Any, tmp_path: Path) -> None:
    def probabilities(x: Any) -> Any:
        right = np.clip(x[:, 0] / 10, 0, 1)
        return np.stack([1 - right, right], axis=1)

    data = make_info((2,), ("left", "right"), features=("length", "width"))
    context = make_context(
        "classification", data, make_split(POINTS, [0, 1, 1]), probabilities=probabilities
    )
    results = DecisionRegions(resolution=30).run(context)
    assert results["limits"]["x1"] == pytest.approx([-0.8, 10.8])
    assert results["limits"]["x2"] == pytest.approx([-0.4, 5.4])
    with np.load(tmp_path / "plots" / "decision_regions.npz") as regions:
        assert regions["classes"].shape == regions["confidence"].shape == (30, 30)
        # A row of the grid has one y, so the classes change along rows only.
        np.testing.assert_array_equal(regions["classes"][7], regions["x"] > 5)
        assert (regions["classes"] == regions["classes"][0]).all()
        assert regions["names"].tolist() == ["left", "right"]
        assert regions["features"].tolist() == ["length", "width"]
        np.testing.assert_array_equal(regions["points"], POINTS)
        assert regions["labels"].tolist() == [0, 1, 1]


def test_a_regressions_grid_around_equal_points(make_context: Any, tmp_path: Path) -> None:
    targets = np.array([[1.0], [2.0]], np.float32)
    context = make_context(
        "regression", make_info((2,), ("z",), "values"), make_split([[3, 4], [3, 4]], targets)
    )
    assert DecisionRegions(5).run(context)["limits"]["x1"] == [2.0, 4.0]
    with np.load(tmp_path / "plots" / "decision_regions.npz") as regions:
        np.testing.assert_array_equal(regions["values"][2], regions["x"])


def test_other_inputs_are_refused(make_context: Any) -> None:
    with pytest.raises(DataError, match=r"one input of two numbers; this data has x \(3,\)"):
        DecisionRegions().run(
            make_context("classification", make_info((3,), ("a",)), make_split([[1, 2, 3]], [0]))
        )
