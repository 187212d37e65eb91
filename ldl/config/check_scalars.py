"""Checks scalars: booleans, numbers, text, words of a Literal."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from ldl.config.describe import found, literal
from ldl.config.suggest import nearest
from ldl.config.tree import COMMAND_LINE, INVALID, Invalid, KeyPath, Tree, child
from ldl.config.type_rules import Anything, Bool, Null, Number, OneOf, Text

if TYPE_CHECKING:
    from ldl.config.checker import Checker


def null(checker: Checker, tree: Tree, rule: Null, path: KeyPath) -> Any:
    """`null`."""
    return None if tree.value is None else checker.unexpected(tree, rule)


def boolean(checker: Checker, tree: Tree, rule: Bool, path: KeyPath) -> Any:
    """`true` or `false`."""
    return tree.value if isinstance(tree.value, bool) else checker.unexpected(tree, rule)


def number(checker: Checker, tree: Tree, rule: Number, path: KeyPath) -> Any:
    """A number within its limits: NaN never is, infinity only where there are none."""
    value = tree.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return checker.unexpected(tree, rule)
    if rule.whole and isinstance(value, float):
        if not value.is_integer():
            return checker.unexpected(tree, rule)
        value = int(value)
    elif not rule.whole:
        value = _to_float(value)
    if math.isnan(value) or (math.isinf(value) and (rule.whole or rule.limits)):
        return checker.reject(tree.mark, f"expected a finite number, found {found(tree)}")
    if rule.limits is not None and not rule.limits.holds(value):
        message = f"must be {rule.limits.broken(value)}, found {found(tree)}"
        return checker.reject(tree.mark, message)
    return value


def _to_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:  # an int of over 308 digits; NaN is refused
        return math.nan


def text(checker: Checker, tree: Tree, rule: Text, path: KeyPath) -> Any:
    """Text; the name of a file is made absolute from the folder of the file it stands in."""
    if not isinstance(tree.value, str):
        return checker.unexpected(tree, rule)
    if not rule.file:
        return tree.value
    if not tree.value.strip():
        return checker.reject(tree.mark, "expected the name of a file, found an empty text")
    source = tree.mark.file
    folder = "" if source == COMMAND_LINE else os.path.dirname(source)
    return os.path.abspath(os.path.join(folder, os.path.expanduser(tree.value)))


def one_of(checker: Checker, tree: Tree, rule: OneOf, path: KeyPath) -> Any:
    """One of the words; `1` and `true` are not the same word."""
    for word in rule.values:
        if tree.value == word and type(tree.value) is type(word):
            return word
    words = [literal(value) for value in rule.values]
    near = nearest(tree.value, words) if isinstance(tree.value, str) else None
    return checker.unexpected(tree, rule, f"did you mean `{near}`?" if near else "")


def anything(checker: Checker, tree: Tree, rule: Anything, path: KeyPath) -> Any:
    """Plain data, as it is written."""
    value = tree.value
    if isinstance(value, dict):
        made = {key: checker.check(item, rule, child(path, key)) for key, item in value.items()}
        return INVALID if any(item is INVALID for item in made.values()) else made
    if isinstance(value, list):
        items = [checker.check(item, rule, child(path, i)) for i, item in enumerate(value)]
        return INVALID if any(item is INVALID for item in items) else items
    return INVALID if isinstance(value, Invalid) else value
