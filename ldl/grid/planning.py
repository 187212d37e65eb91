"""From a file with a `grid` block to a `GridPlan`, or to all problems of the file at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ldl.compile import Config, Experiment
from ldl.config import Mark, Tree
from ldl.config.checker import Checker
from ldl.config.checks import new_checker
from ldl.config.describe import describe_value
from ldl.config.grammar import Grammar
from ldl.config.load import UncheckedConfig
from ldl.config.problems import ProblemCollector
from ldl.config.suggest import nearest
from ldl.config.tree import INVALID
from ldl.config.type_rules import DictOf, Record, fields_of
from ldl.data import ProgressCallback
from ldl.errors import ConfigError, Problem
from ldl.execute import PreparedExperiment
from ldl.execute.preparation import (
    key_text,
    prepare_unchecked,
    read_unchecked,
    sorted_config_error,
)
from ldl.grid.block import (
    GRID_REGISTRIES,
    SEARCHES,
    SPACINGS,
    GridBlock,
    GridConfig,
    Halving,
    Tpe,
)
from ldl.grid.candidates import Candidate, Enumerator, Resolver
from ldl.grid.grid_plan import GridPlan, Search
from ldl.grid.objective import Objective, ObjectiveError, parse_objective
from ldl.grid.searches import GridSearch, SuccessiveHalving, TpeSearch, survivors
from ldl.grid.space import SearchSpace, parse_space
from ldl.grid.trial import TrialFactory


@dataclass
class CheckedGrid:
    """A file's experiment and its grid, both without problems."""

    base: PreparedExperiment
    block: GridBlock
    space: SearchSpace = field(repr=False)
    objective: Objective
    candidates: list[Candidate] = field(repr=False)  # those that the search starts with
    round_epochs: list[int]  # of halving
    notes: list[str]
    resolver: Resolver = field(repr=False)

    @property
    def seeds(self) -> range:
        """The seeds of each candidate."""
        first = self.base.experiment.config.seed
        return range(first, first + self.block.seeds)

    @property
    def max_trials(self) -> int:
        """An upper bound of the number of trials."""
        search, count = self.block.search, len(self.candidates)
        if isinstance(search, Halving):
            rounds = range(1, len(self.round_epochs))
            count += sum(survivors(i, len(self.candidates), search.eta) for i in rounds)
        if isinstance(search, Tpe):
            count += search.trials
        return self.block.seeds * count

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys in which candidates differ."""
        halving = isinstance(self.block.search, Halving)
        return (*self.space.keys, *(("train.epochs",) if halving else ()))

    def plan(self, progress: ProgressCallback | None = None) -> GridPlan:
        """The plan of the grid; `progress` reports downloads when the search is first asked."""
        config = self.base.experiment.config
        return GridPlan(
            name=config.name,
            objective=self.objective,
            seeds=self.block.seeds,
            keys=self.keys,
            base_digest=_base_digest(config, self.objective),
            source=self.base.loaded.text,
            search=self._search(progress),
            method=next(name for name, cls in SEARCHES.items() if cls is type(self.block.search)),
            max_trials=self.max_trials,
            notes=tuple(self.notes),
            keep_checkpoints=isinstance(self.block.search, Halving),
        )

    def _search(self, progress: ProgressCallback | None) -> Search:
        """The search from its beginning."""
        search, factory = self.block.search, TrialFactory(self.seeds, progress)
        candidates, objective = self.candidates, self.objective
        if isinstance(search, Halving):
            epochs = self.round_epochs
            return SuccessiveHalving(candidates, epochs, search.eta, factory, objective)
        if isinstance(search, Tpe):
            resolve = self.resolver.resolve
            return TpeSearch(search, self.space, resolve, factory, objective, candidates)
        return GridSearch(candidates, factory)


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
    return read_unchecked(path, GridConfig, GRID_REGISTRIES, overrides)


def _check_grid(unchecked: UncheckedConfig, path: Path) -> CheckedGrid:
    """Check the experiment, then the grid block, which may have problems of its own."""
    problems: list[Problem] = []
    base: PreparedExperiment | None = None
    try:
        base = prepare_unchecked(unchecked, path.stem)
    except ConfigError as error:
        problems += error.problems
    unchecked.apply_ignored_overrides(GridConfig, GRID_REGISTRIES)
    reader = _GridReader(unchecked, base, path)
    grid = reader.read()
    problems += [*unchecked.problems.sorted(), *reader.candidate_problems]
    if problems or grid is None:
        # A problem of the base has no hint about candidates, so it goes before its repetitions.
        unique = {(p.file, p.line, p.column, p.message): p for p in reversed(problems)}
        raise sorted_config_error(list(reversed(unique.values())))
    return grid


def _base_digest(config: Config, objective: Objective) -> str:
    """SHA-256 of the resolved configuration, without its claim, and of the objective."""
    parts = [key_text(replace(config, claim=None)), objective.name, objective.goal]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _GridReader:
    """Checks one grid block; problems go to those of the file and to `candidate_problems`.

    Without `base`, the experiment without its grid, the block is checked all the same.
    """

    def __init__(
        self, unchecked: UncheckedConfig, base: PreparedExperiment | None, path: Path
    ) -> None:
        self.problems: ProblemCollector = unchecked.problems
        self.candidate_problems: list[Problem] = []
        self.tree, self.base, self.path = unchecked.tree, base, path
        self.experiment: Experiment | None = base.experiment if base else None
        self.block_tree = Tree({}, Mark(str(path), 0, 0))

    def read(self) -> CheckedGrid | None:
        """The grid; None where the file has problems."""
        if self.tree is None or not isinstance(self.tree.value, dict):
            return None
        sections = dict(self.tree.value)
        if "grid" not in sections:
            hint = "`ldl explain grid` says how to write one"
            self.problems.add_file(str(self.path), "there is no `grid` block", hint)
            return None
        self.block_tree = sections.pop("grid")
        if self.block_tree.value is INVALID:
            return None
        self._refuse_single_values()
        block = self._block()
        objective = self._objective(block)
        space = parse_space(block, self.block_tree, self.problems)
        rest, mark = Tree(sections, self.tree.mark), self._mark("objective")
        resolver = Resolver(rest, space, objective, mark, self.problems, self.path.stem)
        for problem in resolver.sections.unknown_keys():
            self.problems.add(*problem)
        enumerator = Enumerator(block, space, resolver, self.problems, self._mark)
        candidates = enumerator.candidates(self.experiment.config.seed if self.experiment else 0)
        self.candidate_problems += resolver.problems()
        if objective is None or self.base is None or self.candidate_problems or len(self.problems):
            return None
        notes = [*enumerator.notes, *_loss_note(objective, space), *_split_note(space)]
        epochs = enumerator.round_epochs
        return CheckedGrid(self.base, block, space, objective, candidates, epochs, notes, resolver)

    def _mark(self, key: str) -> Mark:
        """Where a value of the block stands, or the block's own key."""
        value = self.block_tree.value.get(key) if isinstance(self.block_tree.value, dict) else None
        return value.mark if value is not None else self.block_tree.key or self.block_tree.mark

    def _refuse_single_values(self) -> None:
        """Add a problem for each value where a list of values belongs, not an unknown spacing."""
        entries = self.block_tree.value if isinstance(self.block_tree.value, dict) else {}
        columns = [entries[key] for key in ("vary", "zip") if key in entries]
        for group in [g for c in columns for g in (c.value if isinstance(c.value, list) else [c])]:
            for tree in group.value.values() if isinstance(group.value, dict) else ():
                mapping = isinstance(tree.value, dict) and not _like_spacing(tree.value)
                if mapping or isinstance(tree.value, str):
                    message = f"expected a list of values, found {describe_value(tree)}"
                    self.problems.add(tree.mark, message, "put it in brackets: `[…]`")
                    tree.value = INVALID

    def _block(self) -> GridBlock:
        """The block; where parts of it have problems, the other parts, to be checked too."""
        checker = new_checker(Grammar(GRID_REGISTRIES), self.problems)
        block = checker.check(self.block_tree, Record(GridBlock), ("grid",))
        if block is not INVALID:
            return block  # type: ignore[no-any-return]
        checker = new_checker(Grammar(GRID_REGISTRIES), ProblemCollector())
        values: dict[str, Any] = {"objective": ""}
        entries = self.block_tree.value if isinstance(self.block_tree.value, dict) else {}
        sound: dict[str, Tree] = {}
        for block_field in fields_of(GridBlock):
            key = block_field.key
            if key not in entries:
                continue
            tree = entries[key]
            if isinstance(block_field.rule, DictOf):
                tree = _sound_entries(checker, tree, block_field.rule)
            value = checker.check(tree, block_field.rule, ("grid", key))
            if value is not INVALID:
                values[block_field.name], sound[key] = value, tree
        self.block_tree = Tree(sound, self.block_tree.mark, self.block_tree.key)
        return GridBlock(**values)

    def _objective(self, block: GridBlock) -> Objective | None:
        if not block.objective:
            return None
        try:
            return parse_objective(block.objective, block.goal, self.experiment)
        except ObjectiveError as error:
            self.problems.add(self._mark("objective"), *error.args)
            return None


def _like_spacing(value: dict[str, Tree]) -> bool:
    return any(key in SPACINGS or nearest(key, SPACINGS) for key in value)


def _sound_entries(checker: Checker, tree: Tree, rule: DictOf) -> Tree:
    """The entries of a mapping that have no problem."""
    if not isinstance(tree.value, dict):
        return tree
    kept = {
        key: part
        for key, part in tree.value.items()
        if checker.check(part, rule.item, ("grid", key)) is not INVALID
    }
    return Tree(kept, tree.mark, tree.key)


def _loss_note(objective: Objective, space: SearchSpace) -> list[str]:
    """A note where the objective is a loss, and the loss is varied."""
    varied = [key for key in space.keys if key == "loss" or key.startswith("loss.")]
    if not (varied and objective.column is not None and objective.name.endswith(".loss")):
        return []
    hint = "`ldl explain grid` lists metrics that do"
    return [f"`{varied[0]}` is varied, and values of different losses do not compare: {hint}"]


def _split_note(space: SearchSpace) -> list[str]:
    """A note where the split is varied."""
    varied = [key for key in space.keys if key == "data" or key.startswith("data.split")]
    text = "is varied, so settings differ in the samples that they are evaluated on as well: what "
    text += "wins may be the easiest validation split; intervals over `seeds` are on one split each"
    return [f"`{varied[0]}` {text}"] if varied and "data.split" in varied[0] else []
