"""Tree and rule → typed value; every mistake is recorded with its place and checking goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from ldl.config import check_choices, check_containers, check_layers, check_scalars
from ldl.config.describe import expected, found, hint
from ldl.config.grammar import Grammar
from ldl.config.problems import Problems
from ldl.config.reader import MAX_DEPTH
from ldl.config.suggest import spelling_hint
from ldl.config.tree import INVALID, KeyPath, Mark, Tree
from ldl.config.type_rules import (
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

# The resolved file spells out what shorthands leave out and must still be read: room for defaults.
MAX_PATH: Final = MAX_DEPTH - 10


class Checker:
    """Checks one configuration; `marks` is where each value stands, by its path when resolved.

    A value that cannot be made is `INVALID`: what holds it is then not made either, and nothing
    more is said about it. `partial` says that a file it extends is missing: then nothing is missed.
    `ignored_sections` names the top-level keys that somebody else looks at.
    """

    def __init__(
        self,
        grammar: Grammar,
        problems: Problems,
        partial: bool = False,
        ignored_sections: Collection[str] = (),
    ) -> None:
        self.grammar = grammar
        self.partial = partial
        self.ignored_sections = ignored_sections
        self.problems = problems
        self.marks: dict[KeyPath, Mark] = {}
        self.block_uses: list[tuple[str, str, Mark]] = []

    def check(self, tree: Tree, rule: Rule, path: KeyPath) -> Any:
        """The typed value, or INVALID."""
        if tree.value is INVALID:
            return INVALID
        if len(path) > MAX_PATH:
            return self.reject(tree.mark, f"nested more than {MAX_PATH} deep when spelt out")
        self.marks.setdefault(path, tree.mark)
        return _CHECKS[type(rule)](self, tree, rule, path)

    def reject(self, mark: Mark, message: str, advice: str = "") -> Any:
        """Record a mistake; returns INVALID."""
        self.problems.add(mark, message, advice)
        return INVALID

    def unexpected(self, tree: Tree, rule: Rule, advice: str = "") -> Any:
        """Record that another kind of value was expected."""
        message = f"expected {expected(rule)}, found {found(tree)}"
        return self.reject(tree.mark, message, advice or hint(tree, rule))


def _record(checker: Checker, tree: Tree, rule: Record, path: KeyPath) -> Any:
    choice = siblings_choice(rule.cls)
    if choice is None:
        return check_containers.record(checker, tree, rule, path)
    return check_choices.with_siblings(checker, tree, rule.cls, choice, path)


def _any_of(checker: Checker, tree: Tree, rule: AnyOf, path: KeyPath) -> Any:
    """The first alternative that holds; if none does, what is wrong with the likeliest."""
    variants = checker.grammar.variants(rule, tree)
    if not variants:
        names = checker.grammar.names_of(rule)
        known = spelling_hint(tree.value, names) if names and isinstance(tree.value, str) else ""
        return checker.unexpected(tree, rule, known)
    start, marks = len(checker.problems), dict(checker.marks) if len(variants) > 1 else {}
    first: list[Any] = []
    for variant in variants:
        value = checker.check(tree, variant, path)
        if len(variants) == 1 or len(checker.problems) == start:
            return value
        failed = checker.problems.take_from(start)
        first = first or failed
        checker.marks = dict(marks)
    checker.problems.put_back(first)
    return INVALID


_CHECKS: Mapping[type, Callable[..., Any]] = {
    Null: check_scalars.null,
    Bool: check_scalars.boolean,
    Number: check_scalars.number,
    Text: check_scalars.text,
    OneOf: check_scalars.one_of,
    Anything: check_scalars.anything,
    ListOf: check_containers.list_of,
    Fixed: check_containers.fixed,
    DictOf: check_containers.dict_of,
    Record: _record,
    ChoiceOf: check_choices.choice,
    Layers: check_layers.layers,
    AnyOf: _any_of,
}
