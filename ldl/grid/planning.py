"""From a file with a `grid` block to a `GridPlan`, or to all problems of the file at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ldl.config.load import UncheckedConfig, load_unchecked
from ldl.data import ProgressCallback
from ldl.errors import ConfigError, Problem
from ldl.execute import PreparedExperiment
from ldl.execute.preparation import IGNORED_SECTIONS, prepare_unchecked, sorted_problems
from ldl.grid.block import GRID_REGISTRIES, SEARCHES, GridConfig, Halving, Tpe
from ldl.grid.grid_plan import GridPlan, Search
from ldl.grid.reading import Read, Reading
from ldl.grid.resolve import Candidate
from ldl.grid.searches import Listed, Rounds, kept_in
from ldl.grid.space import Assignment
from ldl.grid.tpe import Proposed
from ldl.grid.trial import TrialFactory


@dataclass(kw_only=True)
class CheckedGrid(Read):
    """A file's experiment and its grid."""

    base: PreparedExperiment

    @property
    def seeds(self) -> range:
        """The seeds of each setting."""
        first = self.base.experiment.config.seed
        return range(first, first + self.block.seeds)

    @property
    def max_trials(self) -> int:
        """Trials in all, at most."""
        search = self.block.search
        if isinstance(search, Halving):
            count = len(self.candidates)
            rounds = (kept_in(i, count, search.eta) for i in range(1, len(self.lengths)))
            return self.block.seeds * (count + sum(rounds))
        if isinstance(search, Tpe):
            return self.block.seeds * (len(self.candidates) + search.trials)
        return self.block.seeds * len(self.candidates)

    def plan(self, progress: ProgressCallback | None = None) -> GridPlan:
        """What is to be run; `progress` hears of downloads when the search is first asked."""
        return GridPlan(
            name=self.base.experiment.config.name,
            objective=self.objective,
            seeds=self.block.seeds,
            keys=self.keys,
            base_digest=self.digest,
            source=self.base.loaded.text,
            search=self.search(progress),
            method=next(name for name, cls in SEARCHES.items() if cls is type(self.block.search)),
            max_trials=self.max_trials,
            notes=tuple(self.notes),
            keep_checkpoints=isinstance(self.block.search, Halving),
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """What differs between settings."""
        halves = isinstance(self.block.search, Halving)
        return (*self.space.keys, *(("train.epochs",) if halves else ()))

    def search(self, progress: ProgressCallback | None = None) -> Search:
        """The search from its beginning."""
        search, maker = self.block.search, TrialFactory(self.seeds, progress)
        if isinstance(search, Halving):
            return Rounds(self.candidates, self.lengths, search.eta, maker, self.objective)
        if isinstance(search, Tpe):
            name = self.base.experiment.config.name

            def settle(number: int, chosen: Assignment) -> Candidate | None:
                return self.settler.settle(number, chosen, name)

            return Proposed(search, self.space, settle, maker, self.objective, self.candidates)
        return Listed(self.candidates, maker)


def plan(
    path: Path, overrides: Sequence[str] = (), progress: ProgressCallback | None = None
) -> GridPlan:
    """The checked plan of a file. Raises ConfigError with every mistake in it."""
    return read_grid(path, overrides).plan(progress)


def read_grid(path: Path, overrides: Sequence[str] = ()) -> CheckedGrid:
    """Read and check a file and its grid block. Raises ConfigError with all problems of both."""
    return _check_grid(_read(path, overrides), path)


def check(
    path: Path, overrides: Sequence[str] = ()
) -> tuple[PreparedExperiment, CheckedGrid | None]:
    """The experiment of a file, and its grid if it has one. Raises ConfigError for both at once."""
    unchecked = _read(path, overrides)
    tree = unchecked.tree
    if tree is not None and isinstance(tree.value, dict) and "grid" in tree.value:
        grid = _check_grid(unchecked, path)
        return grid.base, grid
    return prepare_unchecked(unchecked, path.stem), None


def _read(path: Path, overrides: Sequence[str]) -> UncheckedConfig:
    return load_unchecked(path, GridConfig, GRID_REGISTRIES, overrides, IGNORED_SECTIONS)


def _check_grid(unchecked: UncheckedConfig, path: Path) -> CheckedGrid:
    found: list[Problem] = []
    base: PreparedExperiment | None = None
    try:
        base = prepare_unchecked(unchecked, path.stem)
    except ConfigError as error:
        found += error.problems
    unchecked.apply_ignored_overrides(GridConfig, GRID_REGISTRIES)
    reading = Reading(unchecked, base.experiment if base else None, path)
    read = reading.read()
    found += [*unchecked.problems.sorted(), *reading.found]
    if found or read is None or base is None:
        places = {(p.file, p.line, p.column, p.message): p for p in reversed(found)}
        raise sorted_problems(list(reversed(places.values())))
    return CheckedGrid(**vars(read), base=base)
