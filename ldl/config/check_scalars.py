"""Checks of scalars: booleans, numbers, text, one of several words."""

from __future__ import annotations

import math
import os
from typing import Any

from ldl.config.checker import Checker
from ldl.config.describe import describe_value, literal
from ldl.config.suggest import nearest
from ldl.config.tree import COMMAND_LINE, INVALID, Invalid, KeyPath, Tree, child
from ldl.config.type_rules import Anything, Bool, Null, Number, OneOf, Text


def check_null(checker: Checker, tree: Tree, rule: Null, path: KeyPath) -> Any:
    """None."""
    return None if tree.value is None else checker.reject_type(tree, rule)


def check_boolean(checker: Checker, tree: Tree, rule: Bool, path: KeyPath) -> Any:
    """True or False."""
    return tree.value if isinstance(tree.value, bool) else checker.reject_type(tree, rule)


def check_number(checker: Checker, tree: Tree, rule: Number, path: KeyPath) -> Any:
    """A number within its limits; never NaN, infinity only for a float without limits."""
    value = tree.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return checker.reject_type(tree, rule)
    if rule.whole and isinstance(value, float):
        if not value.is_integer():
            return checker.reject_type(tree, rule)
        value = int(value)
    elif not rule.whole:
        value = _to_float(value)
    if math.isnan(value) or (math.isinf(value) and (rule.whole or rule.limits)):
        return checker.reject(tree.mark, f"expected a finite number, found {describe_value(tree)}")
    if rule.limits is not None and not rule.limits.holds(value):
        message = f"must be {rule.limits.violated(value)}, found {describe_value(tree)}"
        return checker.reject(tree.mark, message)
    return value


def _to_float(value: int | float) -> float:
    """The float; NaN for an integer that no float can hold."""
    try:
        return float(value)
    except OverflowError:
        return math.nan


def check_text(checker: Checker, tree: Tree, rule: Text, path: KeyPath) -> Any:
    """Text; a file name becomes absolute, relative to the folder of the file that contains it."""
    if not isinstance(tree.value, str):
        return checker.reject_type(tree, rule)
    if not rule.file:
        return tree.value
    if not tree.value.strip():
        return checker.reject(tree.mark, "expected the name of a file, found an empty text")
    source = tree.mark.file
    folder = "" if source == COMMAND_LINE else os.path.dirname(source)
    return os.path.abspath(os.path.join(folder, os.path.expanduser(tree.value)))


def check_one_of(checker: Checker, tree: Tree, rule: OneOf, path: KeyPath) -> Any:
    """One of the words of the rule; `1` and `true` are different words."""
    for word in rule.values:
        if tree.value == word and type(tree.value) is type(word):
            return word
    words = [literal(value) for value in rule.values]
    near = nearest(tree.value, words) if isinstance(tree.value, str) else None
    return checker.reject_type(tree, rule, f"did you mean `{near}`?" if near else "")


def check_anything(checker: Checker, tree: Tree, rule: Anything, path: KeyPath) -> Any:
    """The same data as Python mappings, lists and scalars."""
    value = tree.value
    if isinstance(value, dict):
        entries = {key: checker.check(item, rule, child(path, key)) for key, item in value.items()}
        return INVALID if any(item is INVALID for item in entries.values()) else entries
    if isinstance(value, list):
        items = [checker.check(item, rule, child(path, i)) for i, item in enumerate(value)]
        return INVALID if any(item is INVALID for item in items) else items
    return INVALID if isinstance(value, Invalid) else value
