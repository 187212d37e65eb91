"""Grids for the tests of planning, and searches that run on made-up outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ldl.grid.grid_plan import GridPlan
from ldl.grid.planning import CheckedGrid, read_grid
from ldl.grid.trial import Trial, TrialOutcome

BASE = """\
name: small
data: {source: iris, scale: standard}
network: [{linear: 4}, tanh, linear]
optimizer: {adam: {learning_rate: 0.01}}
train: {epochs: 9, batch_size: 16}
"""
SIZES = "train.batch_size: [8, 16, 32]"
RATES = "optimizer.adam.learning_rate: [0.1, 0.01, 0.001]"

Portions = Callable[[Sequence[TrialOutcome]], Iterable[Sequence[TrialOutcome]]]


def write_config(folder: Path, block: str, base: str = BASE) -> Path:
    """A configuration whose grid block has these lines beside its objective."""
    path = folder / "small.yaml"
    objective = "" if "objective:" in block else "  objective: validation.loss\n"
    lines = "".join(f"  {line}\n" for line in block.splitlines())
    path.write_text(f"{base}grid:\n{objective}{lines}")
    return path


def checked_grid(folder: Path, block: str, *overrides: str, base: str = BASE) -> CheckedGrid:
    """The grid of such a configuration."""
    return read_grid(write_config(folder, block, base), overrides)


def grid_plan(folder: Path, block: str, *overrides: str, base: str = BASE) -> GridPlan:
    """The plan of such a configuration."""
    return checked_grid(folder, block, *overrides, base=base).plan()


def finished(trial: Trial, objective: float | None) -> TrialOutcome:
    """The outcome of a trial with this objective; None: it diverged."""
    status = "diverged" if objective is None else "completed"
    return TrialOutcome(trial.id, status, "", objective, 1, 0.0, 1, "here")  # type: ignore[arg-type]


def all_at_once(outcomes: Sequence[TrialOutcome]) -> list[Sequence[TrialOutcome]]:
    """One portion with all outcomes."""
    return [outcomes]


def simulate(
    plan: GridPlan, objective_of: Callable[[Trial], float | None], portions: Portions = all_at_once
) -> list[list[Trial]]:
    """The trials of each round of a search; its outcomes are passed in `portions`."""
    rounds = [plan.search.ask([])]
    while rounds[-1]:
        outcomes = [finished(trial, objective_of(trial)) for trial in rounds[-1]]
        rounds.append([trial for part in portions(outcomes) for trial in plan.search.ask(part)])
    return rounds[:-1]
