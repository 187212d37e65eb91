"""Grids for the tests of planning, and outcomes for trials that nobody trains."""

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


def file(folder: Path, block: str, base: str = BASE) -> Path:
    """A configuration whose grid block has these lines beside its objective."""
    path = folder / "small.yaml"
    objective = "" if "objective:" in block else "  objective: validation.loss\n"
    lines = "".join(f"  {line}\n" for line in block.splitlines())
    path.write_text(f"{base}grid:\n{objective}{lines}")
    return path


def planned(folder: Path, block: str, *overrides: str, base: str = BASE) -> GridPlan:
    """The plan of such a file."""
    return read_grid(file(folder, block, base), overrides).plan()


def read(folder: Path, block: str, *overrides: str, base: str = BASE) -> CheckedGrid:
    """The grid of such a file."""
    return read_grid(file(folder, block, base), overrides)


def ended(trial: Trial, figure: float | None) -> TrialOutcome:
    """A trial that came to this objective; None: it diverged."""
    status = "diverged" if figure is None else "completed"
    return TrialOutcome(trial.id, status, "", figure, 1, 0.0, 1, "here")  # type: ignore[arg-type]


def played(
    plan: GridPlan,
    figure: Callable[[Trial], float | None],
    shuffle: Callable[[Sequence[TrialOutcome]], Iterable[Sequence[TrialOutcome]]] = lambda all_of: [
        all_of
    ],
) -> list[list[Trial]]:
    """What a search asks for, ask by ask, where trials come to `figure`.

    `shuffle` says in which portions the outcomes are told.
    """
    rounds = [plan.search.ask([])]
    while rounds[-1]:
        asked: list[Trial] = []
        for portion in shuffle([ended(trial, figure(trial)) for trial in rounds[-1]]):
            asked += plan.search.ask(portion)
        rounds.append(asked)
    return rounds[:-1]
