"""The listing of `ldl grid --dry-run`: the settings, which are new, and what they will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldl.cli.grid_table import short_keys
from ldl.cli.output import format_bytes, format_duration, print_json, print_table

if TYPE_CHECKING:
    from ldl.grid.grid_plan import GridPlan
    from ldl.grid.planning import CheckedGrid
    from ldl.grid.trial import Trial, TrialOutcome

    Outcomes = Mapping[str, TrialOutcome | None]  # by trial id; None: not run yet

FIRST_ROWS, LAST_ROWS = 20, 10  # settings printed of a long list
MAX_WIDTH = 30  # characters of a cell


def print_plan(
    grid: CheckedGrid, plan: GridPlan, trials: Sequence[Trial], root: Path, option: str | None,
    jobs: int | None, json: bool,
) -> None:  # fmt: skip
    """Print the settings known before the grid runs, those that are new, and their cost.

    `trials` are the first that the search asks for; `option` is the value of --folder.
    """
    from ldl.cores import usable_cores
    from ldl.grid.cost import estimate_cost
    from ldl.grid.trial_store import find_grid_folder

    folder = find_grid_folder(root, plan, option)
    trials, outcomes = _known_trials(plan, trials, folder)
    is_complete = all(outcomes.values())
    new = Counter(trial.number for trial in trials if outcomes[trial.id] is None)
    workers = jobs or usable_cores() or 1
    cost = estimate_cost(grid, new, workers) if new else None
    total = len(trials)
    most = total if is_complete else plan.max_trials
    if json:
        print_json(
            {
                "name": plan.name,
                "objective": plan.objective.to_dict(),
                "search": plan.method,
                "folder": folder,
                "most": most,
                "trials": _listed(trials, outcomes),
                "new": new.total(),
                "notes": list(plan.notes),
                "workers": workers,
                "estimate": asdict(cost) if cost else None,
            }
        )
        return
    _print_settings(plan, trials, outcomes)
    print(f"{total:,} trials: {new.total():,} new, {total - new.total():,} already there")
    if most is not None and most > total:
        print(f"and up to {most - total:,} more, chosen by the results")
    if cost is not None:
        sizes = f"{format_bytes(cost.memory)} of memory, {format_bytes(cost.disk)} of disk"
        print(f"with {workers} workers about {format_duration(cost.seconds)}, {sizes}")
    if folder is not None:
        print(folder)


def _known_trials(
    plan: GridPlan, first: Sequence[Trial], folder: Path | None
) -> tuple[list[Trial], dict[str, TrialOutcome | None]]:
    """The trials that the search asks for, given the outcomes in `folder`, and these outcomes."""
    from ldl.grid.trial_store import read_outcome

    trials: list[Trial] = []
    outcomes: dict[str, TrialOutcome | None] = {}
    batch = list(first)
    while batch:
        ended = {trial.id: read_outcome(folder, trial.id) if folder else None for trial in batch}
        trials += [trial for trial in batch if trial.id not in outcomes]
        outcomes |= ended
        batch = plan.search.ask([result for result in ended.values() if result is not None])
    return trials, outcomes


def _print_settings(plan: GridPlan, trials: Sequence[Trial], outcomes: Outcomes) -> None:
    """Print a row per setting; the middle of a long list is left out."""
    from ldl.grid.labels import table_cells

    settings: dict[int, list[Trial]] = {}
    for trial in trials:
        settings.setdefault(trial.number, []).append(trial)
    values = [seeds[0].values for seeds in settings.values()]
    keys = [key for key in plan.keys if any(key in setting for setting in values)]
    rows = []
    for texts, (number, seeds) in zip(
        table_cells(values, keys, MAX_WIDTH), settings.items(), strict=True
    ):
        rows.append([str(number), *texts, _seed_range(seeds), _state(seeds, outcomes)])
    omitted = len(rows) - FIRST_ROWS - LAST_ROWS
    if omitted > 1:
        gap = ["…", *[""] * len(keys), "", f"{omitted:,} settings"]
        rows = [*rows[:FIRST_ROWS], gap, *rows[-LAST_ROWS:]]
    columns = ["setting", *short_keys(keys), "seed" if plan.seeds == 1 else "seeds", "state"]
    print_table(columns, rows, right=(0,))


def _seed_range(trials: Sequence[Trial]) -> str:
    first, last = trials[0].seed, trials[-1].seed
    return str(first) if first == last else f"{first}–{last}"


def _status(trial: Trial, outcomes: Outcomes) -> str:
    outcome = outcomes[trial.id]
    return outcome.status if outcome else "new"


def _state(trials: Sequence[Trial], outcomes: Outcomes) -> str:
    """The statuses of a setting's trials: "new", or "1 completed, 2 new"."""
    counts = Counter(_status(trial, outcomes) for trial in trials)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _listed(trials: Sequence[Trial], outcomes: Outcomes) -> list[dict[str, Any]]:
    """The trials for --json, without their configurations."""
    listed = []
    for trial in trials:
        record = {key: value for key, value in trial.to_dict().items() if key != "yaml"}
        listed.append({**record, "state": _status(trial, outcomes)})
    return listed
