"""The registry, the defaults, and which split is evaluated."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Any, get_type_hints

import pytest

from ldl.errors import DataError
from ldl.evaluate import EVALUATIONS, default_evaluations
from ldl.evaluate.classification import Classification
from ldl.evaluate.context import NetworkInfo
from ldl.evaluate.reconstruction import Reconstruction
from ldl.evaluate.regions import DecisionRegions
from ldl.evaluate.regression import Regression

from .conftest import info, part

PLAIN = info((2,), ("a", "b"))


@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_entry_is_a_frozen_dataclass_with_readable_types_and_defaults(name: str) -> None:
    entry: Any = EVALUATIONS[name]
    assert entry.__dataclass_params__.frozen
    assert set(get_type_hints(entry)) == {f.name for f in dataclasses.fields(entry)}
    assert getattr(entry(), "part", "test") == "test"  # what judges no samples has no part


def test_the_defaults_judge_the_task_and_show_the_plane() -> None:
    assert default_evaluations("regression") == (Regression(),)
    assert default_evaluations("reconstruction", PLAIN) == (Reconstruction(),)
    assert default_evaluations("classification", PLAIN) == (Classification(), DecisionRegions())
    assert default_evaluations("classification", info((3,), ("a", "b"))) == (Classification(),)


def test_a_missing_part_falls_back_to_the_next_and_says_so(context: Any) -> None:
    one, empty = part([[1, 2]], [0]), part([], [])
    given = context("classification", PLAIN, empty, validation=one, train=one)
    evaluated = Classification().select_split(given, "test")
    assert (evaluated.name, evaluated.samples, evaluated.split) == ("validation", 1, one)
    assert evaluated.notes == ("there is no test split: evaluated on the validation split",)
    assert evaluated.plot("mistakes", "csv").name == "mistakes-validation.csv"
    given = context("classification", PLAIN, None, train=one)
    assert Classification().select_split(given, "test").name == "train"
    with pytest.raises(DataError, match="no sample"):
        Classification().select_split(context("classification", PLAIN, empty), "train")


def test_validation_never_becomes_test(context: Any) -> None:
    one = part([[1, 2]], [0])
    given = context("classification", PLAIN, one)
    assert Classification().select_split(given, "validation").name == "train"
    assert Classification().select_split(given, "test").notes == ()


@pytest.mark.parametrize("name", ["clustering", "latent_classifier", "embedding", "activations"])
def test_a_place_that_is_not_there_is_refused_with_those_that_are(name: str, context: Any) -> None:
    evaluation: Any = EVALUATIONS[name](place="cod")
    known = NetworkInfo({"x": (2,), "code": (2,), "linear1": (7,)})
    ((setting, reason),) = evaluation.network_problems(PLAIN, known)
    assert setting == "place"
    assert "no value is named cod" in reason
    assert "did you mean `code`? there are: `code`, `linear1`, `x`" in reason
    given = context("classification", PLAIN, part([[0, 0]], [0]), network=known)
    with pytest.raises(DataError, match="no value is named cod"):
        evaluation.run(given)


def test_files_bear_the_part_and_the_turn(context: Any) -> None:
    given = context("classification", PLAIN, part([[0, 0]], [0]))
    assert given.file_name("test", "clusters", "npz") == "clusters.npz"
    assert replace(given, occurrence=2).file_name("test", "clusters", "npz") == "clusters-2.npz"
    assert (
        replace(given, occurrence=3).file_name("train", "clusters", "npz") == "clusters-train-3.npz"
    )


@pytest.mark.parametrize(
    ("name", "task", "data", "reason"),
    [
        ("classification", "regression", PLAIN, "task is regression"),
        ("regression", "classification", PLAIN, "task is classification"),
        ("reconstruction", "classification", PLAIN, "task is classification"),
        ("denoising", "regression", PLAIN, "task is regression"),
        ("decision_regions", "classification", info((64,), ("a", "b")), r"x \(64,\)"),
        ("decision_regions", "reconstruction", PLAIN, "not reconstructions"),
        ("clustering", "reconstruction", info((2,), kind="none"), "say how many clusters"),
        ("compression", "classification", PLAIN, "task is classification"),
        ("latent_classifier", "reconstruction", info((2,), ("y",), "values"), "with classes"),
        ("noise_sweep", "regression", PLAIN, "task is regression"),
        ("baselines", "regression", PLAIN, "task is regression"),
    ],
)
def test_what_does_not_fit_is_refused_before_and_while_running(
    name: str, task: Any, data: Any, reason: str, context: Any
) -> None:
    evaluation = EVALUATIONS[name]()
    assert evaluation.data_problem(data, task)
    with pytest.raises(DataError, match=reason):
        evaluation.run(context(task, data, part([[0, 0]], [0])))
