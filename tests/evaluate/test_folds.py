"""Which samples are trained on, held out and judged in each fold, and what comes of it."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.errors import DataError
from ldl.evaluate.folds import Folds

from .conftest import info, part

DATA = info((1,), ("a", "b"))
VALUES = info((1,), ("y",), "values")


def numbered(rows: Any, classes: bool = True) -> Any:
    """Samples whose input is their number in the source and whose class is its parity."""
    rows = np.asarray(rows)
    targets = rows % 2 if classes else (rows[:, None] / 10).astype(np.float32)
    return replace(part(rows[:, None], targets), sample_indices=rows)


class Retrained:
    """Stands in for the training: remembers the rows, and is right but for the samples `wrong`."""

    def __init__(self, make: Any, wrong: tuple[int, ...] = ()) -> None:
        self.make, self.wrong = make, wrong
        self.rows: list[tuple[Any, Any, Any]] = []

    def __call__(self, training: Any, validation: Any, judged: Any) -> Any:
        self.rows.append((training, validation, judged))

        def predict(inputs: Any) -> Any:
            x = inputs["x"][:, 0]
            right = np.where(np.isin(x, self.wrong), 1 - x % 2, x % 2)
            return np.stack([1 - right, right], axis=1)

        return self.make("classification", DATA, numbered(judged), predict=predict)


def test_every_sample_is_judged_once_and_never_seen_before(context: Any, tmp_path: Path) -> None:
    again = Retrained(context, wrong=(3, 4))
    made = context(
        "classification", DATA, numbered(range(80, 100)), train=numbered(range(60)),
        validation=numbered(range(60, 80)), retrain=again,
    )  # fmt: skip
    results = Folds(k=5).run(made)
    assert len(again.rows) == 5
    for training, validation, judged in again.rows:
        assert sorted(np.concatenate([training, validation, judged])) == list(range(100))
        assert len(judged) == 20 and len(validation) == 20  # a quarter of the rest, as in the run
        assert (judged % 2).sum() == 10 and (
            training % 2
        ).sum() == 30  # in the classes' proportions
    assert sorted(np.concatenate([judged for _, _, judged in again.rows])) == list(range(100))
    scores = [fold["accuracy"] for fold in results["folds"]]
    assert np.sum(1 - np.array(scores)) == pytest.approx(2 / 20)
    assert results["accuracy"]["mean"] == pytest.approx(np.mean(scores)) == pytest.approx(0.98)
    assert results["accuracy"]["sd"] == pytest.approx(np.std(scores, ddof=1))
    assert results["samples"] == 100 and results["units"] == {"log_loss": "nats"}
    with (tmp_path / "plots" / "folds.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["fold"] for row in rows] == ["1", "2", "3", "4", "5", "mean", "sd"]
    assert float(rows[5]["accuracy"]) == results["accuracy"]["mean"]


@pytest.mark.parametrize(("name", "rows"), [("test", 100), ("validation", 80), ("train", 60)])
def test_the_part_says_who_takes_part(name: Any, rows: int, context: Any) -> None:
    again = Retrained(context)
    made = context(
        "classification", DATA, numbered(range(80, 100)), train=numbered(range(60)),
        validation=numbered(range(60, 80)), retrain=again,
    )  # fmt: skip
    results = Folds(k=4, part=name).run(made)
    assert results["part"] == name and results["samples"] == rows
    used = {int(row) for each in again.rows for some in each for row in some}
    assert used == set(range(rows))


def test_without_a_validation_part_nothing_is_held_out(context: Any) -> None:
    again = Retrained(context)
    made = context(
        "classification", DATA, numbered(range(10, 20)), train=numbered(range(10)), retrain=again
    )
    Folds(k=2).run(made)
    assert [validation for _, validation, _ in again.rows] == [None, None]


def test_the_same_folds_again(context: Any) -> None:
    seen = []
    for _ in range(2):
        again = Retrained(context)
        made = context("classification", DATA, None, train=numbered(range(10)), retrain=again)
        Folds(k=3).run(made)
        seen.append([judged.tolist() for _, _, judged in again.rows])
    assert seen[0] == seen[1] and [len(fold) for fold in seen[0]] == [4, 3, 3]


def test_a_regression_and_an_autoencoder_have_figures_of_their_own(context: Any) -> None:
    def retrain(training: Any, validation: Any, judged: Any) -> Any:
        one = numbered(judged, classes=False)
        return context(task, VALUES, one, predict=lambda inputs: inputs["x"] / 10 + 0.5)

    task = "regression"
    train = numbered(range(12), classes=False)
    results = Folds(k=3).run(context(task, VALUES, None, train=train, retrain=retrain))
    assert results["mae"]["mean"] == pytest.approx(0.5) and results["mae"]["sd"] < 1e-6
    assert results["units"] == dict.fromkeys(("mae", "rmse", "max_error"), "the target's")
    task = "reconstruction"
    results = Folds(k=3).run(context(task, VALUES, None, train=train, retrain=retrain))
    assert results["mse"]["mean"] > 0 and results["kl_divergence"]["mean"] == pytest.approx(0.0)


def test_samples_without_numbers_cannot_be_divided(context: Any) -> None:
    with pytest.raises(DataError, match="no indices"):
        Folds(k=2).run(context("classification", DATA, part([[1], [2]], [0, 1])))
    with pytest.raises(DataError, match="3 folds of 2"):
        Folds(k=3).run(context("classification", DATA, numbered([1]), train=numbered([2])))
