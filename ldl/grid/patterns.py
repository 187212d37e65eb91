"""Whether a value is meant by what `when` and `exclude` say of it."""

from __future__ import annotations

from typing import Any

from ldl.config import Tree
from ldl.config.tree import Invalid


def plain(tree: Tree) -> Any:
    """The value as plain data; what is broken as None."""
    if isinstance(tree.value, dict):
        return {key: plain(value) for key, value in tree.value.items()}
    if isinstance(tree.value, list):
        return [plain(value) for value in tree.value]
    return None if isinstance(tree.value, Invalid) else tree.value


def matches(pattern: Any, value: Any) -> bool:
    """Whether the value is the pattern, one of it, or a choice of that name or with such settings.

    `sgd` and `{sgd: {momentum: 0.9}}` both match `{sgd: {momentum: 0.9, nesterov: true}}`.
    """
    if same(pattern, value):
        return True
    if isinstance(pattern, list):
        return any(matches(each, value) for each in pattern)
    if isinstance(value, dict) and isinstance(pattern, str):
        return pattern in value
    if isinstance(value, dict) and isinstance(pattern, dict):
        return all(key in value and matches(part, value[key]) for key, part in pattern.items())
    return False


def same(one: Any, other: Any) -> bool:
    """Equal, where 1 is 1.0 but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)
