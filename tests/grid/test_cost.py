"""The estimated cost of a grid, from made-up and from real timings."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ldl.grid import cost
from ldl.grid.cost import TrialTiming, estimate_cost, measure

from .plans import BASE, RATES, SIZES, checked_grid

FIXED = TrialTiming(0.001, 0.01, 0.5, memory_bytes=10_000_000, weight_bytes=1000)


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace `measure`; gives how many configurations each call was to time."""
    counts: list[int] = []

    def fake_measure(yamls: list[str], objective: object, jobs: int) -> list[TrialTiming]:
        counts.append(len(yamls))
        return [FIXED] * len(yamls)

    monkeypatch.setattr(cost, "measure", fake_measure)
    return counts


def test_the_sum(tmp_path: Path, fixed: list[int]) -> None:
    """Epochs of batches and validations, evaluations and overhead, divided among the workers."""
    grid = checked_grid(tmp_path, f"seeds: 2\nvary: {{{SIZES}}}")
    estimate = estimate_cost(grid, None, 2)
    batches = [-(-105 // size) for size in (8, 16, 32)]
    costs = [9 * (count * 0.001 + 0.01) + 0.5 + cost.TRIAL_OVERHEAD for count in batches]
    assert estimate is not None and estimate.seconds == pytest.approx(sum(costs), rel=1e-6)
    assert estimate.memory > 2 * FIXED.memory_bytes
    half = estimate_cost(grid, {1: 1, 2: 1, 3: 1}, 2)
    assert half is not None and half.seconds == pytest.approx(estimate.seconds / 2)
    assert half.disk == pytest.approx(estimate.disk / 2, rel=0.01)


def test_rates_need_no_timing_of_their_own(tmp_path: Path, fixed: list[int]) -> None:
    """The learning rate and the epochs do not change the time of a batch."""
    estimate_cost(
        checked_grid(tmp_path, f"vary:\n  {SIZES}\n  {RATES}\n  train.epochs: [1, 2]"), None, 1
    )
    estimate_cost(checked_grid(tmp_path, "vary: {train.batch_size: {range: [1, 40, 1]}}"), None, 1)
    assert fixed == [3, cost.MAX_TIMED]


def test_halving_trains_each_epoch_once(tmp_path: Path, fixed: list[int]) -> None:
    """9 settings for an epoch, 3 for two more, one for six more."""
    grid = checked_grid(tmp_path, f"search: halving\nvary:\n  {SIZES}\n  {RATES}")
    estimate = estimate_cost(grid, None, 1)
    whole = estimate_cost(checked_grid(tmp_path, f"vary:\n  {SIZES}\n  {RATES}"), None, 1)
    assert estimate is not None and whole is not None
    other = 0.5 + cost.TRIAL_OVERHEAD
    assert estimate.seconds - 13 * other == pytest.approx((whole.seconds - 9 * other) * 21 / 81)


def test_halving_without_checkpoints_trains_all_epochs(tmp_path: Path, fixed: list[int]) -> None:
    """With a schedule over the whole training; trials that are finished cost nothing."""
    block = f"search: halving\nvary: {{{RATES}}}"
    continued = checked_grid(tmp_path, block)
    restarted = checked_grid(tmp_path, block, base=f"{BASE}schedule: cosine\n")
    whole = [estimate_cost(grid, None, 1) for grid in (continued, restarted)]
    begun = estimate_cost(continued, dict.fromkeys(range(1, 4), 0), 1)
    assert whole[0] and whole[1] and begun and begun.seconds < whole[0].seconds < whole[1].seconds


def test_tpe_counts_its_trials(tmp_path: Path, fixed: list[int]) -> None:
    """Candidates are drawn to be timed."""
    grid = checked_grid(tmp_path, f"search: {{tpe: 6}}\nvary: {{{RATES}}}")
    estimate = estimate_cost(grid, None, 1)
    one = 9 * (-(-105 // 16) * 0.001 + 0.01) + 0.5 + cost.TRIAL_OVERHEAD
    assert estimate is not None and estimate.seconds == pytest.approx(6 * one, rel=1e-6)


def test_measuring(tmp_path: Path) -> None:
    """In real processes a larger network takes longer; None for an invalid configuration."""
    grid = checked_grid(tmp_path, "objective: validation.classification.accuracy\n"
                "vary: {network.0: [{linear: 4}, {linear: 4000}]}")  # fmt: skip
    texts = [candidate.yaml(0) for candidate in grid.candidates]
    small, large, broken = measure([*texts, "network: []\n"], grid.objective, 2)
    assert small is not None and large is not None and broken is None
    assert (
        1e-6 < small.step_seconds < large.step_seconds < 1
        and small.evaluation_seconds > 0
        and small.validation_seconds > 0
    )
    assert 4 * (4 * 4 + 4 + 4 * 3 + 3) <= small.weight_bytes < 1000
    assert 20e6 < small.memory_bytes < 2e9


def test_nothing_can_be_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no estimate and no error."""
    monkeypatch.setattr(cost, "measure", lambda yamls, objective, jobs: [None] * len(yamls))
    assert estimate_cost(checked_grid(tmp_path, f"vary: {{{SIZES}}}", base=BASE), None, 2) is None


def test_the_time_of_a_batch_is_a_median_without_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until TIMING_SECONDS have passed."""
    clock = iter([0.0, 0.5, 0.6, 0.8, 1.8, 3.0, 10.0])
    monkeypatch.setattr(cost, "TIMING_SECONDS", 1.0)
    monkeypatch.setattr(cost.time, "perf_counter", lambda: next(clock))
    timer = cost._BatchTimer()
    for _ in range(3):
        timer(None)
    assert timer.step_seconds == pytest.approx(0.15)  # of 0.1 and 0.2
    with pytest.raises(cost._EnoughError):
        timer(None)
    alone = cost._BatchTimer()
    with pytest.raises(cost._EnoughError):
        alone(None)
    assert alone.step_seconds == 7.0


def test_the_slowest_of_several_workers_counts() -> None:
    slow, fast = asdict(replace(FIXED, step_seconds=2.0)), asdict(replace(FIXED, memory_bytes=9))
    assert cost._slowest([fast, slow]) == replace(FIXED, step_seconds=2.0)
    assert cost._slowest([]) is None


def test_a_known_evaluation_is_not_timed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "TIMING_SECONDS", 0.0)
    grid = checked_grid(
        tmp_path, "objective: validation.classification.accuracy\nvary: {train.batch_size: [8]}"
    )
    yaml = grid.candidates[0].yaml(0)
    timing = cost._time_config(yaml, grid.objective, tmp_path, 123.0)
    assert timing.evaluation_seconds == 123.0 and timing.validation_seconds > 0
    assert 0 < cost._time_config(yaml, grid.objective, tmp_path, None).evaluation_seconds < 100
