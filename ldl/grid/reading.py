"""A file's grid block, read and checked as far as its parts are sound."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ldl.compile import Config, Experiment
from ldl.config import Mark, Tree, to_yaml
from ldl.config.checker import Checker
from ldl.config.describe import found as described
from ldl.config.grammar import Grammar
from ldl.config.load import UncheckedConfig
from ldl.config.problems import Problems
from ldl.config.suggest import nearest
from ldl.config.tree import INVALID
from ldl.config.type_rules import DictOf, Record, fields_of
from ldl.errors import Problem
from ldl.execute.preparation import REGISTRIES
from ldl.grid.block import GRID_REGISTRIES, SPACINGS, GridBlock
from ldl.grid.expand import expand
from ldl.grid.known import Known
from ldl.grid.objective import Objective, ObjectiveError, parse_objective
from ldl.grid.resolve import Candidate, Settler
from ldl.grid.space import Space


@dataclass
class Read:
    """A checked grid block and what it spells out; `candidates` are those known beforehand."""

    block: GridBlock
    space: Space = field(repr=False)
    objective: Objective
    candidates: list[Candidate] = field(repr=False)
    lengths: list[int]  # epochs of the rounds of halving
    notes: list[str]
    settler: Settler = field(repr=False)
    digest: str  # of the base configuration and the objective


class Reading:
    """One look at a grid block; what is wrong is in `found` and in what was gathered.

    `base` is the experiment without its grid, None where that has mistakes of its own: then the
    block is looked at all the same, but there is no `Read`.
    """

    def __init__(self, gathered: UncheckedConfig, base: Experiment | None, path: Path) -> None:
        self.problems: Problems = gathered.problems
        self.tree, self.base, self.path = gathered.tree, base, path
        self.found: list[Problem] = []
        self.block_tree = Tree({}, Mark(str(path), 0, 0))

    def read(self) -> Read | None:
        """The block; None where something is wrong."""
        if self.tree is None or not isinstance(self.tree.value, dict):
            return None
        sections = dict(self.tree.value)
        if "grid" not in sections:
            advice = "`ldl explain grid` says how to write one"
            self.problems.add_file(str(self.path), "there is no `grid` block", advice)
            return None
        self.block_tree = sections.pop("grid")
        if self.block_tree.value is INVALID:
            return None
        self._refuse_single_values()
        block = self._block()
        chosen = self._objective(block)
        space = expand(block, self.block_tree, self.problems)
        rest = Tree(sections, self.tree.mark)
        settler = Settler(rest, space, chosen, self._mark("objective"), self.problems)
        for key in settler.sections.strangers:
            self.problems.add(*settler.sections.stranger(key))
        known = Known(block, space, settler, self.problems, self._mark, self.path.stem)
        settings = known.settings(self.base.config.seed if self.base else 0)
        self.found += settler.report()
        if chosen is None or self.base is None or self.found or len(self.problems):
            return None
        notes = [*known.notes, *_loss_note(chosen, space)]
        digest = _digest(self.base.config, chosen)
        return Read(block, space, chosen, settings, known.lengths, notes, settler, digest)

    def _mark(self, key: str) -> Mark:
        """Where a value of the block stands, or the block's own key."""
        own = self.block_tree.value.get(key) if isinstance(self.block_tree.value, dict) else None
        return own.mark if own is not None else self.block_tree.key or self.block_tree.mark

    def _refuse_single_values(self) -> None:
        """A value where a list of values belongs is told as such, not as an unknown spacing."""
        entries = self.block_tree.value if isinstance(self.block_tree.value, dict) else {}
        columns = [entries[key] for key in ("vary", "zip") if key in entries]
        for group in [g for c in columns for g in (c.value if isinstance(c.value, list) else [c])]:
            for tree in group.value.values() if isinstance(group.value, dict) else ():
                mapping = isinstance(tree.value, dict) and not _like_spacing(tree.value)
                if mapping or isinstance(tree.value, str):
                    message = f"expected a list of values, found {described(tree)}"
                    self.problems.add(tree.mark, message, "put it in brackets: `[…]`")
                    tree.value = INVALID

    def _block(self) -> GridBlock:
        """The block; where parts of it are wrong, the others, so that they are looked at too."""
        checker = Checker(Grammar(GRID_REGISTRIES), self.problems)
        block = checker.check(self.block_tree, Record(GridBlock), ("grid",))
        if block is not INVALID:
            return block  # type: ignore[no-any-return]
        checker = Checker(Grammar(GRID_REGISTRIES), Problems())
        values: dict[str, Any] = {"objective": ""}
        entries = self.block_tree.value if isinstance(self.block_tree.value, dict) else {}
        sound: dict[str, Tree] = {}
        for each in fields_of(GridBlock):
            if each.key not in entries:
                continue
            tree = entries[each.key]
            if isinstance(each.rule, DictOf):
                tree = _sound_part(checker, tree, each.rule)
            value = checker.check(tree, each.rule, ("grid", each.key))
            if value is not INVALID:
                values[each.name], sound[each.key] = value, tree
        self.block_tree = Tree(sound, self.block_tree.mark, self.block_tree.key)
        return GridBlock(**values)

    def _objective(self, block: GridBlock) -> Objective | None:
        if not block.objective:
            return None
        try:
            return parse_objective(block.objective, block.goal, self.base)
        except ObjectiveError as error:
            self.problems.add(self._mark("objective"), *error.args)
            return None


def _like_spacing(value: dict[str, Tree]) -> bool:
    return any(key in SPACINGS or nearest(key, SPACINGS) for key in value)


def _sound_part(checker: Checker, tree: Tree, rule: DictOf) -> Tree:
    """The entries of a mapping that hold."""
    if not isinstance(tree.value, dict):
        return tree
    kept = {
        key: part
        for key, part in tree.value.items()
        if checker.check(part, rule.item, ("grid", key)) is not INVALID
    }
    return Tree(kept, tree.mark, tree.key)


def _loss_note(chosen: Objective, space: Space) -> list[str]:
    """A note where the objective is a loss, and the loss is varied."""
    varied = [key for key in space.keys if key == "loss" or key.startswith("loss.")]
    if not (varied and chosen.column is not None and chosen.name.endswith(".loss")):
        return []
    advice = "`ldl explain grid` lists figures that do"
    return [f"`{varied[0]}` is varied, and values of different losses do not compare: {advice}"]


def _digest(config: Config, chosen: Objective) -> str:
    """SHA-256 of the resolved configuration, without its claim, and of the objective."""
    words = [to_yaml(replace(config, claim=None), REGISTRIES), chosen.name, chosen.goal]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()
