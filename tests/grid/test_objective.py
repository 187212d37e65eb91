"""Objectives and their goals; `test_malformed_grids` has the errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ldl.compile import Config
from ldl.config import loads
from ldl.evaluate import EVALUATIONS
from ldl.evaluate.denoising import Denoising
from ldl.execute import REGISTRIES, prepare, train
from ldl.grid.objective import COLUMNS, METRICS, Objective, ObjectiveError, parse_objective

CONFIGS = {
    "classification": "data: {source: iris, scale: minmax}\nnetwork: [{linear: 3}, tanh, linear]\n",
    "regression": "data: {source: line}\nnetwork: [linear]\n",
    "reconstruction": "data: {source: digits, scale: minmax}\n"
    "network: {encoder: [{linear: 2}], decoder: mirror}\n",
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    """Columns of metrics.csv, item with its goal; `goal` in the file has priority."""
    value = parse_objective(name, None)
    assert value == Objective(name, COLUMNS[name], name.replace(".", "_"))
    assert value.goal == ("min" if name.endswith("loss") else "max")
    assert parse_objective(name, "max").goal == "max"


def test_an_evaluation_of_any_form() -> None:
    """With a goal, any metric of an evaluation that runs on a split."""
    value = parse_objective("validation.noise_sweep.accuracy.0", "max")
    assert (value.column, value.evaluation, value.metric) == (None, "noise_sweep", "accuracy.0")


@pytest.mark.parametrize("task", CONFIGS)
def test_every_offered_objective_exists(task: str, tmp_path: Path) -> None:
    """The objectives of an experiment are numbers in its results."""
    file = tmp_path / "t.yaml"
    file.write_text(CONFIGS[task] + "train: {epochs: 1}\n")
    prepared = prepare(file)
    base = prepared.experiment
    objectives = [
        item
        for item in (
            *(parse_objective(name, None) for name in COLUMNS),
            *(
                parse_objective(f"validation.{e}.{f}", None)
                for e, own in METRICS.items()
                for f in own
            ),
        )
        if not item.problem(base)
    ]
    evaluations = [item.evaluation_for(base.config) for item in objectives]
    distinct = list({type(item): item for item in evaluations if item is not None}.values())
    config = replace(base.config, evaluate=distinct)
    run = train(replace(prepared, experiment=replace(base, config=config)), tmp_path / "runs")
    from ldl.runs import read_json, read_metrics

    results, row = read_json(run.results), read_metrics(run.metrics)[-1]
    assert len(objectives) >= 4
    for item in objectives:
        value = row if item.column else results[f"{item.evaluation}-validation"]
        for key in [item.column] if item.column else (item.metric or "").split("."):
            value = value[key]
        assert isinstance(value, float), item.name


def test_the_configured_evaluation_runs_on_the_validation_split() -> None:
    """With its settings; without a configured evaluation, with the defaults."""
    text = CONFIGS["reconstruction"] + "evaluate: [{denoising: {epochs: 7, part: train}}]\n"
    config = loads(text, "t.yaml", Config, REGISTRIES).value
    value = parse_objective("validation.denoising.accuracy.denoised", None).evaluation_for(config)
    assert isinstance(value, Denoising) and (value.epochs, value.split) == (7, "validation")
    other = parse_objective("validation.reconstruction.mse", None).evaluation_for(config)
    assert other is not None and other == EVALUATIONS["reconstruction"](split="validation")  # type: ignore[call-arg]
    assert parse_objective("train.loss", None).evaluation_for(config) is None


def test_order() -> None:
    """Any number is better than None; `sort_key` gives the same order."""
    low, high = Objective("a", "min"), Objective("b", "max")
    assert low.is_better(1.0, 2.0) and not low.is_better(2.0, 1.0) and not low.is_better(1.0, 1.0)
    assert high.is_better(2.0, 1.0) and low.is_better(1.0, None) and not low.is_better(None, 1.0)
    assert not low.is_better(None, None)
    assert sorted([None, 2.0, 1.0, 3.0], key=low.sort_key) == [1.0, 2.0, 3.0, None]
    assert sorted([None, 2.0, 1.0, 3.0], key=high.sort_key) == [3.0, 2.0, 1.0, None]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("validation_loss", "did you mean `validation.loss`?"),
        ("loss", "did you mean `validation.loss`?"),
        ("train.los", "did you mean `train.loss`?"),
        ("accuracy", "did you mean `validation.accuracy`?"),
        ("validation.regression", "did you mean `validation.regression.r2`?"),
        ("validation.classification.acuracy", "did you mean `validation.classification.accuracy`?"),
        ("test.accuracy", "did you mean `validation.accuracy`?"),
        ("train.qqqqqqqqqqqqqqq", "there are `validation.loss`, `validation.accuracy`,"),
        ("validation.noise_sweep.accuracy.0", "write `goal: max` or `goal: min`"),
    ],
)
def test_a_hint_names_the_nearest_metric(name: str, first: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objective(name, None)
    assert caught.value.args[1].startswith(first)
