"""Which figures decide, and which way each is better; `test_malformed_grids` has the mistakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ldl.compile import Config
from ldl.config import loads
from ldl.evaluate import EVALUATIONS
from ldl.evaluate.denoising import Denoising
from ldl.execute import REGISTRIES, prepare, train
from ldl.grid.objective import COLUMNS, METRICS, Objective, parse_objective

CONFIGS = {
    "classification": "data: {source: iris, scale: minmax}\nnetwork: [{linear: 3}, tanh, linear]\n",
    "regression": "data: {source: line}\nnetwork: [linear]\n",
    "reconstruction": "data: {source: digits, scale: minmax}\n"
    "network: {encoder: [{linear: 2}], decoder: mirror}\n",
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    """A column of metrics.csv, lower or higher as the figure is better; `goal` overrules."""
    found = parse_objective(name, None)
    assert found == Objective(name, COLUMNS[name], name.replace(".", "_"))
    assert found.goal == ("min" if name.endswith("loss") else "max")
    assert parse_objective(name, "max").goal == "max"


def test_an_evaluation_of_any_form() -> None:
    """With a goal, any place in the results of one that judges a part."""
    found = parse_objective("validation.noise_sweep.accuracy.0", "max")
    assert (found.column, found.evaluation, found.metric) == (None, "noise_sweep", "accuracy.0")


@pytest.mark.parametrize("task", CONFIGS)
def test_every_figure_that_is_offered_is_there(task: str, tmp_path: Path) -> None:
    """What an experiment can be judged by is a number in what it leaves."""
    file = tmp_path / "t.yaml"
    file.write_text(CONFIGS[task] + "train: {epochs: 1}\n")
    prepared = prepare(file)
    base = prepared.experiment
    offered = [
        each
        for each in (
            *(parse_objective(name, None) for name in COLUMNS),
            *(
                parse_objective(f"validation.{e}.{f}", None)
                for e, own in METRICS.items()
                for f in own
            ),
        )
        if not each.problem(base)
    ]
    judged = [each.evaluation_for(base.config) for each in offered]
    wanted = list({type(each): each for each in judged if each is not None}.values())
    config = replace(base.config, evaluate=wanted)
    run = train(replace(prepared, experiment=replace(base, config=config)), tmp_path / "runs")
    from ldl.runs import read_json, read_metrics

    results, row = read_json(run.results), read_metrics(run.metrics)[-1]
    assert len(offered) >= 4
    for each in offered:
        found = row if each.column else results[f"{each.evaluation}-validation"]
        for key in [each.column] if each.column else (each.metric or "").split("."):
            found = found[key]
        assert isinstance(found, float), each.name


def test_the_configured_evaluation_is_run_on_the_validation_part() -> None:
    """With its own settings; one that is not configured with its defaults."""
    text = CONFIGS["reconstruction"] + "evaluate: [{denoising: {epochs: 7, part: train}}]\n"
    config = loads(text, "t.yaml", Config, REGISTRIES).value
    found = parse_objective("validation.denoising.accuracy.denoised", None).evaluation_for(config)
    assert isinstance(found, Denoising) and (found.epochs, found.part) == (7, "validation")
    other = parse_objective("validation.reconstruction.mse", None).evaluation_for(config)
    assert other is not None and other == EVALUATIONS["reconstruction"](part="validation")  # type: ignore[call-arg]
    assert parse_objective("train.loss", None).evaluation_for(config) is None


def test_better() -> None:
    """Any figure is better than none; `rank` sorts alike."""
    low, high = Objective("a", "min"), Objective("b", "max")
    assert low.is_better(1.0, 2.0) and not low.is_better(2.0, 1.0) and not low.is_better(1.0, 1.0)
    assert high.is_better(2.0, 1.0) and low.is_better(1.0, None) and not low.is_better(None, 1.0)
    assert not low.is_better(None, None)
    assert sorted([None, 2.0, 1.0, 3.0], key=low.sort_key) == [1.0, 2.0, 3.0, None]
    assert sorted([None, 2.0, 1.0, 3.0], key=high.sort_key) == [3.0, 2.0, 1.0, None]
