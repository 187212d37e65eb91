"""From files and overrides to a typed configuration, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from ldl.config import tree as trees
from ldl.config.checker import Checker
from ldl.config.files import Reader
from ldl.config.grammar import Grammar
from ldl.config.items import block_names, check_blocks
from ldl.config.overrides import apply, read_overrides
from ldl.config.problems import Problems
from ldl.config.rules import Record
from ldl.config.tree import NOWHERE, Kinds, Mark, Tree
from ldl.errors import Problem

T = TypeVar("T")


@dataclass
class Loaded(Generic[T]):
    """A checked configuration and where each of its values stands.

    `marks` has the path of every value that is written somewhere, as the resolved file spells it:
    ("network", 0, "linear", "units"). `text` is the top file as it was read.
    """

    value: T
    marks: dict[trees.Path, Mark] = field(repr=False)
    sources: dict[str, str] = field(repr=False)
    text: str = field(repr=False)
    overrides: tuple[str, ...] = ()

    def mark(self, path: trees.Path) -> Mark:
        """Where the value at `path` stands, or the nearest thing around it that is written."""
        steps = (path[:length] for length in range(len(path), -1, -1))
        return next((self.marks[step] for step in steps if step in self.marks), NOWHERE)

    def problem(self, path: trees.Path, message: str, advice: str = "") -> Problem:
        """A mistake that is found later, at the place of the value at `path`."""
        return self.problem_at(self.mark(path), message, advice)

    def problem_at(self, mark: Mark, message: str, advice: str = "") -> Problem:
        """A mistake at a mark, such as an Item's."""
        problems = Problems()
        problems.sources = self.sources
        return problems.build(mark, message, advice)


def load(
    path: Path | str,
    root: type[T],
    kinds: Kinds,
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Loaded[T]:
    """The configuration in a file, with what it extends and the overrides, checked against `root`.

    With `only`, the other top-level keys are passed over, so that what is sound can be looked at
    further. Raises ConfigError with all that is wrong, in the order of the files.
    """
    problems = Problems()
    reader = Reader(problems, root, kinds)
    tree, text = reader.file(str(path))
    return _finish(tree, text, reader, problems, root, kinds, overrides, only)


def loads(
    text: str, name: str, root: type[T], kinds: Kinds, overrides: Sequence[str] = ()
) -> Loaded[T]:
    """`load` of a text; messages call it `name`, and files are looked for in `name`'s folder."""
    problems = Problems()
    reader = Reader(problems, root, kinds)
    tree = reader.text(name, text)
    return _finish(tree, text, reader, problems, root, kinds, overrides)


def _finish(
    tree: Tree | None,
    text: str,
    reader: Reader,
    problems: Problems,
    root: type[T],
    kinds: Kinds,
    overrides: Sequence[str],
    only: Sequence[str] = (),
) -> Loaded[T]:
    changes = read_overrides(overrides, problems)
    if tree is None:
        problems.raise_if_any()
    assert tree is not None
    grammar = Grammar(kinds, block_names(tree, root))
    tree = apply(tree, root, changes, grammar, problems)
    if only and isinstance(tree.value, dict):
        tree.value = {key: value for key, value in tree.value.items() if key in only}
    checker = Checker(Grammar(kinds, block_names(tree, root)), problems, reader.failed)
    value = checker.check(tree, Record(root), ())
    check_blocks(checker)
    problems.raise_if_any()
    return Loaded(value, checker.marks, problems.sources, text, tuple(overrides))
