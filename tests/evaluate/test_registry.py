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
from ldl.evaluate.decision_regions import DecisionRegions
from ldl.evaluate.reconstruction import Reconstruction
from ldl.evaluate.regression import Regression

from .conftest import make_info, make_split

PLAIN = make_info((2,), ("a", "b"))


@pytest.mark.parametrize("name", EVALUATIONS)
def test_an_entry_is_a_frozen_dataclass_with_readable_types_and_defaults(name: str) -> None:
    entry: Any = EVALUATIONS[name]
    assert entry.__dataclass_params__.frozen
    assert set(get_type_hints(entry)) == {f.name for f in dataclasses.fields(entry)}
    assert getattr(entry(), "split", "test") == "test"  # evaluations of no samples have none


def test_default_evaluations() -> None:
    assert default_evaluations("regression") == (Regression(),)
    assert default_evaluations("reconstruction", PLAIN) == (Reconstruction(),)
    assert default_evaluations("classification", PLAIN) == (Classification(), DecisionRegions())
    assert default_evaluations("classification", make_info((3,), ("a", "b"))) == (Classification(),)


def test_a_missing_split_falls_back_to_the_next_with_a_note(make_context: Any) -> None:
    split, empty = make_split([[1, 2]], [0]), make_split([], [])
    context = make_context("classification", PLAIN, empty, validation=split, train=split)
    evaluated = Classification().select_split(context, "test")
    assert (evaluated.name, evaluated.samples, evaluated.split) == ("validation", 1, split)
    assert evaluated.notes == ("there is no test split: evaluated on the validation split",)
    assert evaluated.plot("mistakes", "csv").name == "mistakes-validation.csv"
    context = make_context("classification", PLAIN, None, train=split)
    assert Classification().select_split(context, "test").name == "train"
    with pytest.raises(DataError, match="no sample"):
        Classification().select_split(make_context("classification", PLAIN, empty), "train")


def test_validation_never_becomes_test(make_context: Any) -> None:
    split = make_split([[1, 2]], [0])
    context = make_context("classification", PLAIN, split)
    assert Classification().select_split(context, "validation").name == "train"
    assert Classification().select_split(context, "test").notes == ()


@pytest.mark.parametrize("name", ["clustering", "latent_classifier", "embedding", "activations"])
def test_an_unknown_node_is_refused_with_a_list_of_the_nodes(name: str, make_context: Any) -> None:
    evaluation: Any = EVALUATIONS[name](node="cod")
    network = NetworkInfo({"x": (2,), "code": (2,), "linear1": (7,)})
    ((setting, reason),) = evaluation.network_problems(PLAIN, network)
    assert setting == "node"
    assert "no value is named cod" in reason
    assert "did you mean `code`? there are: `code`, `linear1`, `x`" in reason
    context = make_context("classification", PLAIN, make_split([[0, 0]], [0]), network=network)
    with pytest.raises(DataError, match="no value is named cod"):
        evaluation.run(context)


def test_file_names_hold_the_split_and_the_occurrence(make_context: Any) -> None:
    context = make_context("classification", PLAIN, make_split([[0, 0]], [0]))
    assert context.file_name("test", "clusters", "npz") == "clusters.npz"
    assert replace(context, occurrence=2).file_name("test", "clusters", "npz") == "clusters-2.npz"
    assert (
        replace(context, occurrence=3).file_name("train", "clusters", "npz")
        == "clusters-train-3.npz"
    )


@pytest.mark.parametrize(
    ("name", "task", "data", "reason"),
    [
        ("classification", "regression", PLAIN, "task is regression"),
        ("regression", "classification", PLAIN, "task is classification"),
        ("reconstruction", "classification", PLAIN, "task is classification"),
        ("denoising", "regression", PLAIN, "task is regression"),
        ("decision_regions", "classification", make_info((64,), ("a", "b")), r"x \(64,\)"),
        ("decision_regions", "reconstruction", PLAIN, "not reconstructions"),
        ("clustering", "reconstruction", make_info((2,), kind="none"), "say how many clusters"),
        ("compression", "classification", PLAIN, "task is classification"),
        ("latent_classifier", "reconstruction", make_info((2,), ("y",), "values"), "with classes"),
        ("noise_sweep", "regression", PLAIN, "task is regression"),
        ("baselines", "regression", PLAIN, "task is regression"),
    ],
)
def test_unsuitable_data_is_refused_before_and_while_running(
    name: str, task: Any, data: Any, reason: str, make_context: Any
) -> None:
    evaluation = EVALUATIONS[name]()
    assert evaluation.data_problem(data, task)
    with pytest.raises(DataError, match=reason):
        evaluation.run(make_context(task, data, make_split([[0, 0]], [0])))
