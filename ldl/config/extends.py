"""Reads configuration files and what they extend; the marks stay where each value stands."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ldl.config import suggest
from ldl.config.check_layers import block_names
from ldl.config.describe import found
from ldl.config.grammar import Grammar
from ldl.config.problems import Problems
from ldl.config.reader import parse
from ldl.config.tree import Invalid, Mark, Registries, Tree
from ldl.config.tree_merge import merge
from ldl.config.type_rules import Anything, Record

MAX_BYTES = 1_000_000
MAX_CHAIN = 20


class UnreadableError(Exception):
    """A file cannot be read; the arguments are the message and the advice."""


@dataclass
class Document:
    """A configuration with what it extends merged in; `text` is the top file as it was read.

    `sources` is the text of each file read, by the name that marks give it.
    """

    tree: Tree
    sources: dict[str, str] = field(repr=False)
    text: str = field(repr=False)


def read_text(path: str, problems: Problems) -> str:
    """The text of a file; its line ends are left alone. Raises UnreadableError."""
    try:
        if os.path.isdir(path):
            raise UnreadableError("this is a folder, not a file", _near_files(path + "/x"))
        if os.path.exists(path) and not os.path.isfile(path):
            raise UnreadableError("this is not a regular file")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableError("there is no such file", _near_files(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"cannot be read: {reason.lower()}") from None
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES // 1000} kB: this is no configuration")
    return _decode(path, data, problems)


def _decode(path: str, data: bytes, problems: Problems) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = data.decode("utf-8", errors="replace")
        problems.sources[path] = shown
        before = data[: error.start].decode("utf-8").split("\n")
        mark = Mark(path, len(before), len(before[-1]) + 1)
        problems.add(mark, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        raise UnreadableError from None
    problems.sources[path] = text
    return text


def _near_files(path: str) -> str:
    """Advice: files like the one that is missing, in its folder or in `configs/`."""
    folder, name = os.path.split(path)
    if folder and not os.path.isdir(folder):
        return f"there is no folder {folder}"
    for place in dict.fromkeys((folder, os.path.join(folder, "configs"))):
        try:
            names = [n for n in os.listdir(place or ".") if n.endswith((".yaml", ".yml"))]
        except OSError:
            continue
        stems = {os.path.splitext(n)[0]: n for n in sorted(names)}
        near = suggest.nearest(os.path.splitext(name)[0], stems)
        if near is not None:
            return f"did you mean {os.path.join(place, stems[near])}?"
    return ""


class Reader:
    """Reads files and what they extend, each file once."""

    def __init__(
        self, problems: Problems, root: type | None, registries: Registries | None
    ) -> None:
        self._problems = problems
        self._root = root
        self._kinds = registries or {}
        self._done: dict[str, Tree | None] = {}
        self.failed = False

    def file(self, path: str) -> tuple[Tree | None, str]:
        """The merged tree of the top file and its text; a None tree has its problem recorded."""
        try:
            text = read_text(path, self._problems)
        except UnreadableError as error:
            self.failed = True
            if error.args:
                self._problems.add_file(path, *error.args)
            return None, ""
        return self.text(path, text), text

    def text(self, name: str, text: str, emitted: bool = False) -> Tree | None:
        """The merged tree of a text that stands at `name`; `emitted` as for `parse`."""
        self._problems.sources.setdefault(name, text)
        return self._merged(name, text, (os.path.realpath(name),), emitted)

    def _merged(
        self, name: str, text: str, chain: tuple[str, ...], emitted: bool = False
    ) -> Tree | None:
        tree = parse(text, Mark(name, 1, 1), self._problems, emitted)
        if tree is None:
            self.failed = True
            return None
        if tree.value is None:
            self._fail(Mark(name, 1, 1), "the file is empty", "`ldl init` writes one to start with")
            return None
        if isinstance(tree.value, Invalid):
            return None
        if not isinstance(tree.value, dict):
            self._fail(tree.mark, f"expected `key: value` lines, found {found(tree)}")
            return None
        own = {key: value for key, value in tree.value.items() if key != "extends"}
        bases = self._bases(tree.value["extends"], chain) if "extends" in tree.value else []
        return self._over(bases, Tree(own, tree.mark))

    def _fail(self, mark: Mark, message: str, advice: str = "") -> None:
        self.failed = True
        self._problems.add(mark, message, advice)

    def _over(self, bases: list[Tree], own: Tree) -> Tree:
        rule = Anything() if self._root is None else Record(self._root)
        merged = None
        for tree in (*bases, own):
            if merged is not None:
                blocks = {}
                if self._root is not None:
                    blocks = block_names(merged, self._root) | block_names(tree, self._root)
                merged = merge(merged, tree, rule, Grammar(self._kinds, blocks))
            else:
                merged = tree
        assert merged is not None
        return merged

    def _bases(self, tree: Tree, chain: tuple[str, ...]) -> list[Tree]:
        names = tree.value if isinstance(tree.value, list) else [tree]
        bases = [self._base(name, chain) for name in names]
        return [base for base in bases if base is not None]

    def _base(self, tree: Tree, chain: tuple[str, ...]) -> Tree | None:
        if isinstance(tree.value, Invalid):
            return None
        if not isinstance(tree.value, str) or not tree.value:
            self._fail(tree.mark, f"expected the name of a file, found {found(tree)}")
            return None
        path = os.path.normpath(os.path.join(os.path.dirname(tree.mark.file), tree.value))
        real = os.path.realpath(path)
        if real in chain:
            names = [os.path.basename(p) for p in (*chain[chain.index(real) :], real)]
            self._fail(tree.mark, f"`extends` goes in a circle: {' → '.join(names)}")
            return None
        if len(chain) > MAX_CHAIN:
            self._fail(tree.mark, f"more than {MAX_CHAIN} files extend one another")
            return None
        if real not in self._done:
            self._done[real] = self._read_base(tree, path, (*chain, real))
        return self._done[real]

    def _read_base(self, tree: Tree, path: str, chain: tuple[str, ...]) -> Tree | None:
        try:
            text = read_text(path, self._problems)
        except UnreadableError as error:
            self.failed = True
            if error.args:
                message, *advice = error.args
                self._problems.add(tree.mark, f"cannot extend {path}: {message}", *advice)
            return None
        return self._merged(path, text, chain)


def read(
    path: Path | str, root: type | None = None, registries: Registries | None = None
) -> Document:
    """The file with what it extends; choices merge as such where `root` and `registries` are given.

    Raises ConfigError with all that is wrong with the files as YAML.
    """
    problems = Problems()
    tree, text = Reader(problems, root, registries).file(str(path))
    problems.raise_if_any()
    assert tree is not None
    return Document(tree, problems.sources, text)
