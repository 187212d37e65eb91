"""Loads a typed configuration from files and overrides, or reports all of its problems."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from ldl.config.check_layers import block_names, check_blocks
from ldl.config.checks import new_checker
from ldl.config.extends import FileReader
from ldl.config.grammar import Grammar
from ldl.config.overrides import Override, apply_overrides, read_overrides
from ldl.config.problems import ProblemCollector
from ldl.config.tree import INVALID, NOWHERE, KeyPath, Mark, Registries, Tree, path_prefixes
from ldl.config.type_rules import Record
from ldl.errors import Problem

T = TypeVar("T")


@dataclass
class Loaded(Generic[T]):
    """A checked configuration and where each of its values is written.

    `marks` has the path of every value that is written, as in the resolved file:
    ("network", 0, "linear", "units"). `text` is the top file as it was read, `ignored_sections`
    holds the top-level keys that were not checked, `warnings` has a note for each former name.
    """

    value: T
    marks: dict[KeyPath, Mark] = field(repr=False)
    sources: dict[str, str] = field(repr=False)
    text: str = field(repr=False)
    overrides: tuple[str, ...] = ()
    ignored_sections: dict[str, Tree] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()

    def mark(self, path: KeyPath) -> Mark:
        """Where the value at `path` is written, or the nearest thing around it that is."""
        return next((self.marks[p] for p in path_prefixes(path) if p in self.marks), NOWHERE)

    def problem(self, path: KeyPath, message: str, hint: str = "") -> Problem:
        """A problem of the value at `path`, found after loading."""
        return self.problem_at(self.mark(path), message, hint)

    def problem_at(self, mark: Mark, message: str, hint: str = "") -> Problem:
        """A problem at a mark, such as that of an Item, found after loading."""
        problems = ProblemCollector()
        problems.sources = self.sources
        return problems.make_problem(mark, message, hint)


@dataclass
class UncheckedConfig:
    """A file, the files that it extends and the overrides merged into one tree, not yet checked.

    `tree` is None where the file cannot be read; `problems` then has the reason. `partial` says
    that an extended file is missing. `ignored_overrides` are those of the ignored sections.
    """

    tree: Tree | None
    text: str = field(repr=False)
    problems: ProblemCollector = field(repr=False)
    partial: bool = False
    overrides: tuple[str, ...] = ()
    ignored_overrides: tuple[Override, ...] = field(default=(), repr=False)

    def apply_ignored_overrides(self, root: type, registries: Registries) -> None:
        """Apply the overrides of the sections that were ignored when the file was read."""
        if self.tree is not None:
            self.tree = apply_overrides(
                self.tree, root, self.ignored_overrides, registries, self.problems
            )
        self.ignored_overrides = ()


def load_unchecked(
    path: Path | str,
    root: type,
    registries: Registries,
    overrides: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
) -> UncheckedConfig:
    """A file with what it extends and the overrides, without those of `ignored_sections`."""
    problems = ProblemCollector()
    reader = FileReader(problems, root, registries)
    tree, text = reader.read_file(str(path))
    return _override(tree, text, reader, root, registries, overrides, ignored_sections)


def load(
    path: Path | str,
    root: type[T],
    registries: Registries,
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
) -> Loaded[T]:
    """The configuration in a file, with what it extends and the overrides, checked against `root`.

    With `only`, the other top-level keys are skipped; `ignored_sections` are kept unchecked.
    Raises ConfigError with all problems, in the order of the files.
    """
    unchecked = load_unchecked(path, root, registries, overrides, ignored_sections)
    return check_config(unchecked, root, registries, only, ignored_sections)


def loads(
    text: str,
    name: str,
    root: type[T],
    registries: Registries,
    overrides: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
    emitted: bool = False,
) -> Loaded[T]:
    """`load` of a text; messages call it `name`, and extended files are relative to its folder.

    `emitted` says that `to_yaml` wrote the text, which is then read faster.
    """
    reader = FileReader(ProblemCollector(), root, registries)
    tree = reader.read_text(name, text, emitted)
    unchecked = _override(tree, text, reader, root, registries, overrides, ignored_sections)
    return check_config(unchecked, root, registries, (), ignored_sections)


def _override(
    tree: Tree | None,
    text: str,
    reader: FileReader,
    root: type,
    registries: Registries,
    texts: Sequence[str],
    ignored_sections: Sequence[str],
) -> UncheckedConfig:
    """The tree of a file with the overrides laid over it."""
    problems = reader.problems
    applied: list[Override] = []
    ignored: list[Override] = []
    for override in read_overrides(texts, problems):
        (ignored if override.steps[0].name in ignored_sections else applied).append(override)
    if tree is not None:
        tree = apply_overrides(tree, root, applied, registries, problems)
    return UncheckedConfig(tree, text, problems, reader.failed, tuple(texts), tuple(ignored))


def check_config(
    unchecked: UncheckedConfig,
    root: type[T],
    registries: Registries,
    only: Sequence[str] = (),
    ignored_sections: Sequence[str] = (),
) -> Loaded[T]:
    """`load` of a file that is read already; `unchecked` stays unchanged. Raises ConfigError."""
    loaded, problems, _ = _check(unchecked, root, registries, only, ignored_sections)
    problems.raise_if_any()
    return loaded


def check_partly(
    unchecked: UncheckedConfig,
    root: type[T],
    registries: Registries,
    partly: Collection[KeyPath],
    ignored_sections: Sequence[str] = (),
) -> tuple[Loaded[T], set[KeyPath]] | None:
    """What can be used of a file with problems, and the settings that are left out.

    Those are optional settings of the records at the paths in `partly`. Layers with problems are
    `Unchecked`. None where a problem lies elsewhere. Raises ConfigError for an unreadable file.
    """
    loaded, _, dropped = _check(unchecked, root, registries, (), ignored_sections, partly)
    return None if loaded.value is INVALID else (loaded, dropped)


def _check(
    unchecked: UncheckedConfig,
    root: type[T],
    registries: Registries,
    only: Sequence[str],
    ignored_sections: Sequence[str],
    partly: Collection[KeyPath] = (),
) -> tuple[Loaded[T], ProblemCollector, set[KeyPath]]:
    tree, problems = unchecked.tree, unchecked.problems.copy()
    if tree is None:
        problems.raise_if_any()
    assert tree is not None
    ignored: dict[str, Tree] = {}
    if isinstance(tree.value, dict):
        ignored = {key: value for key, value in tree.value.items() if key in ignored_sections}
        checked = {key: value for key, value in tree.value.items() if key not in ignored}
        if only:
            checked = {key: value for key, value in checked.items() if key in only}
        tree = Tree(checked, tree.mark, tree.key)
    grammar = Grammar(registries, block_names(tree, root))
    checker = new_checker(grammar, problems, unchecked.partial, ignored_sections, partly)
    value = checker.check(tree, Record(root), ())
    check_blocks(checker)
    loaded = Loaded(
        value,
        checker.marks,
        problems.sources,
        unchecked.text,
        unchecked.overrides,
        ignored,
        tuple(sorted(checker.warnings, key=lambda p: (p.file, p.line, p.column))),
    )
    return loaded, problems, checker.dropped
