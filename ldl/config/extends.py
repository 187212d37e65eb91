"""Reads configuration files and the files that they extend; every value keeps its position."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ldl.config.check_layers import block_names
from ldl.config.describe import describe_value
from ldl.config.grammar import Grammar
from ldl.config.problems import ProblemCollector
from ldl.config.reader import parse
from ldl.config.suggest import nearest
from ldl.config.tree import Invalid, Mark, Registries, Tree
from ldl.config.tree_merge import merge
from ldl.config.type_rules import Anything, Record
from ldl.cycles import closed_cycle
from ldl.errors import RunError, system_errno
from ldl.folder_files import in_written_folder, open_descriptor

MAX_BYTES = 1_000_000
MAX_CHAIN = 20


class UnreadableError(Exception):
    """A file cannot be read; the arguments are the message and the hint.

    Without arguments the problem is recorded already.
    """


@dataclass
class Document:
    """A configuration merged with what it extends; `text` is the top file as it was read.

    `sources` maps the name of each file, as marks have it, to its text.
    """

    tree: Tree
    sources: dict[str, str] = field(repr=False)
    text: str = field(repr=False)


def _read_text(path: str, problems: ProblemCollector) -> str:
    """The text of a file with its line ends unchanged. Raises UnreadableError."""
    try:
        if os.path.isdir(path):
            raise UnreadableError("this is a folder, not a file", _near_file_hint(path + "/x"))
        if os.path.exists(path) and not os.path.isfile(path):
            raise UnreadableError("this is not a regular file")
        opener = open_descriptor if in_written_folder(Path(path)) else None
        with open(path, "rb", opener=opener) as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableError("there is no such file", _near_file_hint(path)) from None
    except (OSError, ValueError) as error:
        number = system_errno(error)
        if number is not None:
            raise RunError(f"cannot read {path}: {os.strerror(number)}") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(f"cannot be read: {reason.lower()}") from None
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES // 1000} kB: this is no configuration")
    return _decode(path, data, problems)


def _decode(path: str, data: bytes, problems: ProblemCollector) -> str:
    """The text of UTF-8 data. Raises UnreadableError with the problem recorded."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.sources[path] = data.decode("utf-8", errors="replace")
        before = data[: error.start].decode("utf-8").split("\n")
        mark = Mark(path, len(before), len(before[-1]) + 1)
        problems.add(mark, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        raise UnreadableError from None
    problems.sources[path] = text
    return text


def _near_file_hint(path: str) -> str:
    """The configuration file with the most similar name, in the same folder or its `configs/`."""
    folder, name = os.path.split(path)
    if folder and not os.path.isdir(folder):
        return f"there is no folder {folder}"
    for candidate in dict.fromkeys((folder, os.path.join(folder, "configs"))):
        try:
            names = [n for n in os.listdir(candidate or ".") if n.endswith((".yaml", ".yml"))]
        except OSError:
            continue
        stems = {os.path.splitext(n)[0]: n for n in sorted(names)}
        near = nearest(os.path.splitext(name)[0], stems)
        if near is not None:
            return f"did you mean {os.path.join(candidate, stems[near])}?"
    return ""


class FileReader:
    """Reads files with what they extend, each file once.

    `failed` says that a file could not be read or parsed.
    """

    def __init__(
        self, problems: ProblemCollector, root: type | None, registries: Registries | None
    ) -> None:
        self.problems = problems
        self.failed = False
        self._root = root
        self._registries = registries or {}
        self._trees: dict[str, Tree | None] = {}

    def read_file(self, path: str) -> tuple[Tree | None, str]:
        """The merged tree of the top file and its text; a None tree has its problem recorded."""
        try:
            text = _read_text(path, self.problems)
        except UnreadableError as error:
            self.failed = True
            if error.args:
                self.problems.add_file(path, *error.args)
            return None, ""
        return self.read_text(path, text), text

    def read_text(self, name: str, text: str, emitted: bool = False) -> Tree | None:
        """The merged tree of a text whose file is called `name`; `emitted` as for `parse`."""
        self.problems.sources.setdefault(name, text)
        return self._parse_and_extend(name, text, (os.path.realpath(name),), emitted)

    def _parse_and_extend(
        self, name: str, text: str, chain: tuple[str, ...], emitted: bool = False
    ) -> Tree | None:
        """The tree of a text laid over what it extends; `chain` is the files that led to it."""
        tree = parse(text, Mark(name, 1, 1), self.problems, emitted)
        if tree is None:
            self.failed = True
            return None
        if tree.value is None:
            self._fail(Mark(name, 1, 1), "the file is empty", "`ldl init` writes one to start with")
            return None
        if isinstance(tree.value, Invalid):
            return None
        if not isinstance(tree.value, dict):
            self._fail(tree.mark, f"expected `key: value` lines, found {describe_value(tree)}")
            return None
        entries = {key: value for key, value in tree.value.items() if key != "extends"}
        bases = self._bases(tree.value["extends"], chain) if "extends" in tree.value else []
        return self._merge([*bases, Tree(entries, tree.mark)])

    def _fail(self, mark: Mark, message: str, hint: str = "") -> None:
        self.failed = True
        self.problems.add(mark, message, hint)

    def _merge(self, trees: list[Tree]) -> Tree:
        """The trees laid one over another, the last on top."""
        rule = Anything() if self._root is None else Record(self._root)
        merged = trees[0]
        for tree in trees[1:]:
            blocks = {}
            if self._root is not None:
                blocks = block_names(merged, self._root) | block_names(tree, self._root)
            merged = merge(merged, tree, rule, Grammar(self._registries, blocks))
        return merged

    def _bases(self, tree: Tree, chain: tuple[str, ...]) -> list[Tree]:
        """The trees of the files that `extends` names, without those that are wrong."""
        names = tree.value if isinstance(tree.value, list) else [tree]
        bases = [self._base(name, chain) for name in names]
        return [base for base in bases if base is not None]

    def _base(self, tree: Tree, chain: tuple[str, ...]) -> Tree | None:
        if isinstance(tree.value, Invalid):
            return None
        if not isinstance(tree.value, str) or not tree.value:
            self._fail(tree.mark, f"expected the name of a file, found {describe_value(tree)}")
            return None
        if in_written_folder(Path(tree.mark.file)):
            self._fail(tree.mark, "a file in the folder of a run extends no other file")
            return None
        path = os.path.normpath(os.path.join(os.path.dirname(tree.mark.file), tree.value))
        real = os.path.realpath(path)
        if cycle := closed_cycle(chain, real):
            names = " → ".join(os.path.basename(file) for file in cycle)
            self._fail(tree.mark, f"`extends` goes in a circle: {names}")
            return None
        if len(chain) > MAX_CHAIN:
            self._fail(tree.mark, f"more than {MAX_CHAIN} files extend one another")
            return None
        if real not in self._trees:
            self._trees[real] = self._read_base(tree, path, (*chain, real))
        return self._trees[real]

    def _read_base(self, tree: Tree, path: str, chain: tuple[str, ...]) -> Tree | None:
        try:
            text = _read_text(path, self.problems)
        except UnreadableError as error:
            self.failed = True
            if error.args:
                message, *hint = error.args
                self.problems.add(tree.mark, f"cannot extend {path}: {message}", *hint)
            return None
        return self._parse_and_extend(path, text, chain)


def read(
    path: Path | str, root: type | None = None, registries: Registries | None = None
) -> Document:
    """The file with what it extends; choices merge as choices if `root` and `registries` are given.

    Raises ConfigError with all problems of the files as YAML.
    """
    problems = ProblemCollector()
    tree, text = FileReader(problems, root, registries).read_file(str(path))
    problems.raise_if_any()
    assert tree is not None
    return Document(tree, problems.sources, text)
