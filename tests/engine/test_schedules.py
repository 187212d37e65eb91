"""Schedules: rates by their formulas, and their state."""

from __future__ import annotations

import json
from math import cos, pi

import pytest

from ldl.engine.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    Cyclic,
    Exponential,
    InverseTime,
    MultiStep,
    OneCycle,
    Plateau,
    Schedule,
    StepCount,
    StepDecay,
    Warmup,
)

COUNT = StepCount(epoch=4, total=40)  # ten epochs of four steps
ETA = 0.2


def rates(schedule: Schedule, count: StepCount = COUNT) -> list[float]:
    """The rate of each step."""
    state = schedule.start()
    return [schedule.rate(ETA, step, count, state) for step in range(count.total)]


def by_epoch(values: list[float]) -> list[float]:
    """Each value repeated for the steps of its epoch."""
    return [value for value in values for _ in range(COUNT.epoch)]


EPOCHS, STEPS = range(10), range(40)
CASES: list[tuple[Schedule, list[float]]] = [
    (Constant(), [ETA] * 40),
    (InverseTime(0.5), by_epoch([ETA / (1 + 0.5 * t) for t in EPOCHS])),
    (InverseTime(0.5, "step"), [ETA / (1 + 0.5 * t) for t in STEPS]),
    (Exponential(0.9), by_epoch([ETA * 0.9**t for t in EPOCHS])),
    (Exponential(0.9, "step"), [ETA * 0.9**t for t in STEPS]),
    (
        StepDecay(3, 0.5),
        by_epoch([ETA * f for f in (1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125)]),
    ),
    (StepDecay(30, 0.5, "step"), [ETA] * 30 + [ETA / 2] * 10),
    (MultiStep((2, 7), 0.1), by_epoch([ETA] * 2 + [ETA * 0.1] * 5 + [ETA * 0.1**2] * 3)),
    (MultiStep((7, 2, 2), 0.5), by_epoch([ETA] * 2 + [ETA / 4] * 5 + [ETA / 8] * 3)),
    (MultiStep(()), [ETA] * 40),
    (Cosine(), by_epoch([ETA * (1 + cos(pi * t / 10)) / 2 for t in EPOCHS])),
    (Cosine(per="step"), [ETA * (1 + cos(pi * t / 40)) / 2 for t in STEPS]),
    (Cosine(5, 0.1), by_epoch([0.1 + 0.1 * (1 + cos(pi * t / 5)) / 2 for t in EPOCHS])),
    (Cyclic(1.0, 4), [ETA + 0.8 * h for h in [0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25] * 5]),
    (Cyclic(1.0, 2, 3), [ETA + 0.8 * h for h in [0, 0.5, 1, 2 / 3, 1 / 3] * 8]),
    (
        Cyclic(1.0, 2, 2, "triangular2"),
        [ETA + 0.8 * h / 2**c for c in range(10) for h in (0, 0.5, 1, 0.5)],
    ),
    (
        Cyclic(1.0, 2, 2, "exp_range", 0.9),
        [ETA + 0.8 * h * 0.9**t for t, h in enumerate([0, 0.5, 1, 0.5] * 10)],
    ),
    (
        Warmup(2.5, 0.2),
        [ETA * (0.2 + 0.8 * t / 10) for t in range(10)] + [ETA] * 30,
    ),
    (
        Warmup(2, 0.5, Exponential(0.9)),
        [ETA * (0.5 + 0.5 * t / 8) for t in range(8)] + by_epoch([ETA * 0.9**t for t in range(8)]),
    ),
    (
        Warmup(2, 0.5, Cosine()),
        [ETA * (0.5 + 0.5 * t / 8) for t in range(8)]
        + by_epoch([ETA * (1 + cos(pi * t / 8)) / 2 for t in range(8)]),
    ),
]


@pytest.mark.parametrize(("schedule", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_rates_are_those_of_the_formula(schedule: Schedule, expected: list[float]) -> None:
    assert rates(schedule) == pytest.approx(expected, rel=1e-12, abs=1e-15)
    assert all(type(rate) is float for rate in rates(schedule))


def test_every_schedule_has_a_case() -> None:
    tested = {type(schedule) for schedule, _ in CASES} | {OneCycle, Plateau}
    assert tested == set(SCHEDULES.values())


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_one_cycle_has_the_rates_of_its_corners(strategy: str, three_phase: bool) -> None:
    schedule_rates = rates(OneCycle(0.25, strategy, 10.0, 100.0, three_phase))  # type: ignore[arg-type]
    assert schedule_rates[0] == pytest.approx(ETA / 10)
    assert schedule_rates[9] == max(schedule_rates) == pytest.approx(ETA)
    assert schedule_rates[-1] == min(schedule_rates) == pytest.approx(ETA / 1000)
    assert schedule_rates[:10] == sorted(schedule_rates[:10])
    assert schedule_rates[9:] == sorted(schedule_rates[9:], reverse=True)
    assert (schedule_rates[18] == pytest.approx(ETA / 10)) == three_phase


@pytest.mark.parametrize("total", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", SCHEDULES)
def test_short_trainings_have_finite_rates(name: str, total: int) -> None:
    settings = {
        "inverse_time": (0.1,),
        "exponential": (0.9,),
        "step": (1,),
        "multi_step": ((1,),),
        "cyclic": (1.0,),
    }
    schedule = SCHEDULES[name](*settings.get(name, ()))
    for epoch in (1, total):
        assert all(0 <= rate <= 1.0 for rate in rates(schedule, StepCount(epoch, total)))


# --- plateau ------------------------------------------------------------------------------------


def rates_for_losses(schedule: Schedule, losses: list[float]) -> list[float]:
    """The rate of each epoch; the state passes through JSON, as in a checkpoint."""
    state, schedule_rates = schedule.start(), []
    for i, loss in enumerate(losses):
        schedule_rates.append(schedule.rate(ETA, COUNT.epoch * i, COUNT, state))
        schedule.step(loss, ETA, state)
        state = json.loads(json.dumps(state, allow_nan=False))
    return schedule_rates


def test_plateau_reduces_the_rate_after_patience_epochs() -> None:
    losses = [1.0, 0.9, 0.95, 0.91, 0.92, 0.5, 0.6, 0.6, 0.6]
    expected = [ETA] * 5 + [ETA / 2] * 4
    assert rates_for_losses(Plateau(0.5, patience=2), losses) == pytest.approx(expected)


def test_plateau_without_patience_with_threshold_and_minimum() -> None:
    assert rates_for_losses(Plateau(0.5, 0), [1.0, 1.0, 1.0]) == pytest.approx([ETA, ETA, ETA / 2])
    assert rates_for_losses(Plateau(0.1, 0, min_lr=0.05), [1.0] * 5) == pytest.approx(
        [ETA, ETA, 0.05, 0.05, 0.05]
    )
    # 0.95 is no improvement where the threshold is a tenth
    schedule_rates = rates_for_losses(Plateau(0.5, 0, threshold=0.1), [1.0, 0.95, 0.8, 0.79])
    assert schedule_rates == pytest.approx([ETA, ETA, ETA / 2, ETA / 2])
    assert rates_for_losses(Plateau(0.5, 0, min_lr=9.0), [1.0] * 3) == [ETA] * 3


def test_plateau_has_a_cooldown_after_a_change() -> None:
    schedule_rates = rates_for_losses(Plateau(0.5, 0, cooldown=2), [1.0] * 6)
    assert schedule_rates == pytest.approx([ETA, ETA, ETA / 2, ETA / 2, ETA / 2, ETA / 4])


def test_warmup_passes_losses_to_the_next_schedule() -> None:
    schedule = Warmup(1, 0.5, Plateau(0.5, 0))
    schedule_rates = rates_for_losses(schedule, [1.0, 1.0, 1.0])
    assert schedule_rates == pytest.approx([ETA / 2, ETA, ETA / 2])


def test_triangular2_ends_at_the_lower_rate() -> None:
    """After so many cycles that their height underflows in float64."""
    cyclic = Cyclic(1.0, 1, 1, "triangular2")
    assert cyclic.rate(0.1, 5001, StepCount(10, 10_000), cyclic.start()) == 0.1
