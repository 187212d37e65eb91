"""The results of a grid: results.csv, a row a candidate, best first, and results.json, the winner.

Neither holds a time of day. But for the seconds they do not depend on how the trials were run.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import copysign, inf, sqrt
from pathlib import Path
from typing import Any, Final

from ldl.errors import RunFolderError
from ldl.folder_files import read_text
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial, TrialOutcome
from ldl.grid.trial_store import GRID_FILE, format_cells, read_outcome, read_plan
from ldl.runs import read_mapping, write_json, write_text

ALPHA: Final = 0.05
FEW_SEEDS: Final = 2
TEST: Final = "paired t-test over seeds, two-sided, not corrected for many comparisons"
WAITING: Final = "waiting"  # the status of a trial that has not ended
EPOCHS: Final = "train.epochs"  # the key in which the rounds of halving differ
ROUNDING: Final = 1e-12  # relative; a smaller difference of two values is none


@dataclass(frozen=True)
class GridRow:
    """A candidate: its trials, and the outcomes of those that have ended."""

    trials: Sequence[Trial]
    outcomes: Mapping[str, TrialOutcome]  # by the trial's id

    @property
    def number(self) -> int:
        """Its number in the plan."""
        return self.trials[0].number

    @property
    def values(self) -> dict[str, Any]:
        """The values of its varied keys."""
        return self.trials[0].values

    @property
    def objectives(self) -> dict[int, float]:
        """The objective by seed, of the seeds that have one."""
        pairs = ((trial.seed, self.outcomes.get(trial.id)) for trial in self.trials)
        return {seed: out.objective for seed, out in pairs if out and out.objective is not None}

    @property
    def is_complete(self) -> bool:
        """Whether every seed has an objective."""
        return len(self.objectives) == len(self.trials)

    @property
    def mean(self) -> float | None:
        """The mean of the objective over the seeds that have one."""
        values = list(self.objectives.values())
        return statistics.fmean(values) if values else None

    @property
    def sd(self) -> float | None:
        """The sample standard deviation of the objective; None for a single seed."""
        values = list(self.objectives.values())
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def statuses(self) -> Counter[str]:
        """Trials by their status."""
        outcomes = (self.outcomes.get(trial.id) for trial in self.trials)
        return Counter(outcome.status if outcome else WAITING for outcome in outcomes)

    @property
    def status(self) -> str:
        """The statuses of its trials: "completed 2/3, diverged 1/3"."""
        total = len(self.trials)
        return ", ".join(f"{name} {n}/{total}" for name, n in sorted(self.statuses.items()))

    def average(self, name: str) -> float | None:
        """The mean of `epochs` or `seconds` over the trials that have ended."""
        values = [float(getattr(outcome, name)) for outcome in self.outcomes.values()]
        return statistics.fmean(values) if values else None


@dataclass(frozen=True)
class GridResults:
    """A grid's candidates, best first; with `halving`, each of them once for each of its rounds."""

    name: str
    objective: Objective
    keys: tuple[str, ...]
    rows: Sequence[GridRow]
    halving: bool = False

    @property
    def winner(self) -> GridRow | None:
        """The best candidate whose seeds all have an objective, else the best of the others."""
        return self.rows[0] if self.rows and self.rows[0].objectives else None

    @property
    def counts(self) -> dict[str, int]:
        """Trials by their status."""
        return dict(sorted(sum((row.statuses for row in self.rows), Counter()).items()))

    @property
    def settings(self) -> int:
        """The number of candidates, each counted once."""
        return len({self._identity(row) for row in self.rows})

    @property
    def rounds(self) -> dict[int, int] | None:
        """The number of candidates by the epochs of the round; None without halving."""
        if not self.halving:
            return None
        return dict(sorted(Counter(int(row.values[EPOCHS]) for row in self.rows).items()))

    @property
    def last_round(self) -> int | None:
        """The epochs of the last round in which the winner has an objective."""
        if not self.halving or self.winner is None:
            return None
        return max(int(row.values[EPOCHS]) for row in self._rounds_of_winner if row.objectives)

    @property
    def compared(self) -> list[GridRow]:
        """The candidates that the winner is compared with; in halving those of its last round."""
        if self.winner is None or not self.halving:
            return list(self.rows[1:])
        last, winner = self.last_round, self._identity(self.winner)
        rows = (row for row in self.rows if row.values[EPOCHS] == last)
        return [row for row in rows if self._identity(row) != winner]

    @property
    def _rounds_of_winner(self) -> list[GridRow]:
        winner = self.winner
        if winner is None:
            return []
        return [row for row in self.rows if self._identity(row) == self._identity(winner)]

    def _identity(self, row: GridRow) -> str:
        """The same text for one candidate in all of its rounds."""
        if not self.halving:
            return str(row.number)
        return repr(sorted((key, repr(v)) for key, v in row.values.items() if key != EPOCHS))

    @cached_property
    def tied(self) -> list[tuple[GridRow, float]] | None:
        """Candidates that differ from the winner by no more than chance, with their p-values.

        None where the winner has fewer than two seeds.
        """
        if self._p_values is None:
            return None
        return [(row, p) for row, p in self._p_values if p is not None and p >= ALPHA]

    @property
    def untested(self) -> int:
        """How many of `compared` share fewer than two seeds with the winner."""
        return sum(p is None for _, p in self._p_values or [])

    @cached_property
    def _p_values(self) -> list[tuple[GridRow, float | None]] | None:
        """`compared` with p-values; in halving by the objectives of the last round."""
        winner, last = self.winner, self.last_round
        if winner is None:
            return None
        rows = (row for row in self._rounds_of_winner if row.values.get(EPOCHS) == last)
        reference = next(rows, winner)
        if len(reference.objectives) < FEW_SEEDS:
            return None
        return [(row, paired_t_test(reference.objectives, row.objectives)) for row in self.compared]


def paired_t_test(a: Mapping[int, float], b: Mapping[int, float]) -> float | None:
    """p = 2·P(T < −|d̄|·√n / s) with n − 1 degrees of freedom, d the differences of n seeds.

    Over the seeds, {seed: value}, that both have; None for fewer than two. The same as
    scipy.stats.ttest_rel, which takes half a second to import.
    """
    seeds = sorted(a.keys() & b.keys())
    if len(seeds) < FEW_SEEDS:
        return None
    differences = [a[seed] - b[seed] for seed in seeds]
    t = t_statistic(differences, max(abs(values[seed]) for values in (a, b) for seed in seeds))
    from scipy.special import stdtr

    return float(2.0 * stdtr(len(seeds) - 1, -abs(t)))


def t_statistic(differences: Sequence[float], scale: float) -> float:
    """t = d̄·√n / s of n ≥ 2 differences of values that are at most `scale`.

    Without spread, but for rounding, it is 0 where the differences are 0, and infinite elsewhere.
    """
    smallest = ROUNDING * scale
    if max(differences) - min(differences) <= smallest:
        return copysign(inf, differences[0]) if abs(differences[0]) > smallest else 0.0
    return statistics.mean(differences) * sqrt(len(differences)) / statistics.stdev(differences)


def read_results(folder: Path) -> GridResults:
    """The results of the grid in a folder, so far. Raises RunFolderError where it is damaged."""
    content = read_mapping(folder / GRID_FILE)
    try:
        name, keys = str(content["name"]), tuple(content["keys"])
        if not all(isinstance(key, str) for key in keys):
            raise TypeError("a key is no text")
        objective = Objective.from_dict(content["objective"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunFolderError(f"{folder / GRID_FILE} is damaged: {error}") from error
    candidates: dict[int, list[Trial]] = {}
    for trial in read_plan(folder):
        candidates.setdefault(trial.number, []).append(trial)
    rows = [_row(folder, trials) for trials in candidates.values()]
    # A candidate that lost a seed stands behind all complete ones, one without a value last.
    rows.sort(key=lambda row: (not row.is_complete, *objective.sort_key(row.mean), row.number))
    # The plan may still be that of an earlier call with another search.
    halving = content.get("search") == "halving" and all(EPOCHS in row.values for row in rows)
    return GridResults(name, objective, keys, rows, halving)


def _row(folder: Path, trials: Sequence[Trial]) -> GridRow:
    outcomes = ((trial.id, read_outcome(folder, trial.id)) for trial in trials)
    return GridRow(trials, {id: outcome for id, outcome in outcomes if outcome is not None})


def write_results(folder: Path) -> tuple[GridResults, bool]:
    """Write results.csv and results.json atomically; also gives whether the table has changed."""
    results = read_results(folder)
    text, path = results_csv(results), folder / "results.csv"
    changed = not path.exists() or read_text(path, "replace") != text
    write_text(path, text)
    write_json(folder / "results.json", results_json(results))
    return results, changed


def results_csv(results: GridResults) -> str:
    """The text of results.csv."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("number", *results.keys, "mean", "sd", "seeds", "epochs", "seconds", "status"))
    for row in results.rows:
        values = format_cells(row.values, results.keys)
        objective = [_number(row.mean), _number(row.sd), str(len(row.objectives))]
        cost = [_number(row.average("epochs")), _number(row.average("seconds"), 3)]
        rows.writerow([row.number, *values, *objective, *cost, row.status])
    return text.getvalue()


def results_json(results: GridResults) -> dict[str, Any]:
    """The content of results.json."""
    winner, tied, rounds = results.winner, results.tied, results.rounds
    return {
        "name": results.name,
        "objective": results.objective.name,
        "goal": results.objective.goal,
        "settings": results.settings,
        "rounds": None
        if rounds is None
        else [{"epochs": e, "settings": n} for e, n in rounds.items()],
        "trials": sum(len(row.trials) for row in results.rows),
        "counts": results.counts,
        "winner": winner and _row_json(winner) | {"trials": [t.id for t in winner.trials]},
        "test": TEST,
        "alpha": ALPHA,
        "tied": None if tied is None else [_row_json(row) | {"p": p} for row, p in tied],
        "untested": results.untested,
        "notes": list(notes(results)),
    }


def notes(results: GridResults) -> Iterable[str]:
    """What a reader has to know about the comparison."""
    winner, tied, untested = results.winner, results.tied, results.untested
    if untested:
        others = f"{untested} other{'s' if untested > 1 else ''}"
        yield f"{others} cannot be compared: fewer than two seeds in common with the winner"
    if winner is None:
        yield "no trial has an objective"
    elif tied is None:
        yield "one seed: whether others are as good cannot be said"
    elif len(winner.objectives) == FEW_SEEDS:
        yield (
            f"{FEW_SEEDS} seeds: only very large differences can be told from chance; use 5 or more"
        )
    if winner is not None and not winner.is_complete:
        yield "no setting has an objective for every seed; this is the best of what there is"


def _row_json(row: GridRow) -> dict[str, Any]:
    objectives = {str(seed): value for seed, value in row.objectives.items()}
    return {
        "number": row.number,
        "values": row.values,
        "mean": row.mean,
        "sd": row.sd,
        "seeds": len(objectives),
        "objectives": objectives,
    }


def _number(value: float | None, decimals: int | None = None) -> str:
    """Ten significant digits, or so many decimals."""
    if value is None:
        return ""
    return f"{value:.10g}" if decimals is None else f"{value:.{decimals}f}"
