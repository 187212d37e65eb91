"""Which function checks a value by which rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from ldl.config.check_choices import check_choice, check_with_siblings
from ldl.config.check_containers import check_dict, check_fixed, check_list, check_record
from ldl.config.check_layers import check_layers
from ldl.config.check_scalars import (
    check_anything,
    check_boolean,
    check_null,
    check_number,
    check_one_of,
    check_text,
)
from ldl.config.checker import Checker, CheckFunction
from ldl.config.grammar import Grammar
from ldl.config.problems import ProblemCollector
from ldl.config.suggest import spelling_hint
from ldl.config.tree import INVALID, KeyPath, Tree
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
    Text,
    siblings_choice,
)
from ldl.errors import Problem


def new_checker(
    grammar: Grammar,
    problems: ProblemCollector,
    partial: bool = False,
    ignored_sections: Collection[str] = (),
    partly: Collection[KeyPath] = (),
) -> Checker:
    """A checker that knows every rule of the language."""
    return Checker(grammar, problems, CHECKS, partial, ignored_sections, partly)


def _check_dataclass(checker: Checker, tree: Tree, rule: Record, path: KeyPath) -> Any:
    """A dataclass; one with a choice is written as that choice with sibling keys."""
    choice = siblings_choice(rule.cls)
    if choice is None:
        return check_record(checker, tree, rule, path)
    return check_with_siblings(checker, tree, rule.cls, choice, path)


def _check_any_of(checker: Checker, tree: Tree, rule: AnyOf, path: KeyPath) -> Any:
    """The first variant that accepts the value; else the problems of the most likely variant."""
    variants = checker.grammar.variants(rule, tree)
    if not variants:
        names = checker.grammar.names_of(rule)
        known = spelling_hint(tree.value, names) if names and isinstance(tree.value, str) else ""
        return checker.reject_type(tree, rule, known)
    start, warnings = len(checker.problems), list(checker.warnings)
    marks = dict(checker.marks) if len(variants) > 1 else {}
    first_problems: list[Problem] = []
    for variant in variants:
        value = checker.check(tree, variant, path)
        if len(variants) == 1 or len(checker.problems) == start:
            return value
        problems = checker.problems.pop_from(start)
        first_problems = first_problems or problems
        checker.marks, checker.warnings = dict(marks), list(warnings)
    checker.problems.restore(first_problems)
    return INVALID


CHECKS: Final[Mapping[type, CheckFunction]] = {
    Null: check_null,
    Bool: check_boolean,
    Number: check_number,
    Text: check_text,
    OneOf: check_one_of,
    Anything: check_anything,
    ListOf: check_list,
    Fixed: check_fixed,
    DictOf: check_dict,
    Record: _check_dataclass,
    ChoiceOf: check_choice,
    Layers: check_layers,
    AnyOf: _check_any_of,
}
