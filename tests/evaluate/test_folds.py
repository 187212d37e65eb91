"""Which samples are trained on, held out and evaluated in each fold; the metrics."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.data.data_spec import SplitSpec
from ldl.errors import DataError
from ldl.evaluate.folds import Folds

from .conftest import make_info, make_split

DATA = make_info((1,), ("a", "b"))
VALUES = make_info((1,), ("y",), "values")


def numbered(rows: Any, classes: bool = True) -> Any:
    """Samples whose input is their index in the source and whose class is its parity."""
    rows = np.asarray(rows)
    targets = rows % 2 if classes else (rows[:, None] / 10).astype(np.float32)
    return replace(make_split(rows[:, None], targets), sample_indices=rows)


class Retrained:
    """Replaces training: records the samples, and predicts all but `wrong` ones correctly."""

    def __init__(self, make: Any, wrong: tuple[int, ...] = ()) -> None:
        self.make, self.wrong = make, wrong
        self.rows: list[tuple[Any, Any, Any]] = []

    def __call__(self, training: Any, validation: Any, fold: Any) -> Any:
        self.rows.append((training, validation, fold))

        def predict(inputs: Any) -> Any:
            x = inputs["x"][:, 0]
            right = np.where(np.isin(x, self.wrong), 1 - x % 2, x % 2)
            return np.stack([1 - right, right], axis=1)

        return self.make("classification", DATA, numbered(fold), predict=predict)


def test_equal_samples_stay_in_one_fold(make_context: Any) -> None:
    """Where the data keeps groups together; of training and held-out samples as well."""
    retrained = Retrained(make_context)
    context = make_context(
        "classification", DATA, numbered(range(80, 100)), train=numbered(range(60)),
        validation=numbered(range(60, 80)), retrain=retrained,
    )  # fmt: skip
    context.dataset.groups = np.arange(100) // 4
    results = Folds(k=4).run(context)
    for rows in retrained.rows:
        assert sum(len({i // 4 for i in part}) for part in rows) == 25
    sizes = [len(fold) for _, _, fold in retrained.rows]
    assert sum(sizes) == results["samples"] == 100 and set(sizes) <= {24, 28}
    lines = (context.folder / "plots" / "folds.csv").read_text().splitlines()[1:5]
    assert [int(line.split(",")[1]) for line in lines] == sizes


def test_every_sample_is_evaluated_once_by_a_network_that_has_not_seen_it(
    make_context: Any, tmp_path: Path
) -> None:
    retrained = Retrained(make_context, wrong=(3, 4))
    context = make_context(
        "classification", DATA, numbered(range(80, 100)), train=numbered(range(60)),
        validation=numbered(range(60, 80)), retrain=retrained,
    )  # fmt: skip
    results = Folds(k=5).run(context)
    assert len(retrained.rows) == 5
    for training, validation, fold in retrained.rows:
        assert sorted(np.concatenate([training, validation, fold])) == list(range(100))
        assert len(fold) == 20 and len(validation) == 20  # a quarter of the rest, as in the run
        assert (fold % 2).sum() == 10 and (training % 2).sum() == 30  # in the classes' proportions
    assert sorted(np.concatenate([fold for _, _, fold in retrained.rows])) == list(range(100))
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
def test_part_chooses_the_samples(name: Any, rows: int, make_context: Any) -> None:
    retrained = Retrained(make_context)
    context = make_context(
        "classification", DATA, numbered(range(80, 100)), train=numbered(range(60)),
        validation=numbered(range(60, 80)), retrain=retrained,
    )  # fmt: skip
    results = Folds(k=4, split=name).run(context)
    assert results["part"] == name and results["samples"] == rows
    indices = {
        int(row) for fold_indices in retrained.rows for array in fold_indices for row in array
    }
    assert indices == set(range(rows))


def test_nothing_is_held_out_without_a_validation_split(make_context: Any) -> None:
    retrained = Retrained(make_context, wrong=(3,))
    context = make_context(
        "classification",
        DATA,
        numbered(range(10, 20)),
        train=numbered(range(10)),
        retrain=retrained,
    )
    results = Folds(k=2).run(context)
    assert results["accuracy"] == pytest.approx({"mean": 0.95, "sd": 0.1 / 2**0.5})
    assert [validation for _, validation, _ in retrained.rows] == [None, None]


def test_folds_are_reproducible(make_context: Any) -> None:
    runs = []
    for _ in range(2):
        retrained = Retrained(make_context)
        context = make_context(
            "classification", DATA, None, train=numbered(range(10)), retrain=retrained
        )
        Folds(k=3).run(context)
        runs.append([fold.tolist() for _, _, fold in retrained.rows])
    assert runs[0] == runs[1] and [len(fold) for fold in runs[0]] == [4, 3, 3]


def test_regressions_and_autoencoders_have_metrics_of_their_own(make_context: Any) -> None:
    def retrain(training: Any, validation: Any, fold: Any) -> Any:
        split = numbered(fold, classes=False)
        return make_context(task, VALUES, split, predict=lambda inputs: inputs["x"] / 10 + 0.5)

    task = "regression"
    train = numbered(range(12), classes=False)
    results = Folds(k=3).run(make_context(task, VALUES, None, train=train, retrain=retrain))
    assert results["mae"]["mean"] == pytest.approx(0.5) and results["mae"]["sd"] < 1e-6
    assert results["units"] == dict.fromkeys(("mae", "rmse", "max_error"), "the target's")
    task = "reconstruction"
    results = Folds(k=3).run(make_context(task, VALUES, None, train=train, retrain=retrain))
    assert results["mse"]["mean"] > 0 and results["kl_divergence"]["mean"] == pytest.approx(0.0)


def test_samples_without_indices_are_refused(make_context: Any) -> None:
    with pytest.raises(DataError, match="no indices"):
        Folds(k=2).run(make_context("classification", DATA, make_split([[1], [2]], [0, 1])))
    with pytest.raises(DataError, match="3 folds of 2"):
        Folds(k=3).run(make_context("classification", DATA, numbered([1]), train=numbered([2])))


@pytest.mark.parametrize(("split", "samples"), [("train", 6), ("validation", 8), ("test", 10)])
def test_each_fold_needs_a_sample(split: Any, samples: int, make_context: Any) -> None:
    data, sizes = replace(DATA, samples=10), SplitSpec(train=0.6, validation=0.2, test=0.2)
    assert Folds(k=samples, split=split).size_problem(data, sizes) is None
    assert Folds(k=samples + 1, split=split).size_problem(data, sizes) == (
        f"folds: {samples + 1} folds of {samples} samples"
    )
    retrained = Retrained(make_context)
    context = make_context("classification", DATA, None, train=numbered([1, 2]), retrain=retrained)
    assert Folds(k=2).run(context)["samples"] == len(retrained.rows) == 2
