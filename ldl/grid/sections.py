"""The sections of all candidates: each variant of a section is built, checked and written once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from ldl.compile import Config
from ldl.config import Mark, Tree
from ldl.config.check_layers import block_names, check_blocks
from ldl.config.checker import Checker
from ldl.config.checks import new_checker
from ldl.config.emit import emit
from ldl.config.grammar import Grammar
from ldl.config.override_paths import OverridePathError, PathWriter
from ldl.config.problems import ProblemCollector
from ldl.config.resolved import to_builtins_by_rule
from ldl.config.suggest import spelling_hint
from ldl.config.tree import INVALID, Invalid, KeyPath
from ldl.config.type_rules import Field, Record, fields_of
from ldl.errors import Problem
from ldl.execute import REGISTRIES
from ldl.grid.space import Assignment, GridKey

FIELDS: Mapping[str, Field] = {field.key: field for field in fields_of(Config)}

ProblemText = tuple[Mark, str, str]
"""What `Problems.add` takes: a mark, a message and a hint."""


@dataclass
class SectionVariant:
    """A section with some values assigned: its typed value, or INVALID with the problems."""

    value: Any
    marks: Mapping[KeyPath, Mark] = field(repr=False)
    problems: tuple[Problem, ...]
    grammar: Grammar = field(repr=False)

    def mark(self, path: KeyPath) -> Mark | None:
        """Where the value at `path` stands, or else the nearest written value around it."""
        steps = (path[:length] for length in range(len(path), 0, -1))
        return next((self.marks[step] for step in steps if step in self.marks), None)


class SectionText(NamedTuple):
    """A section as text: for `config.yaml`, and for content keys."""

    yaml: str
    key: str


class Sections:
    """The sections of a base configuration under assignments.

    A section does not depend on the others, but for the names in `blocks`. So each combination of
    values within a section is checked once, however many candidates share it.
    """

    def __init__(self, base: Tree, keys: Mapping[str, GridKey], problems: ProblemCollector) -> None:
        self._base: Mapping[str, Tree] = base.value if isinstance(base.value, dict) else {}
        self._mark, self._keys, self._problems = base.mark, keys, problems
        self._variants: dict[tuple[object, ...], SectionVariant] = {}
        self._texts: dict[tuple[str, int], tuple[Any, SectionText]] = {}
        # Outer keys come before those inside them, whatever their order in the block.
        self._by_section: dict[str, list[GridKey]] = {}
        for key in sorted(keys.values(), key=lambda key: len(key.steps)):
            self._by_section.setdefault(key.steps[0].name, []).append(key)

    def unknown_keys(self) -> list[ProblemText]:
        """A problem for each key of a section that does not exist."""
        return [
            (
                key.steps[0].mark,
                f"unknown key `{name}` in the configuration",
                spelling_hint(name, list(FIELDS)),
            )
            for name, keys in self._by_section.items()
            if name not in FIELDS
            for key in keys
        ]

    def assign(self, assignment: Assignment) -> dict[str, SectionVariant]:
        """All sections with these values, by name; keys of unknown sections are ignored."""
        blocks = self._variant("blocks", assignment, None)
        variants = {"blocks": blocks}
        for name in FIELDS:
            if name != "blocks":
                variants[name] = self._variant(name, assignment, blocks)
        return variants

    def text(self, name: str, value: Any) -> SectionText:
        """The section in the resolved configuration; written once for each value object."""
        cache_key = (name, id(value))
        if cache_key not in self._texts:
            # The cache holds the value too, so that no other object gets its id.
            self._texts[cache_key] = (value, section_text(name, value))
        return self._texts[cache_key][1]

    def _variant(
        self, name: str, assignment: Assignment, blocks: SectionVariant | None
    ) -> SectionVariant:
        keys = self._by_section.get(name, ())
        pairs = [(key, assignment[key.name]) for key in keys if key.name in assignment]
        # The trees belong to the block, which outlives this object: their ids stay valid.
        ids = (part for key, tree in pairs for part in (key.name, id(tree)))
        cache_key = (name, id(blocks), *ids)
        if cache_key not in self._variants:
            self._variants[cache_key] = self._build(name, pairs, blocks)
        return self._variants[cache_key]

    def _build(
        self, name: str, pairs: Sequence[tuple[GridKey, Tree]], blocks: SectionVariant | None
    ) -> SectionVariant:
        tree = Tree({name: self._base[name]} if name in self._base else {}, self._mark)
        grammar = blocks.grammar if blocks else Grammar(REGISTRIES, block_names(tree, Config))
        start = len(self._problems)
        nested = _may_nest([key for key, _ in pairs])
        for i, (key, value) in enumerate(pairs):
            before = tree
            try:
                tree = PathWriter(key.steps, value, grammar).write(tree, Record(Config), 0)
            except OverridePathError as error:
                self._problems.add(*self._path_problem(key, error))
            for other, other_value in pairs[:i] if nested else ():
                if _overwritten(other_value, before, tree):
                    self._problems.add(*_conflict_error(other, key))
        if blocks is None:
            grammar = Grammar(REGISTRIES, block_names(tree, Config))
        checker = new_checker(grammar, self._problems)
        value = self._check(checker, name, tree)
        if blocks is None:
            check_blocks(checker)
        problems = tuple(self._problems.pop_from(start))
        return SectionVariant(INVALID if problems else value, checker.marks, problems, grammar)

    def _check(self, checker: Checker, name: str, tree: Tree) -> Any:
        section = FIELDS[name]
        assert isinstance(tree.value, dict)
        if name in tree.value:
            return checker.check(tree.value[name], section.rule, (name,))
        return INVALID if section.required else section.make_default()

    def _path_problem(self, key: GridKey, error: OverridePathError) -> ProblemText:
        """The problem of a path, worded for a varied key instead of an override."""
        mark, message, *hints = error.args
        hint = str(hints[0]).replace("={", ": {").replace("=[", ": [") if hints else ""
        if message.startswith("unknown key"):
            return mark, message, hint
        depth = next(i for i, step in enumerate(key.steps) if step.mark == mark)
        outer_keys = [".".join(step.name for step in key.steps[:n]) for n in range(depth, 0, -1)]
        outer = next((name for name in outer_keys if name in self._keys), None)
        if outer is not None:
            choice = key.steps[len(outer.split("."))].name
            hint = f"vary it only where it is read: `when: {{{key.name}: {{{outer}: {choice}}}}}`"
        return mark, f"{message}: `{key.name}` is never read there", hint


def section_text(name: str, value: Any) -> SectionText:
    """A section of the resolved configuration, and what content keys hash of it."""
    key_value = value.with_split_seed(0) if name == "data" else value
    return SectionText(_emitted(name, value, False), _emitted(name, key_value, True))


def _emitted(name: str, value: Any, for_key: bool) -> str:
    return emit({name: to_builtins_by_rule(value, FIELDS[name].rule, REGISTRIES, for_key)})


# --- keys that set the same value -----------------------------------------------------------


def _may_nest(keys: Sequence[GridKey]) -> bool:
    """Whether one of the keys may lie inside another, list indices aside."""
    paths = sorted([step.name for step in key.steps if not step.name.isdigit()] for key in keys)
    return any(longer[: len(shorter)] == shorter for shorter, longer in pairwise(paths))


def _overwritten(value: Tree, before: Tree, after: Tree) -> bool:
    """Whether anything that `value` has put into `before` is missing in `after`."""
    return not set(_leaves(value)) & set(_contents(before)) <= set(_contents(after))


def _conflict_error(outer: GridKey, inner: GridKey) -> ProblemText:
    """The problem of two keys of which one overwrites the other, at the second in the file."""
    first, second = sorted((outer, inner), key=lambda key: (key.mark.line, key.mark.column))
    message = f"`{second.name}` and `{first.name}` set the same value, so only one has an effect"
    hint = f"vary one of them, take that part out of the values of `{outer.name}`, or use `when`"
    return second.mark, message, hint


def _leaves(tree: Tree) -> Iterator[tuple[Mark, object]]:
    """All scalars with their marks; a null counts only as the whole value."""
    if not isinstance(tree.value, dict | list | Invalid):
        yield tree.mark, tree.value
        return
    parts = tree.value.values() if isinstance(tree.value, dict) else tree.value
    for part in [] if isinstance(parts, Invalid) else parts:
        if part.value is not None:
            yield from _leaves(part)


def _contents(tree: Tree) -> Iterator[tuple[Mark, object]]:
    """All scalars and keys with their marks: a choice's bare name may become a key."""
    if isinstance(tree.value, dict):
        for name, part in tree.value.items():
            yield part.mark, name
            yield from _contents(part)
    elif isinstance(tree.value, list):
        for part in tree.value:
            yield from _contents(part)
    elif not isinstance(tree.value, Invalid):
        yield tree.mark, tree.value
