"""Random search and halving on made-up objectives."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from ldl.engine.averaging import Ema, Swa
from ldl.engine.schedules import SCHEDULES, Constant, Cosine, InverseTime, StepDecay, Warmup
from ldl.grid.block import Halving, round_lengths
from ldl.grid.candidates import Candidate
from ldl.grid.searches import continues, horizon_independent, survivors
from ldl.grid.trial import Trial, TrialOutcome

from .plans import BASE, RATES, SIZES, checked_grid, grid_plan, simulate

NINE = f"vary:\n  {SIZES}\n  {RATES}"
HALVING = f"search: halving\n{NINE}"


def loss_of(trial: Trial) -> float:
    """Least at 0.01 and 16; less for longer trainings; a little different for each seed."""
    rate, size = trial.values["optimizer.adam.learning_rate"], trial.values["train.batch_size"]
    epochs = trial.values.get("train.epochs", 9)
    return abs(rate - 0.01) + abs(size - 16) / 100 + 1 / epochs + trial.seed / 1000


def one_by_one(outcomes: Sequence[TrialOutcome]) -> Iterable[Sequence[TrialOutcome]]:
    """Each outcome by itself, in random order, one of them twice."""
    shuffled = random.Random(len(outcomes)).sample(list(outcomes), len(outcomes))
    return [*([outcome] for outcome in shuffled), shuffled[:1]]


# --- grid and random -------------------------------------------------------------------------


def test_a_grid_asks_once(tmp_path: Path) -> None:
    """All trials at once, then none."""
    rounds = simulate(grid_plan(tmp_path, f"seeds: 2\n{NINE}"), loss_of)
    assert [len(each) for each in rounds] == [18]


def test_random_draws_without_repeats(tmp_path: Path) -> None:
    """Distinct candidates, numbered as drawn; the same seed draws the same."""
    block = f"search: {{random: {{trials: 5}}}}\n{NINE}"
    trials = grid_plan(tmp_path, block).search.ask([])
    every = {trial.id for trial in grid_plan(tmp_path, NINE).search.ask([])}
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5]
    assert len({t.id for t in trials}) == 5 and {t.id for t in trials} < every
    assert grid_plan(tmp_path, block).search.ask([]) == trials


def test_more_random_trials_keep_the_earlier_ones(tmp_path: Path) -> None:
    """No training of fewer trials is lost."""
    few, more = (
        grid_plan(tmp_path, f"search: {{random: {count}}}\n{NINE}").search.ask([])
        for count in (3, 6)
    )
    assert more[:3] == few


def test_another_seed_draws_others(tmp_path: Path) -> None:
    """The order depends on the seed."""
    block = f"search: {{random: 6}}\n{NINE}"
    drawn = [
        [trial.values for trial in grid_plan(tmp_path, block, f"seed={seed}").search.ask([])]
        for seed in range(4)
    ]
    assert any(each != drawn[0] for each in drawn[1:])


def test_random_of_more_than_there_are(tmp_path: Path) -> None:
    """All candidates, and a note; excluded ones are never drawn."""
    block = f"search: {{random: 50}}\nexclude: [{{train.batch_size: 8}}]\n{NINE}"
    grid = checked_grid(tmp_path, block)
    assert len(grid.candidates) == 6 and grid.notes == ["there are only 6 settings to draw from"]
    assert all(candidate.values["train.batch_size"] != 8 for candidate in grid.candidates)


def test_random_in_a_huge_space(tmp_path: Path) -> None:
    """Of 10¹² combinations only a few are made."""
    wide = "{linspace: [0.0, 1.0, 10000]}"
    block = f"search: {{random: 20}}\nvary: {{train.l1: {wide}, train.l2: {wide}, data.split.validation: {{linspace: [0.1, 0.2, 10000]}}}}"  # noqa: E501
    trials = grid_plan(tmp_path, block).search.ask([])
    assert len({trial.id for trial in trials}) == 20


# --- halving --------------------------------------------------------------------------------


def test_halving_continues_the_best(tmp_path: Path) -> None:
    """9 settings for one epoch, 3 for three, 1 for nine; each continues its own trial."""
    plan = grid_plan(tmp_path, f"seeds: 2\n{HALVING}")
    rounds = simulate(plan, loss_of)
    assert [len(each) for each in rounds] == [18, 6, 2]
    assert plan.max_trials == 26 and plan.keep_checkpoints and plan.keys[-1] == "train.epochs"
    assert [{t.values["train.epochs"] for t in each} for each in rounds] == [{1}, {3}, {9}]
    assert [sorted({t.number for t in each}) for each in rounds] == [
        list(range(1, 10)), [10, 11, 12], [13],
    ]  # fmt: skip
    ids = {trial.id: trial for trial in rounds[0]}
    for trial in rounds[1]:
        before = ids[trial.after or ""]
        assert before.seed == trial.seed
        assert {**before.values, "train.epochs": 3} == trial.values
        assert f"epochs: {trial.values['train.epochs']}\n" in trial.yaml
    best = sorted(rounds[0], key=loss_of)[:6]
    kept = {tuple(t.values.values())[:2] for t in rounds[1]}
    assert kept == {tuple(t.values.values())[:2] for t in best}
    assert rounds[2][0].values["optimizer.adam.learning_rate"] == 0.01


def test_halving_depends_on_results_alone(tmp_path: Path) -> None:
    """Not on the order of the outcomes, nor on how many come at once."""
    at_once = simulate(grid_plan(tmp_path, f"seeds: 2\n{HALVING}"), loss_of)
    assert simulate(grid_plan(tmp_path, f"seeds: 2\n{HALVING}"), loss_of, one_by_one) == at_once


def test_halving_by_accuracy(tmp_path: Path) -> None:
    """A larger accuracy is better."""
    plan = grid_plan(tmp_path, f"objective: validation.accuracy\n{HALVING}")
    rounds = simulate(plan, lambda trial: -loss_of(trial))
    assert rounds[2][0].values["train.batch_size"] == 16


def test_halving_drops_failures(tmp_path: Path) -> None:
    """A candidate with a failed seed stops; without any objective the search ends."""
    block = f"seeds: 2\n{HALVING}"

    def partly_failed(trial: Trial) -> float | None:
        return (
            None if trial.values["train.batch_size"] == 16 and trial.seed == 1 else loss_of(trial)
        )

    rounds = simulate(grid_plan(tmp_path, block), partly_failed)
    assert [len(each) for each in rounds] == [18, 6, 2]
    assert all(t.values["train.batch_size"] != 16 for t in rounds[1])
    few = simulate(grid_plan(tmp_path, block), lambda t: 1.0 if t.number in (7, 10, 11) else None)
    assert [len(each) for each in few] == [18, 2, 2]
    assert [len(each) for each in simulate(grid_plan(tmp_path, block), lambda t: None)] == [18]


def test_a_schedule_over_the_whole_training_restarts(tmp_path: Path) -> None:
    """To continue would differ from one training."""
    base = BASE + "schedule: {cosine: {}}\n"
    rounds = simulate(grid_plan(tmp_path, HALVING, base=base), loss_of)
    assert [trial.after for trial in rounds[1]] == [None] * 3


@pytest.mark.parametrize(
    ("search", "settings", "epochs", "expected"),
    [
        (Halving(), 27, 270, [10, 30, 90, 270]),
        (Halving(), 26, 270, [30, 90, 270]),
        (Halving(2), 8, 500, [62, 125, 250, 500]),
        (Halving(), 9, 1000, [111, 333, 1000]),
        (Halving(), 9, 2, [1, 2]),
        (Halving(3, 10), 81, 100, [10, 30, 90, 100]),
        (Halving(3, 10), 4, 90, [10, 30, 90]),
        (Halving(2, 60), 4, 100, [60, 100]),
    ],
)
def test_lengths(search: Halving, settings: int, epochs: int, expected: list[int]) -> None:
    """Each round eta times the one before, the last one the whole."""
    assert round_lengths(search, settings, epochs) == expected


@pytest.mark.parametrize(("average", "expected"), [(None, True), (Ema(), True), (Swa(), False)])
def test_swa_depends_on_the_length_of_the_training(average: object, expected: bool) -> None:
    """Its average begins after a share of the epochs, so a shorter training began it earlier."""
    config = SimpleNamespace(schedule=None, train=SimpleNamespace(average=average))
    assert continues(cast(Candidate, SimpleNamespace(config=config))) is expected


def test_horizon_independent_schedules() -> None:
    """Those whose rate does not depend on the training's length."""
    assert (
        horizon_independent(None)
        and horizon_independent(Constant())
        and horizon_independent(InverseTime(0.1))
        and horizon_independent(StepDecay(2))
    )
    assert not horizon_independent(Cosine())
    assert horizon_independent(Warmup(5)) and not horizon_independent(
        Warmup(5, then=Warmup(1, then=Cosine()))
    )
    assert len(SCHEDULES) >= 10


@pytest.mark.parametrize(
    ("candidates", "eta", "expected"),
    [
        (27, 3, [27, 9, 3, 1, 1]),
        (20, 4, [20, 5, 1, 1, 1]),
        (1, 2, [1] * 5),
        (9, 2, [9, 4, 2, 1, 1]),
    ],
)
def test_survivors_of_each_round(candidates: int, eta: int, expected: list[int]) -> None:
    assert [survivors(i, candidates, eta) for i in range(5)] == expected
