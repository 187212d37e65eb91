"""Overrides from the command line: `a.b.c=VALUE`, the value read as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ldl.config.check_layers import block_names
from ldl.config.grammar import Grammar
from ldl.config.override_paths import OverridePathError, PathStep, PathWriter
from ldl.config.problems import ProblemCollector, split_lines
from ldl.config.reader import MAX_DEPTH, parse
from ldl.config.tree import COMMAND_LINE, Mark, Registries, Tree
from ldl.config.type_rules import Record

_EXAMPLE = "an override is written `train.epochs=5`"


@dataclass(frozen=True)
class Override:
    """The steps of the key path, each with its position, and the value."""

    steps: tuple[PathStep, ...]
    value: Tree


def read_overrides(texts: Sequence[str], problems: ProblemCollector) -> list[Override]:
    """The overrides that can be read; each is a line of the source "command line"."""
    if not texts:
        return []
    problems.sources[COMMAND_LINE] = "\n".join(texts)
    overrides, line = [], 1
    for text in texts:
        override = _read(text, line, problems)
        overrides += [override] if override is not None else []
        line += len(split_lines(text))
    return overrides


def _read(text: str, line: int, problems: ProblemCollector) -> Override | None:
    """The override that a text writes; None with the problem recorded."""
    path, equals, value = text.partition("=")
    if not equals:
        width = max(len(split_lines(path)[0]), 1)
        problems.add(Mark(COMMAND_LINE, line, 1, width), "a `=` is missing", _EXAMPLE)
        return None
    steps, column = [], 1
    for part in path.split("."):
        name = part.strip()
        mark = Mark(COMMAND_LINE, line, column, max(len(part), 1))
        if not name or len(split_lines(part)) > 1:
            message = "a key is missing before the `=`" if not path.strip() else "an empty key"
            problems.add(mark, message, _EXAMPLE)
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


def apply_overrides(
    tree: Tree,
    root: type,
    overrides: Sequence[Override],
    registries: Registries,
    problems: ProblemCollector,
) -> Tree:
    """The configuration with the overrides laid over it in order; wrong paths are recorded."""
    grammar = Grammar(registries, block_names(tree, root))
    for override in overrides:
        writer = PathWriter(override.steps, override.value, grammar)
        try:
            tree = writer.write(tree, Record(root), 0)
        except OverridePathError as error:
            problems.add(*error.args)
    return tree
