"""Tree and rule → typed value; every mistake is recorded with its place and checking goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from ldl.config import choices, items, records, simple
from ldl.config.describe import expected, found, hint
from ldl.config.grammar import Grammar
from ldl.config.problems import Problems
from ldl.config.reader import MAX_DEPTH
from ldl.config.rules import (
    AnyOf,
    Anything,
    Bool,
    ChoiceOf,
    DictOf,
    Fixed,
    Layers,
    ListOf,
    Null,
    Number,
    OneOf,
    Record,
    Rule,
    Text,
    siblings_choice,
)
from ldl.config.suggest import advise
from ldl.config.tree import BROKEN, Mark, Path, Tree

# The resolved file spells out what shorthands leave out and must still be read: room for defaults.
MAX_PATH: Final = MAX_DEPTH - 10


class Checker:
    """Checks one configuration; `marks` is where each value stands, by its path when resolved.

    A value that cannot be made is `BROKEN`: what holds it is then not made either, and nothing
    more is said about it. `partial` says that a file it extends is missing: then nothing is missed.
    `aside` names the top-level keys that somebody else looks at.
    """

    def __init__(
        self,
        grammar: Grammar,
        problems: Problems,
        partial: bool = False,
        aside: Collection[str] = (),
    ) -> None:
        self.grammar = grammar
        self.partial = partial
        self.aside = aside
        self.problems = problems
        self.marks: dict[Path, Mark] = {}
        self.block_uses: list[tuple[str, str, Mark]] = []

    def check(self, tree: Tree, rule: Rule, path: Path) -> Any:
        """The typed value, or BROKEN."""
        if tree.value is BROKEN:
            return BROKEN
        if len(path) > MAX_PATH:
            return self.fault(tree.mark, f"nested more than {MAX_PATH} deep when spelt out")
        self.marks.setdefault(path, tree.mark)
        return _CHECKS[type(rule)](self, tree, rule, path)

    def fault(self, mark: Mark, message: str, advice: str = "") -> Any:
        """Record a mistake; returns BROKEN."""
        self.problems.add(mark, message, advice)
        return BROKEN

    def unexpected(self, tree: Tree, rule: Rule, advice: str = "") -> Any:
        """Record that another kind of value was expected."""
        message = f"expected {expected(rule)}, found {found(tree)}"
        return self.fault(tree.mark, message, advice or hint(tree, rule))


def _record(checker: Checker, tree: Tree, rule: Record, path: Path) -> Any:
    choice = siblings_choice(rule.cls)
    if choice is None:
        return records.record(checker, tree, rule, path)
    return choices.with_siblings(checker, tree, rule.cls, choice, path)


def _any_of(checker: Checker, tree: Tree, rule: AnyOf, path: Path) -> Any:
    """The first alternative that holds; if none does, what is wrong with the likeliest."""
    arms = checker.grammar.arms(rule, tree)
    if not arms:
        names = checker.grammar.names_of(rule)
        known = advise(tree.value, names) if names and isinstance(tree.value, str) else ""
        return checker.unexpected(tree, rule, known)
    start, marks = len(checker.problems), dict(checker.marks) if len(arms) > 1 else {}
    first: list[Any] = []
    for arm in arms:
        value = checker.check(tree, arm, path)
        if len(arms) == 1 or len(checker.problems) == start:
            return value
        failed = checker.problems.take_from(start)
        first = first or failed
        checker.marks = dict(marks)
    checker.problems.put_back(first)
    return BROKEN


_CHECKS: Mapping[type, Callable[..., Any]] = {
    Null: simple.null,
    Bool: simple.boolean,
    Number: simple.number,
    Text: simple.text,
    OneOf: simple.one_of,
    Anything: simple.anything,
    ListOf: records.list_of,
    Fixed: records.fixed,
    DictOf: records.dict_of,
    Record: _record,
    ChoiceOf: choices.choice,
    Layers: items.layers,
    AnyOf: _any_of,
}
