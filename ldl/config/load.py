"""From files and overrides to a typed configuration, or to all that is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from ldl.config.check_layers import block_names, check_blocks
from ldl.config.checker import Checker
from ldl.config.extends import Reader
from ldl.config.grammar import Grammar
from ldl.config.overrides import Override, apply, read_overrides
from ldl.config.problems import Problems
from ldl.config.tree import NOWHERE, KeyPath, Mark, Registries, Tree
from ldl.config.type_rules import Record
from ldl.errors import Problem

T = TypeVar("T")


@dataclass
class Loaded(Generic[T]):
    """A checked configuration and where each of its values stands.

    `marks` has the path of every value that is written somewhere, as the resolved file spells it:
    ("network", 0, "linear", "units"). `text` is the top file as it was read, `ignored_sections`
    holds the top-level keys that were not checked.
    """

    value: T
    marks: dict[KeyPath, Mark] = field(repr=False)
    sources: dict[str, str] = field(repr=False)
    text: str = field(repr=False)
    overrides: tuple[str, ...] = ()
    ignored_sections: dict[str, Tree] = field(default_factory=dict, repr=False)

    def mark(self, path: KeyPath) -> Mark:
        """Where the value at `path` stands, or the nearest thing around it that is written."""
        steps = (path[:length] for length in range(len(path), -1, -1))
        return next((self.marks[step] for step in steps if step in self.marks), NOWHERE)

    def problem(self, path: KeyPath, message: str, advice: str = "") -> Problem:
        """A mistake that is found later, at the place of the value at `path`."""
        return self.problem_at(self.mark(path), message, advice)

    def problem_at(self, mark: Mark, message: str, advice: str = "") -> Problem:
        """A mistake at a mark, such as an Item's."""
        problems = Problems()
        problems.sources = self.sources
        return problems.build(mark, message, advice)


@dataclass
class UncheckedConfig:
    """A file, what it extends and the overrides as one tree, not yet checked.

    `tree` is None, and `problems` says why, where there is nothing to look at. `partial`: a file
    it extends is missing.
    """

    tree: Tree | None
    text: str = field(repr=False)
    problems: Problems = field(repr=False)
    partial: bool = False
    overrides: tuple[str, ...] = ()
    ignored_overrides: tuple[Override, ...] = field(default=(), repr=False)

    def apply_ignored_overrides(self, root: type, registries: Registries) -> None:
        """Apply the overrides of the sections that were ignored when the file was read."""
        if self.tree is not None:
            grammar = Grammar(registries, block_names(self.tree, root))
            self.tree = apply(self.tree, root, self.ignored_overrides, grammar, self.problems)
        self.ignored_overrides = ()


def load_unchecked(
    path: Path | str,
    root: type,
    registries: Registries,
    overrides: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
) -> UncheckedConfig:
    """A file with the overrides laid over it, without those of `ignored_sections`."""
    problems = Problems()
    reader = Reader(problems, root, registries)
    tree, text = reader.file(str(path))
    return _changed(tree, text, reader, problems, root, registries, overrides, ignored_sections)


def load(
    path: Path | str,
    root: type[T],
    registries: Registries,
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
) -> Loaded[T]:
    """The configuration in a file, with what it extends and the overrides, checked against `root`.

    With `only`, the other top-level keys are skipped. `ignored_sections` are kept unchecked
    in the result. Raises ConfigError with all problems, in the order of the files.
    """
    gathered = load_unchecked(path, root, registries, overrides, ignored_sections)
    return check_config(gathered, root, registries, only, ignored_sections)


def loads(
    text: str,
    name: str,
    root: type[T],
    registries: Registries,
    overrides: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
    emitted: bool = False,
) -> Loaded[T]:
    """`load` of a text; messages call it `name`, and files are looked for in `name`'s folder.

    One that `to_yaml` has `emitted` is read faster.
    """
    problems = Problems()
    reader = Reader(problems, root, registries)
    tree = reader.text(name, text, emitted)
    gathered = _changed(tree, text, reader, problems, root, registries, overrides, ignored_sections)
    return check_config(gathered, root, registries, ignored_sections=ignored_sections)


def _changed(
    tree: Tree | None,
    text: str,
    reader: Reader,
    problems: Problems,
    root: type,
    registries: Registries,
    overrides: Sequence[str],
    ignored_sections: Sequence[str],
) -> UncheckedConfig:
    parsed = read_overrides(overrides, problems)
    ignored = [change for change in parsed if change.steps[0].name in ignored_sections]
    changes = [change for change in parsed if change not in ignored]
    if tree is not None:
        tree = apply(tree, root, changes, Grammar(registries, block_names(tree, root)), problems)
    return UncheckedConfig(tree, text, problems, reader.failed, tuple(overrides), tuple(ignored))


def check_config(
    gathered: UncheckedConfig,
    root: type[T],
    registries: Registries,
    only: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
) -> Loaded[T]:
    """The configuration in `gathered`, which is not changed, checked against `root`; as `load`."""
    tree, problems = gathered.tree, gathered.problems.copy()
    if tree is None:
        problems.raise_if_any()
    assert tree is not None
    kept: dict[str, Tree] = {}
    if isinstance(tree.value, dict):
        kept = {key: value for key, value in tree.value.items() if key in ignored_sections}
        chosen = {key: value for key, value in tree.value.items() if key not in kept}
        if only:
            chosen = {key: value for key, value in chosen.items() if key in only}
        tree = Tree(chosen, tree.mark, tree.key)
    grammar = Grammar(registries, block_names(tree, root))
    checker = Checker(grammar, problems, gathered.partial, ignored_sections)
    value = checker.check(tree, Record(root), ())
    check_blocks(checker)
    problems.raise_if_any()
    return Loaded(
        value,
        checker.marks,
        problems.sources,
        gathered.text,
        gathered.overrides,
        ignored_sections=kept,
    )
