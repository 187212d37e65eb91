"""Optuna's TPE in batches, on made-up objectives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ldl.grid.trial import Trial

from .plans import grid_plan, simulate
from .test_searches import one_by_one

BLOCK = """\
search: {tpe: {trials: 24, batch: 4}}
vary:
  optimizer.adam.learning_rate: {logspace: [-4, 0, 30]}
  train.batch_size: {range: [2, 62, 2]}
  network.1: [tanh, relu, sigmoid]
"""


def loss_of(trial: Trial) -> float:
    """Least at 10⁻², 32 and relu."""
    rate, size = trial.values["optimizer.adam.learning_rate"], trial.values["train.batch_size"]
    layer = trial.values["network.1"]
    return abs(rate - 0.01) + abs(size - 32) / 60 + (layer != "relu")


def test_batches(tmp_path: Path) -> None:
    """As many distinct candidates as the block says, a batch at a time."""
    plan = grid_plan(tmp_path, f"seeds: 2\n{BLOCK}")
    rounds = simulate(plan, loss_of)
    assert [len(each) for each in rounds] == [8] * 6 and plan.max_trials == 48
    trials = [trial for each in rounds for trial in each]
    assert len({trial.id for trial in trials}) == 48
    assert [trial.number for trial in trials] == [n for n in range(1, 25) for _ in range(2)]


def test_proposals_depend_on_results_alone(tmp_path: Path) -> None:
    """Not on the order in which they come; the same results give the same proposals."""
    first = simulate(grid_plan(tmp_path, BLOCK), loss_of)
    assert simulate(grid_plan(tmp_path, BLOCK), loss_of) == first
    assert simulate(grid_plan(tmp_path, BLOCK), loss_of, one_by_one) == first
    assert simulate(grid_plan(tmp_path, BLOCK), lambda trial: -loss_of(trial)) != first


def test_a_batch_waits_for_the_one_before(tmp_path: Path) -> None:
    """Nothing is proposed before its last trial has finished."""
    from .plans import finished

    search = grid_plan(tmp_path, BLOCK).search
    batch = search.ask([])
    assert search.ask([finished(trial, 1.0) for trial in batch[:-1]]) == []
    assert len(search.ask([finished(batch[-1], 1.0)])) == 4


def test_it_learns(tmp_path: Path) -> None:
    """After the first proposals most candidates have the best layer."""
    rounds = simulate(grid_plan(tmp_path, BLOCK), loss_of)
    layers = Counter(trial.values["network.1"] for each in rounds[3:] for trial in each)
    assert layers.most_common(1)[0][0] == "relu" and layers["relu"] >= 7


def test_failures(tmp_path: Path) -> None:
    """A diverged candidate counts as the worst; a search whose trials all fail ends."""
    rounds = simulate(
        grid_plan(tmp_path, BLOCK),
        lambda t: None if t.values["network.1"] == "tanh" else loss_of(t),
    )
    assert sum(map(len, rounds)) == 24
    assert sum(map(len, simulate(grid_plan(tmp_path, BLOCK), lambda trial: None))) == 24


def test_a_small_space_is_exhausted(tmp_path: Path) -> None:
    """All candidates are tried, then the search ends."""
    vary = "vary: {network.1: [tanh, relu], train.epochs: [1, 2], train.batch_size: [8]}"
    block = f"search: {{tpe: {{trials: 50, batch: 3}}}}\n{vary}"
    rounds = simulate(grid_plan(tmp_path, block), lambda trial: float(trial.number))
    assert sum(map(len, rounds)) == 4


def test_conditions_are_kept(tmp_path: Path) -> None:
    """Inactive keys have no value; excluded candidates are never proposed."""
    block = (
        "search: {tpe: {trials: 30, batch: 5}}\n"
        "vary: {optimizer.sgd.momentum: [0.0, 0.5, 0.9], optimizer: [adam, {sgd: 0.1}], "
        "train.epochs: [1, 2, 3]}\n"
        "when: {optimizer.sgd.momentum: {optimizer: sgd}}\n"
        "exclude: [{optimizer: adam, train.epochs: 2}]"
    )
    rounds = simulate(grid_plan(tmp_path, block), lambda trial: float(trial.number))
    all_values = [trial.values for each in rounds for trial in each]
    assert len(all_values) == 2 + 3 * 3
    for values in all_values:
        assert ("optimizer.sgd.momentum" in values) == (values["optimizer"] != "adam")
        assert values["optimizer"] != "adam" or values["train.epochs"] != 2


def test_included_candidates_come_first(tmp_path: Path) -> None:
    """Before the first proposal."""
    block = BLOCK + "include: [{train.epochs: 3}, {train.epochs: 4}]\n"
    (first, second, *_), *_ = simulate(grid_plan(tmp_path, block), lambda trial: 1.0)
    assert [first.values, second.values] == [{"train.epochs": 3}, {"train.epochs": 4}]


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The problem says what to install."""
    from ldl.errors import ConfigError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        grid_plan(tmp_path, BLOCK)
    (problem,) = caught.value.problems
    assert "Optuna" in problem.message and "ldl[search]" in problem.hint
    assert (problem.line, problem.source.strip()) == (8, "search: {tpe: {trials: 24, batch: 4}}")
