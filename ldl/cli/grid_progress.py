"""What `ldl grid` shows: its trials beforehand, and how they go."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldl.cli.display import Display
from ldl.cli.output import count, duration, figure, print_json, print_table, say, size

if TYPE_CHECKING:
    from ldl.grid.cost import CostEstimate
    from ldl.grid.grid_plan import GridPlan, GridProgress
    from ldl.grid.planning import CheckedGrid
    from ldl.grid.trial import Trial, TrialOutcome

HEAD, TAIL = 20, 10  # settings shown of a long list
LINES = 20  # plain lines for a whole grid, about


class GridDisplay(Display):
    """A live line on a terminal, a plain line now and then elsewhere; failures are always told."""

    def __init__(self, objective: str, quiet: bool = False) -> None:
        super().__init__(quiet)
        self.objective = objective
        self.best: Mapping[str, object] = {}  # the values of the best trial so far
        self._told = 0

    def progress(self, now: GridProgress) -> None:
        """How the grid stands."""
        self.best = now.best_values
        if self.live:
            self._show(f"trial {now.done}/{now.total}", now.done, now.total, self._told_of(now))
        elif not self.quiet and self._due(now):
            self._told, self._shown = now.done, time.monotonic()
            say(f"trial {now.done}/{now.total}  {self._told_of(now)}")

    def ended(self, trial: Trial, outcome: TrialOutcome) -> None:
        """Says so of a trial that did not come to its end."""
        from ldl.grid.labels import describe_values

        if outcome.status != "completed" and not self.quiet:
            what = f"trial {trial.id}, {describe_values(trial.values)}, seed {trial.seed}"
            self._line(f"{outcome.status}: {what}: {outcome.reason}")

    def note(self, text: str) -> None:
        """Something that a person should know."""
        if not self.quiet:
            super().note(text)

    def _line(self, text: str) -> None:
        if self.live:
            self._bar.console.print(text, markup=False)
        else:
            say(text)

    def _due(self, now: GridProgress) -> bool:
        """At the end, and one in twenty of what is done here or whatever ends ten quiet seconds."""
        if now.done == self._told:
            return False
        every = max(1, (now.total - now.already_done) // LINES)
        quiet = time.monotonic() - self._shown > 10
        return now.done == now.total or now.done - self._told >= every or quiet

    def _told_of(self, now: GridProgress) -> str:
        """Time left, the best, what runs and what failed."""
        from ldl.grid.labels import describe_values

        words = [f"{duration(now.seconds_left)} left"] if now.seconds_left else []
        if now.best is not None:
            words.append(f"best {self.objective} {figure(now.best)}")
        words.append(f"{now.running} running")
        if now.failed:
            words.append(f"{now.failed} failed")
        if now.best is not None:
            words.append(describe_values(now.best_values, 20))
        return self._fitting(words, len(f"trial {now.total}/{now.total}"))


def dry_run(
    grid: CheckedGrid, plan: GridPlan, trials: Sequence[Trial], root: Path, option: str | None,
    jobs: int | None, json: bool,
) -> None:  # fmt: skip
    """Print the settings that are known beforehand, what is new, and what it will cost."""
    from ldl.cores import usable_cores
    from ldl.grid.cost import estimate_cost
    from ldl.grid.trial_store import find_grid_folder

    folder = find_grid_folder(root, plan, option)
    trials, states, over = _asked(plan, trials, folder)
    new = Counter(trial.number for trial in trials if states[trial.id] is None)
    workers = jobs or usable_cores() or 1
    cost = estimate_cost(grid, new, workers) if new else None
    if json:
        most = len(trials) if over else plan.max_trials
        print_json(_plain(plan, trials, states, folder, workers, cost) | {"most": most})
        return
    _print_settings(plan, trials, states)
    known = len(trials)
    there = known - new.total()
    print(f"{count(known)} trials: {count(new.total())} new, {count(there)} already there")
    if plan.max_trials is not None and plan.max_trials > known and not over:
        print(f"and up to {count(plan.max_trials - known)} more as results come")
    if cost is not None:
        space = f"{size(cost.memory)} of memory, {size(cost.disk)} of disk"
        print(f"with {workers} workers about {duration(cost.seconds)}, {space}")
    if folder is not None:
        print(folder)


def _asked(
    plan: GridPlan, first: Sequence[Trial], folder: Path | None
) -> tuple[list[Trial], dict[str, TrialOutcome | None], bool]:
    """What the search asks for, given what has ended by now, and whether it is over."""
    from ldl.grid.trial_store import read_outcome

    trials: list[Trial] = []
    states: dict[str, TrialOutcome | None] = {}
    asked = list(first)
    while asked:
        found = {each.id: read_outcome(folder, each.id) if folder else None for each in asked}
        trials += [each for each in asked if each.id not in states]
        states |= found
        asked = plan.search.ask([each for each in found.values() if each is not None])
    return trials, states, all(states.values())


def _print_settings(
    plan: GridPlan, trials: Sequence[Trial], states: Mapping[str, TrialOutcome | None]
) -> None:
    """A row a setting; a long list is cut in the middle."""
    from ldl.grid.labels import table_cells

    settings: dict[int, list[Trial]] = {}
    for trial in trials:
        settings.setdefault(trial.number, []).append(trial)
    keys = [key for key in plan.keys if any(key in own[0].values for own in settings.values())]
    shown = table_cells([own[0].values for own in settings.values()], keys, 30)
    rows = []
    for values, (number, own) in zip(shown, settings.items(), strict=True):
        rows.append([str(number), *values, _seeds(own), _state([states[each.id] for each in own])])
    if len(rows) > HEAD + TAIL + 1:
        left_out = len(rows) - HEAD - TAIL
        gap = ["…", *[""] * len(keys), "", f"{count(left_out)} settings"]
        rows = [*rows[:HEAD], gap, *rows[-TAIL:]]
    columns = ["setting", *short_keys(keys), "seed" if plan.seeds == 1 else "seeds", "state"]
    print_table(columns, rows, right=(0,))


def _seeds(trials: Sequence[Trial]) -> str:
    first, last = trials[0].seed, trials[-1].seed
    return str(first) if first == last else f"{first}–{last}"


def _state(states: Sequence[TrialOutcome | None]) -> str:
    """How the trials of a setting stand, in few words."""
    known = Counter(each.status if each else "new" for each in states)
    if len(known) == 1:
        return next(iter(known))
    return ", ".join(f"{number} {word}" for word, number in known.items())


def short_keys(keys: Sequence[str]) -> list[str]:
    """The end of each key that tells it from the others and says something."""
    short = []
    for key in keys:
        parts = key.split(".")
        ends = (".".join(parts[-n:]) for n in range(1, len(parts) + 1))
        others = [other for other in keys if other != key]
        fitting = (
            end
            for end in ends
            if not end[0].isdigit() and not any(f".{o}".endswith(f".{end}") for o in others)
        )
        short.append(next(fitting, key))
    return short


def _plain(
    plan: GridPlan,
    trials: Sequence[Trial],
    states: Mapping[str, TrialOutcome | None],
    folder: Path | None,
    workers: int,
    cost: CostEstimate | None,
) -> dict[str, Any]:
    """The same for a program."""
    listed = []
    for trial in trials:
        state = states[trial.id]
        told = {key: value for key, value in trial.to_dict().items() if key != "yaml"}
        listed.append({**told, "state": state.status if state else "new"})
    return {
        "name": plan.name,
        "objective": plan.objective.to_dict(),
        "search": plan.method,
        "folder": folder,
        "most": plan.max_trials,
        "trials": listed,
        "new": sum(each["state"] == "new" for each in listed),
        "notes": list(plan.notes),
        "workers": workers,
        "estimate": asdict(cost) if cost else None,
    }
