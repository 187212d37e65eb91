"""The sections of many settings: each variant of a section is made, checked and written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ldl.compile import Config
from ldl.config import Mark, Tree
from ldl.config.check_layers import block_names, check_blocks
from ldl.config.checker import Checker
from ldl.config.emit import emit
from ldl.config.grammar import Grammar
from ldl.config.override_paths import OverridePathError, PathWriter
from ldl.config.problems import Problems
from ldl.config.resolved import to_builtins_by_rule
from ldl.config.suggest import spelling_hint
from ldl.config.tree import INVALID, KeyPath
from ldl.config.type_rules import Field, Record, fields_of
from ldl.errors import Problem
from ldl.execute import REGISTRIES
from ldl.grid.overlap import blame, overwritten, related
from ldl.grid.space import Assignment, Key

FIELDS: Mapping[str, Field] = {each.key: each for each in fields_of(Config)}


@dataclass
class Variant:
    """One way that a section can be: its typed value, or INVALID with the problems."""

    value: Any
    marks: Mapping[KeyPath, Mark] = field(repr=False)
    problems: tuple[Problem, ...]
    grammar: Grammar = field(repr=False)


class Sections:
    """The sections of a base configuration, and what assignments make of them.

    A section is its own affair: only the names in `blocks` matter to others. So each combination of
    values within a section is looked at once, however many settings share it.
    """

    def __init__(self, base: Tree, keys: Mapping[str, Key], problems: Problems) -> None:
        self._base: Mapping[str, Tree] = base.value if isinstance(base.value, dict) else {}
        self._mark, self._keys, self._problems = base.mark, keys, problems
        self._variants: dict[tuple[object, ...], Variant] = {}
        self._texts: dict[tuple[str, int], tuple[Any, str]] = {}
        by_section: dict[str, list[Key]] = {}
        for key in sorted(keys.values(), key=lambda key: len(key.steps)):
            by_section.setdefault(key.steps[0].name, []).append(key)
        self._by_section = by_section
        self.strangers = [
            key for name in by_section if name not in FIELDS for key in by_section[name]
        ]

    def of(self, chosen: Assignment) -> dict[str, Variant]:
        """All sections of a setting, by name; keys of unknown sections are passed over."""
        blocks = self._variant("blocks", chosen, None)
        found = {"blocks": blocks}
        for name in FIELDS:
            if name != "blocks":
                found[name] = self._variant(name, chosen, blocks)
        return found

    def _variant(self, name: str, chosen: Assignment, blocks: Variant | None) -> Variant:
        keys = self._by_section.get(name, ())
        picks = [(key, chosen[key.name]) for key in keys if key.name in chosen]
        # Trees of the block live as long as this object, so their ids stay theirs.
        place = (name, id(blocks), *(part for key, tree in picks for part in (key.name, id(tree))))
        if place not in self._variants:
            self._variants[place] = self._make(name, picks, blocks)
        return self._variants[place]

    def _make(
        self, name: str, picks: Sequence[tuple[Key, Tree]], blocks: Variant | None
    ) -> Variant:
        tree = Tree({name: self._base[name]} if name in self._base else {}, self._mark)
        grammar = blocks.grammar if blocks else Grammar(REGISTRIES, block_names(tree, Config))
        start = len(self._problems)
        touching = related([key for key, _ in picks])
        for i, (key, value) in enumerate(picks):
            before = tree
            try:
                tree = PathWriter(key.steps, value, grammar).write(tree, Record(Config), 0)
            except OverridePathError as error:
                self._problems.add(*self._unread(key, error))
            for other, laid in picks[:i] if touching else ():
                if overwritten(laid, before, tree):
                    self._problems.add(*blame(other, key))
        if blocks is None:
            grammar = Grammar(REGISTRIES, block_names(tree, Config))
        checker = Checker(grammar, self._problems)
        value = self._checked(checker, name, tree)
        if blocks is None:
            check_blocks(checker)
        problems = tuple(self._problems.take_from(start))
        return Variant(INVALID if problems else value, checker.marks, problems, grammar)

    def _checked(self, checker: Checker, name: str, tree: Tree) -> Any:
        section = FIELDS[name]
        assert isinstance(tree.value, dict)
        if name in tree.value:
            return checker.check(tree.value[name], section.rule, (name,))
        return INVALID if section.required else section.make_default()

    def _unread(self, key: Key, error: OverridePathError) -> tuple[Mark, str, str]:
        """What is wrong with a path, said of a key that is varied instead of an override."""
        mark, message, *advice = error.args
        words = str(advice[0]).replace("={", ": {").replace("=[", ": [") if advice else ""
        if message.startswith("unknown key"):
            return mark, message, words
        depth = next(i for i, step in enumerate(key.steps) if step.mark == mark)
        before = [".".join(step.name for step in key.steps[:n]) for n in range(depth, 0, -1)]
        varied = next((name for name in before if name in self._keys), None)
        if varied is not None:
            chosen = key.steps[len(varied.split("."))].name
            words = f"vary it only where it is read: `when: {{{key.name}: {{{varied}: {chosen}}}}}`"
        return mark, f"{message}: `{key.name}` is never read there", words

    def stranger(self, key: Key) -> tuple[Mark, str, str]:
        """What is wrong with a key of a section that does not exist."""
        name = key.steps[0].name
        message = f"unknown key `{name}` in the configuration"
        return key.steps[0].mark, message, spelling_hint(name, list(FIELDS))

    def text(self, name: str, value: Any) -> str:
        """The section in the resolved configuration; the same value is written once."""
        place = (name, id(value))
        if place not in self._texts:
            # The value is kept too, lest another one take its id.
            self._texts[place] = (value, section_text(name, value))
        return self._texts[place][1]


def section_text(name: str, value: Any) -> str:
    """A section as the resolved configuration has it."""
    return emit({name: to_builtins_by_rule(value, FIELDS[name].rule, REGISTRIES)})


def mark_of(variants: Iterable[Variant], path: KeyPath, otherwise: Mark) -> Mark:
    """Where the value at `path` stands, or the nearest thing around it that is written."""
    marks = [variant.marks for variant in variants]
    for length in range(len(path), 0, -1):
        for each in marks:
            if path[:length] in each:
                return each[path[:length]]
    return otherwise
