"""Whether one varied value overwrites what another one of the same setting says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ldl.config import Mark, Tree
from ldl.config.tree import Invalid
from ldl.grid.space import Key

Word = tuple[Mark, object]
"""A value without parts, or the name of a choice, and its place."""


def overwritten(value: Tree, before: Tree, after: Tree) -> bool:
    """Whether anything that `value` has put into `before` is gone in `after`."""
    return not set(_leaves(value)) & set(_words(before)) <= set(_words(after))


def related(keys: Sequence[Key]) -> bool:
    """Whether one of the keys may lie within another, numbers of items aside."""
    names = sorted([step.name for step in key.steps if not step.name.isdigit()] for key in keys)
    return any(longer[: len(shorter)] == shorter for shorter, longer in pairwise(names))


def blame(outer: Key, inner: Key) -> tuple[Mark, str, str]:
    """What is wrong with two keys of which one overwrites the other: of the second in the file."""
    first, second = sorted((outer, inner), key=lambda key: (key.mark.line, key.mark.column))
    message = f"`{second.name}` and `{first.name}` set the same value, so only one would count"
    advice = f"vary one of them, take that part out of the values of `{outer.name}`, or use `when`"
    return second.mark, message, advice


def _leaves(tree: Tree) -> Iterator[Word]:
    """Its values without parts; of those that say nothing only the whole."""
    if not isinstance(tree.value, dict | list | Invalid):
        yield tree.mark, tree.value
        return
    parts = tree.value.values() if isinstance(tree.value, dict) else tree.value
    for part in [] if isinstance(parts, Invalid) else parts:
        if part.value is not None:
            yield from _leaves(part)


def _words(tree: Tree) -> Iterator[Word]:
    """Its values without parts, and its keys: a bare name becomes the key of its settings."""
    if isinstance(tree.value, dict):
        for name, part in tree.value.items():
            yield part.mark, name
            yield from _words(part)
    elif isinstance(tree.value, list):
        for part in tree.value:
            yield from _words(part)
    elif not isinstance(tree.value, Invalid):
        yield tree.mark, tree.value
