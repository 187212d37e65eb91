"""`a.b.c=VALUE` from the command line: the value read as YAML and laid over the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldl.config.grammar import Grammar
from ldl.config.override_paths import OverridePathError, PathStep, PathWriter
from ldl.config.problems import Problems, split_lines
from ldl.config.reader import MAX_DEPTH, parse
from ldl.config.tree import COMMAND_LINE, Mark, Tree
from ldl.config.type_rules import Record

_EXAMPLE = "an override is written `train.epochs=5`"


@dataclass(frozen=True)
class Override:
    """The steps of the path, each with its place, and the value."""

    steps: tuple[PathStep, ...]
    value: Tree


def read_overrides(texts: Sequence[str], problems: Problems) -> list[Override]:
    """The overrides that can be read; each stands on its own line of the "command line"."""
    if not texts:
        return []
    problems.sources[COMMAND_LINE] = "\n".join(texts)
    found, line = [], 1
    for text in texts:
        override = _read(text, line, problems)
        found += [override] if override is not None else []
        line += len(split_lines(text))
    return found


def _read(text: str, line: int, problems: Problems) -> Override | None:
    path, equals, value = text.partition("=")
    width = max(len(split_lines(path)[0]), 1)
    if not equals:
        problems.add(Mark(COMMAND_LINE, line, 1, width), "a `=` is missing", _EXAMPLE)
        return None
    steps, column = [], 1
    for part in path.split("."):
        name = part.strip()
        mark = Mark(COMMAND_LINE, line, column, max(len(part), 1))
        if not name or len(split_lines(part)) > 1:
            what = "a key is missing before the `=`" if not path.strip() else "an empty key"
            problems.add(mark, what, _EXAMPLE)
            return None
        steps.append(PathStep(name, mark))
        column += len(part) + 1
    if len(steps) > MAX_DEPTH:
        problems.add(steps[MAX_DEPTH].mark, f"a path has at most {MAX_DEPTH} parts")
        return None
    tree = parse(value, Mark(COMMAND_LINE, line, column), problems)
    if tree is None:
        return None
    return Override(tuple(steps), Tree(tree.value, tree.mark, steps[-1].mark))


def apply(
    tree: Tree, root: type, overrides: Sequence[Override], grammar: Grammar, problems: Problems
) -> Tree:
    """The configuration with the overrides laid over it, left to right; bad paths are recorded."""
    for override in overrides:
        writer = PathWriter(override.steps, override.value, grammar)
        try:
            tree = writer.write(tree, Record(root), 0)
        except OverridePathError as error:
            problems.add(*error.args)
    return tree
