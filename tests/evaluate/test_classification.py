"""Accuracy, the figures of a class, the matrix and the mistakes, by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.errors import DataError
from ldl.evaluate.classification import Classification

from .conftest import info, part

# The network gives its input back, so the inputs are the probabilities.
SURE = [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.0, 0.0, 1.0], [0.7, 0.3, 0.0]]
TRUE = [0, 1, 1, 2, 2]
NAMES = ("cat", "dog", "owl")


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.reader(file))


def test_results_by_hand(context: Any, tmp_path: Path) -> None:
    given = context("classification", info((3,), NAMES), part(SURE, TRUE))
    results = Classification().run(given)
    assert (results["part"], results["samples"], results["accuracy"]) == ("test", 5, 0.6)
    floor = np.finfo(np.float32).eps
    logs = [math.log(p) for p in (0.9, 0.8, 0.4, 1.0, floor)]
    assert results["log_loss"] == pytest.approx(-sum(logs) / 5)
    assert results["classes"]["cat"] == pytest.approx(
        {"precision": 1 / 3, "recall": 1.0, "f1": 0.5, "support": 1}
    )
    assert results["classes"]["owl"]["recall"] == 0.5
    assert results["macro"]["precision"] == pytest.approx((1 / 3 + 1 + 1) / 3)
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert table(tmp_path / "contingency" / "classification.csv") == [
        ["true\\predicted", *NAMES],
        ["cat", "1", "0", "0"],
        ["dog", "1", "1", "0"],
        ["owl", "1", "0", "1"],
    ]


def test_mistakes_without_images_are_a_table_the_surest_first(context: Any, tmp_path: Path) -> None:
    names = ("height", "width", "age")
    given = context("classification", info((3,), NAMES, features=names), part(SURE, TRUE))
    Classification().run(given)
    header, *rows = table(tmp_path / "plots" / "mistakes.csv")
    assert header == ["sample", "true", "predicted", "confidence", *names]
    assert [row[:3] for row in rows] == [["4", "owl", "cat"], ["2", "dog", "cat"]]
    assert float(rows[0][3]) == pytest.approx(0.7)
    assert [float(cell) for cell in rows[1][4:]] == pytest.approx(SURE[2])


def test_mistakes_of_images_are_arrays_and_as_many_as_asked_for(
    context: Any, tmp_path: Path
) -> None:
    x = np.arange(5 * 6).reshape(5, 6)
    given = context(
        "classification",
        info((6,), NAMES, image=(2, 3, 1)),
        part(x, TRUE),
        predict=lambda _: np.array(SURE, np.float32),
    )
    Classification(mistakes=1).run(given)
    with np.load(tmp_path / "plots" / "mistakes.npz") as mistakes:
        assert mistakes["images"].shape == (1, 2, 3, 1)
        assert mistakes["images"][0, 1, 2, 0] == x[4, 5]
        assert mistakes["true"].tolist() == ["owl"] and mistakes["predicted"].tolist() == ["cat"]


def test_no_mistakes_leave_an_empty_table(context: Any, tmp_path: Path) -> None:
    given = context("classification", info((3,), NAMES), part(SURE[:2], TRUE[:2]))
    assert Classification().run(given)["accuracy"] == 1
    assert len(table(tmp_path / "plots" / "mistakes.csv")) == 1


def test_another_part_has_files_of_its_own(context: Any, tmp_path: Path) -> None:
    given = context("classification", info((3,), NAMES), part(SURE, TRUE))
    assert Classification(part="train").run(given)["part"] == "train"
    assert (tmp_path / "contingency" / "classification-train.csv").exists()
    assert (tmp_path / "plots" / "mistakes-train.csv").exists()


def test_without_labels_there_is_nothing_to_judge(context: Any) -> None:
    with pytest.raises(DataError, match="no targets"):
        Classification().run(context("classification", info((3,), NAMES), part(SURE)))


def test_probabilities_that_are_not_numbers_still_make_json(context: Any) -> None:
    broken = np.full((5, 3), np.nan, np.float32)
    given = context("classification", info((3,), NAMES), part(broken, TRUE))
    assert Classification().run(given)["log_loss"] is None
