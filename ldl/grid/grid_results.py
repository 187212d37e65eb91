"""What came of a grid: results.csv, a row a setting, best first, and results.json, who won.

Neither holds a time of day; but for the seconds they do not depend on how the trials were run.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import Any, Final

from ldl.errors import RunFolderError
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial, TrialOutcome
from ldl.grid.trial_store import ABOUT, format_cell, read_outcome
from ldl.runs import read_json, write_json, write_text

ALPHA: Final = 0.05
FEW: Final = 2  # seeds
TEST: Final = "paired t-test over seeds, two-sided, not corrected for many comparisons"
WAITING: Final = "waiting"  # the status of a trial that has not ended
EPOCHS: Final = "train.epochs"  # what tells the rounds of halving apart
ROUNDING: Final = 1e-12  # of figures: what is smaller is no difference


@dataclass(frozen=True)
class GridRow:
    """A setting: its trials, and how those ended that have."""

    trials: Sequence[Trial]
    outcomes: Mapping[str, TrialOutcome]  # by the trial's id

    @property
    def number(self) -> int:
        """Its number in the plan."""
        return self.trials[0].number

    @property
    def values(self) -> dict[str, Any]:
        """What was varied."""
        return self.trials[0].values

    @property
    def objectives(self) -> dict[int, float]:
        """The objective by seed, of the seeds that have one."""
        found = ((each.seed, self.outcomes.get(each.id)) for each in self.trials)
        return {seed: out.objective for seed, out in found if out and out.objective is not None}

    @property
    def whole(self) -> bool:
        """Whether every seed has an objective."""
        return len(self.objectives) == len(self.trials)

    @property
    def mean(self) -> float | None:
        """The mean of the objective over the seeds that have one."""
        found = list(self.objectives.values())
        return statistics.fmean(found) if found else None

    @property
    def sd(self) -> float | None:
        """The standard deviation of a sample; None for a single seed."""
        found = list(self.objectives.values())
        return statistics.stdev(found) if len(found) > 1 else None

    @property
    def status(self) -> str:
        """How its trials stand: "completed 2/3, diverged 1/3"."""
        ended = (self.outcomes.get(each.id) for each in self.trials)
        known = Counter(each.status if each else WAITING for each in ended)
        return ", ".join(f"{word} {n}/{len(self.trials)}" for word, n in sorted(known.items()))

    def average(self, name: str) -> float | None:
        """The mean of `epochs` or `seconds` over the trials that have ended."""
        found = [float(getattr(each, name)) for each in self.outcomes.values()]
        return statistics.fmean(found) if found else None


@dataclass(frozen=True)
class GridResults:
    """A grid's settings, best first; with `halving`, each of them once a round that it is in."""

    name: str
    objective: Objective
    keys: tuple[str, ...]
    rows: Sequence[GridRow]
    halving: bool = False

    @property
    def winner(self) -> GridRow | None:
        """The best setting whose seeds all have an objective, else the best of the others."""
        return self.rows[0] if self.rows and self.rows[0].objectives else None

    @property
    def counts(self) -> dict[str, int]:
        """Trials by how they ended, and those that wait."""
        found: Counter[str] = Counter()
        for row in self.rows:
            ended = (row.outcomes.get(each.id) for each in row.trials)
            found.update(each.status if each else WAITING for each in ended)
        return dict(sorted(found.items()))

    @property
    def settings(self) -> int:
        """How many there are, each counted once."""
        return len({self._own(row) for row in self.rows})

    @property
    def rounds(self) -> dict[int, int] | None:
        """The settings of each round of halving, by its epochs; None for another search."""
        if not self.halving:
            return None
        found = Counter(int(row.values[EPOCHS]) for row in self.rows)
        return dict(sorted(found.items()))

    @property
    def last_round(self) -> int | None:
        """The epochs of the last round in which the winner has a figure."""
        if not self.halving or (winner := self.winner) is None:
            return None
        own = (row for row in self.rows if row.objectives and self._own(row) == self._own(winner))
        return max(int(row.values[EPOCHS]) for row in own)

    @property
    def others(self) -> list[GridRow]:
        """Settings that the winner is compared with: of halving those of its last round."""
        if self.winner is None or not self.halving:
            return list(self.rows[1:])
        last, own = self.last_round, self._own(self.winner)
        return [row for row in self.rows if row.values[EPOCHS] == last and self._own(row) != own]

    def _own(self, row: GridRow) -> str:
        """What tells a setting from the others, whatever the round."""
        if not self.halving:
            return str(row.number)
        return repr(sorted((key, repr(v)) for key, v in row.values.items() if key != EPOCHS))

    def tied(self) -> list[tuple[GridRow, float]] | None:
        """Settings that differ from the winner by no more than chance, with their p-values.

        None where fewer than two seeds let nothing be said.
        """
        return self._tied

    @property
    def untested(self) -> int:
        """How many of the `others` share fewer than two seeds with the winner."""
        return sum(p is None for _, p in self._tested or [])

    @cached_property
    def _tied(self) -> list[tuple[GridRow, float]] | None:
        if self._tested is None:
            return None
        return [(row, p) for row, p in self._tested if p is not None and p >= ALPHA]

    @cached_property
    def _tested(self) -> list[tuple[GridRow, float | None]] | None:
        """The others with their p-values; of halving all by their figures of the last round."""
        winner, last = self.winner, self.last_round
        if winner is None:
            return None
        same = [row for row in self.rows if self._own(row) == self._own(winner)]
        here = next((row for row in same if row.values.get(EPOCHS) == last), winner)
        if len(here.objectives) < 2:
            return None
        return [(row, paired(here.objectives, row.objectives)) for row in self.others]


def paired(one: Mapping[int, float], other: Mapping[int, float]) -> float | None:
    """p = 2·P(T < −|d̄|·√n / s) with n − 1 degrees of freedom, d the differences of n seeds.

    The paired t-test over the seeds that both have; None for fewer than two. As
    scipy.stats.ttest_rel, whose room takes half a second to enter.
    """
    seeds = sorted(one.keys() & other.keys())
    if len(seeds) < 2:
        return None
    differences = [one[seed] - other[seed] for seed in seeds]
    least = ROUNDING * max(abs(each[seed]) for each in (one, other) for seed in seeds)
    if max(differences) - min(differences) <= least:  # no spread: t is 0/0 or without bound
        return 0.0 if abs(differences[0]) > least else 1.0
    from scipy.special import stdtr

    t = statistics.mean(differences) * sqrt(len(seeds)) / statistics.stdev(differences)
    return float(2.0 * stdtr(len(seeds) - 1, -abs(t)))


def read_trials(folder: Path) -> list[Trial]:
    """The trials of plan.jsonl, without their configurations. Raises RunFolderError."""
    path = folder / "plan.jsonl"
    try:
        lines = path.read_text("utf-8").split("\n") if path.exists() else []
        return [Trial.from_dict({**json.loads(line), "yaml": ""}) for line in lines if line]
    except (OSError, ValueError, TypeError) as error:
        raise RunFolderError(f"cannot read {path}: {error}") from error


def read_results(folder: Path) -> GridResults:
    """What came of the grid in a folder, so far. Raises RunFolderError where it is damaged."""
    about = read_json(folder / ABOUT)
    try:
        name, keys = str(about["name"]), tuple(about["keys"])
        objective = Objective.from_dict(about["objective"])
    except (KeyError, TypeError) as error:
        raise RunFolderError(f"{folder / ABOUT} is damaged: {error}") from error
    settings: dict[int, list[Trial]] = {}
    for trial in read_trials(folder):
        settings.setdefault(trial.number, []).append(trial)
    rows = [_row(folder, trials) for trials in settings.values()]
    # A setting that lost a seed stands behind all whole ones; without any figure, last of all.
    rows.sort(key=lambda row: (not row.whole, *objective.sort_key(row.mean), row.number))
    # The plan may still be that of an earlier call with another search.
    halving = about.get("search") == "halving" and all(EPOCHS in row.values for row in rows)
    return GridResults(name, objective, keys, rows, halving)


def _row(folder: Path, trials: Sequence[Trial]) -> GridRow:
    found = ((trial.id, read_outcome(folder, trial.id)) for trial in trials)
    return GridRow(trials, {id_: each for id_, each in found if each is not None})


def write_results(folder: Path) -> tuple[GridResults, bool]:
    """Write results.csv and results.json, atomically; and say whether the table is another."""
    results = read_results(folder)
    text, path = results_csv(results), folder / "results.csv"
    changed = not path.exists() or path.read_text("utf-8") != text
    write_text(path, text)
    write_json(folder / "results.json", results_json(results))
    return results, changed


def results_csv(results: GridResults) -> str:
    """results.csv."""
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    head = ("number", *results.keys, "mean", "sd", "seeds", "epochs", "seconds", "status")
    rows.writerow(head)
    for row in results.rows:
        values = [format_cell(row.values[key]) if key in row.values else "" for key in results.keys]
        figures = [_number(row.mean), _number(row.sd), str(len(row.objectives))]
        spent = [_number(row.average("epochs")), _number(row.average("seconds"), 3)]
        rows.writerow([row.number, *values, *figures, *spent, row.status])
    return lines.getvalue()


def results_json(results: GridResults) -> dict[str, Any]:
    """results.json."""
    winner, tied = results.winner, results.tied()
    told: dict[str, Any] | None = None
    if winner is not None:
        told = _told(winner) | {"trials": [each.id for each in winner.trials]}
    return {
        "name": results.name,
        "objective": results.objective.name,
        "goal": results.objective.goal,
        "settings": results.settings,
        "rounds": _rounds(results),
        "trials": sum(len(row.trials) for row in results.rows),
        "counts": results.counts,
        "winner": told,
        "test": TEST,
        "alpha": ALPHA,
        "tied": None if tied is None else [_told(row) | {"p": p} for row, p in tied],
        "untested": results.untested,
        "notes": list(notes(results)),
    }


def notes(results: GridResults) -> Iterable[str]:
    """What a reader has to know of the comparison."""
    winner, tied, untested = results.winner, results.tied(), results.untested
    if untested:
        others = f"{untested} other{'s' if untested > 1 else ''}"
        yield f"{others} cannot be compared: fewer than two seeds in common with the winner"
    if winner is None:
        yield "no trial has an objective"
    elif tied is None:
        yield "one seed: whether others are as good cannot be said"
    elif len(winner.objectives) == FEW:
        yield f"{FEW} seeds: only very large differences can be told from chance; use 5 or more"
    if winner is not None and not winner.whole:
        yield "no setting has an objective for every seed; this is the best of what there is"


def _rounds(results: GridResults) -> list[dict[str, int]] | None:
    found = results.rounds
    if found is None:
        return None
    return [{"epochs": epochs, "settings": n} for epochs, n in found.items()]


def _told(row: GridRow) -> dict[str, Any]:
    objectives = {str(seed): value for seed, value in row.objectives.items()}
    own = {"number": row.number, "values": row.values, "mean": row.mean, "sd": row.sd}
    return own | {"seeds": len(objectives), "objectives": objectives}


def _number(value: float | None, digits: int | None = None) -> str:
    """Ten digits that count, or so many after the point."""
    if value is None:
        return ""
    return f"{value:.10g}" if digits is None else f"{value:.{digits}f}"
