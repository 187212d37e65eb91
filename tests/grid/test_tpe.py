"""Optuna's TPE, asked in batches; figures are made up."""

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


def worth(trial: Trial) -> float:
    """Best at 10⁻², 32 and relu."""
    rate, size = trial.values["optimizer.adam.learning_rate"], trial.values["train.batch_size"]
    layer = trial.values["network.1"]
    return abs(rate - 0.01) + abs(size - 32) / 60 + (layer != "relu")


def test_batches(tmp_path: Path) -> None:
    """As many settings as asked, so many at a time, none twice, all within the block."""
    plan = grid_plan(tmp_path, f"seeds: 2\n{BLOCK}")
    rounds = simulate(plan, worth)
    assert [len(each) for each in rounds] == [8] * 6 and plan.max_trials == 48
    trials = [trial for each in rounds for trial in each]
    assert len({trial.id for trial in trials}) == 48
    assert [trial.number for trial in trials] == [n for n in range(1, 25) for _ in range(2)]


def test_what_is_asked_depends_on_results_alone(tmp_path: Path) -> None:
    """Not on the order in which they come; and the same results ask the same again."""
    first = simulate(grid_plan(tmp_path, BLOCK), worth)
    assert simulate(grid_plan(tmp_path, BLOCK), worth) == first
    assert simulate(grid_plan(tmp_path, BLOCK), worth, one_by_one) == first
    assert simulate(grid_plan(tmp_path, BLOCK), lambda trial: -worth(trial)) != first


def test_nothing_is_asked_before_a_batch_has_ended(tmp_path: Path) -> None:
    """It waits for the slowest."""
    from .plans import finished

    search = grid_plan(tmp_path, BLOCK).search
    batch = search.ask([])
    assert search.ask([finished(trial, 1.0) for trial in batch[:-1]]) == []
    assert len(search.ask([finished(batch[-1], 1.0)])) == 4


def test_it_learns(tmp_path: Path) -> None:
    """After its first guesses most settings have the layer that is best."""
    rounds = simulate(grid_plan(tmp_path, BLOCK), worth)
    layers = Counter(trial.values["network.1"] for each in rounds[3:] for trial in each)
    assert layers.most_common(1)[0][0] == "relu" and layers["relu"] >= 7


def test_failures_are_told(tmp_path: Path) -> None:
    """A setting that diverges counts as the worst; one where all fail still ends."""
    rounds = simulate(
        grid_plan(tmp_path, BLOCK), lambda t: None if t.values["network.1"] == "tanh" else worth(t)
    )
    assert sum(map(len, rounds)) == 24
    assert sum(map(len, simulate(grid_plan(tmp_path, BLOCK), lambda trial: None))) == 24


def test_a_small_space_is_used_up(tmp_path: Path) -> None:
    """All that there is, and then it is over."""
    vary = "vary: {network.1: [tanh, relu], train.epochs: [1, 2]}"
    block = f"search: {{tpe: {{trials: 50, batch: 3}}}}\n{vary}"
    rounds = simulate(grid_plan(tmp_path, block), lambda trial: float(trial.number))
    assert sum(map(len, rounds)) == 4


def test_conditions_are_kept(tmp_path: Path) -> None:
    """A key that is not varied there is not among the values; excluded settings never come."""
    block = (
        "search: {tpe: {trials: 30, batch: 5}}\n"
        "vary: {optimizer.sgd.momentum: [0.0, 0.5, 0.9], optimizer: [adam, {sgd: 0.1}], "
        "train.epochs: [1, 2, 3]}\n"
        "when: {optimizer.sgd.momentum: {optimizer: sgd}}\n"
        "exclude: [{optimizer: adam, train.epochs: 2}]"
    )
    rounds = simulate(grid_plan(tmp_path, block), lambda trial: float(trial.number))
    found = [trial.values for each in rounds for trial in each]
    assert len(found) == 2 + 3 * 3
    for values in found:
        assert ("optimizer.sgd.momentum" in values) == (values["optimizer"] != "adam")
        assert values["optimizer"] != "adam" or values["train.epochs"] != 2


def test_included_settings_come_first(tmp_path: Path) -> None:
    """Whatever the search thinks of them."""
    block = BLOCK + "include: [{train.epochs: 3}, {train.epochs: 4}]\n"
    (first, second, *_), *_ = simulate(grid_plan(tmp_path, block), lambda trial: 1.0)
    assert [first.values, second.values] == [{"train.epochs": 3}, {"train.epochs": 4}]


def test_without_optuna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install."""
    from ldl.errors import ConfigError

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as caught:
        grid_plan(tmp_path, BLOCK)
    (problem,) = caught.value.problems
    assert "Optuna" in problem.message and "ldl[search]" in problem.hint
    assert (problem.line, problem.source.strip()) == (8, "search: {tpe: {trials: 24, batch: 4}}")
