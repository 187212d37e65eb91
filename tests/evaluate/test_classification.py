"""Accuracy, metrics by class, contingency matrix and mistakes, computed by hand."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from ldl.errors import DataError
from ldl.evaluate.classification import Classification

from .conftest import make_info, make_split

# The network's output is its input, so the inputs are the probabilities.
PROBABILITIES = [
    [0.9, 0.1, 0.0],
    [0.2, 0.8, 0.0],
    [0.6, 0.4, 0.0],
    [0.0, 0.0, 1.0],
    [0.7, 0.3, 0.0],
]
TRUE = [0, 1, 1, 2, 2]
NAMES = ("cat", "dog", "owl")


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def test_results(make_context: Any, tmp_path: Path) -> None:
    context = make_context(
        "classification", make_info((3,), NAMES), make_split(PROBABILITIES, TRUE)
    )
    results = Classification().run(context)
    assert (results["part"], results["samples"], results["accuracy"]) == ("test", 5, 0.6)
    floor = np.finfo(np.float32).eps
    logs = [math.log(p) for p in (0.9, 0.8, 0.4, 1.0, floor)]
    assert results["log_loss"] == pytest.approx(-sum(logs) / 5)
    assert results["classes"]["cat"] == pytest.approx(
        {"precision": 1 / 3, "recall": 1.0, "f1": 0.5, "support": 1}
    )
    assert results["classes"]["owl"]["recall"] == 0.5
    assert results["macro"]["precision"] == pytest.approx((1 / 3 + 1 + 1) / 3)
    f1 = [results["classes"][name]["f1"] for name in NAMES]
    assert results["weighted"]["f1"] == pytest.approx((f1[0] + 2 * f1[1] + 2 * f1[2]) / 5)
    expected = f1_score(TRUE, np.argmax(PROBABILITIES, axis=1), average="weighted")
    assert results["weighted"]["f1"] == pytest.approx(expected)
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert table(tmp_path / "contingency" / "classification.csv") == [
        ["true\\predicted", *NAMES],
        ["cat", "1", "0", "0"],
        ["dog", "1", "1", "0"],
        ["owl", "1", "0", "1"],
    ]


def test_mistakes_without_images_are_a_table_sorted_by_confidence(
    make_context: Any, tmp_path: Path
) -> None:
    names = ("height", "width", "age")
    context = make_context(
        "classification", make_info((3,), NAMES, features=names), make_split(PROBABILITIES, TRUE)
    )
    Classification().run(context)
    header, *rows = table(tmp_path / "plots" / "mistakes.csv")
    assert header == ["sample", "true", "predicted", "confidence", *names]
    assert [row[:3] for row in rows] == [["4", "owl", "cat"], ["2", "dog", "cat"]]
    assert float(rows[0][3]) == pytest.approx(0.7)
    assert [float(cell) for cell in rows[1][4:]] == pytest.approx(PROBABILITIES[2])


def test_mistakes_of_images_are_arrays_of_the_requested_number(
    make_context: Any, tmp_path: Path
) -> None:
    x = np.arange(5 * 6).reshape(5, 6)
    context = make_context(
        "classification",
        make_info((6,), NAMES, image=(2, 3, 1)),
        make_split(x, TRUE),
        predict=lambda _: np.array(PROBABILITIES, np.float32),
    )
    Classification(mistakes=1).run(context)
    with np.load(tmp_path / "plots" / "mistakes.npz") as mistakes:
        assert mistakes["images"].shape == (1, 2, 3, 1)
        assert mistakes["images"][0, 1, 2, 0] == x[4, 5]
        assert mistakes["true"].tolist() == ["owl"] and mistakes["predicted"].tolist() == ["cat"]


def test_no_mistakes_leave_an_empty_table(make_context: Any, tmp_path: Path) -> None:
    context = make_context(
        "classification", make_info((3,), NAMES), make_split(PROBABILITIES[:2], TRUE[:2])
    )
    assert Classification().run(context)["accuracy"] == 1
    assert len(table(tmp_path / "plots" / "mistakes.csv")) == 1


def test_another_split_has_files_of_its_own(make_context: Any, tmp_path: Path) -> None:
    context = make_context(
        "classification", make_info((3,), NAMES), make_split(PROBABILITIES, TRUE)
    )
    assert Classification(split="train").run(context)["part"] == "train"
    assert (tmp_path / "contingency" / "classification-train.csv").exists()
    assert (tmp_path / "plots" / "mistakes-train.csv").exists()


def test_data_without_labels_is_refused(make_context: Any) -> None:
    with pytest.raises(DataError, match="no targets"):
        Classification().run(
            make_context("classification", make_info((3,), NAMES), make_split(PROBABILITIES))
        )


def test_nan_probabilities_give_valid_json(make_context: Any) -> None:
    broken = np.full((5, 3), np.nan, np.float32)
    context = make_context("classification", make_info((3,), NAMES), make_split(broken, TRUE))
    assert Classification().run(context)["log_loss"] is None


@pytest.mark.parametrize(("size", "columns"), [(64, 68), (65, 4)])
def test_the_table_of_mistakes_has_up_to_64_features(
    size: int, columns: int, make_context: Any, tmp_path: Path
) -> None:
    split = make_split(np.ones((5, size)), TRUE)
    split = replace(split, sample_indices=np.arange(5) + 70)
    predict: Any = lambda _: np.array(PROBABILITIES, np.float32)  # noqa: E731
    Classification().run(
        make_context("classification", make_info((size,), NAMES), split, predict=predict)
    )
    header, *rows = table(tmp_path / "plots" / "mistakes.csv")
    assert len(header) == columns and [row[0] for row in rows] == ["74", "72"]
