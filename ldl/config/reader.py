"""Reads one YAML text into a Tree and reports, with positions, what the language does not have.

It uses the events of PyYAML's pure-Python parser: the C parser crashes on deep nesting and accepts
tabs and question marks where they are mistakes, and PyYAML's composer expands aliases and keeps the
last of two equal keys. Text that `to_yaml` wrote goes through the C parser, in a tenth of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import yaml

from ldl.config.problems import ProblemCollector, split_lines
from ldl.config.scalars import NumberError, resolve
from ldl.config.syntax import explain
from ldl.config.tree import INVALID, Invalid, Mark, Scalar, Tree

MAX_DEPTH = 50
MAX_KEY = 100

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BAD_ESCAPE = re.compile(r"\\U(?!0010|000)[0-9a-fA-F]{8}")
_NO_ALIAS_HINT = "write the value out; what several files share goes into one that they extend"


class _StopError(Exception):
    """Reading cannot go on; the problem is recorded."""


def parse(
    text: str, origin: Mark, problems: ProblemCollector, emitted: bool = False
) -> Tree | None:
    """The Tree of `text`, whose first character is at `origin`.

    None where the syntax is wrong or a limit is exceeded. An empty text gives a null Tree. What
    can be skipped (a repeated key, an alias, a tag, …) is recorded and reading goes on. `emitted`
    says that `to_yaml` wrote the text, which is then read faster.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader) if emitted else yaml.SafeLoader
    reader = _TextReader(text, origin, problems, loader)
    try:
        return reader.document()
    except _StopError:
        return None
    except yaml.MarkedYAMLError as error:
        problem = explain(error, reader.lines)
        problems.add(reader.at(problem.line, problem.column), problem.message, problem.hint)
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML lets through what chr() and int() raise, without a position.
        mark, message = reader.bad_escape()
        problems.add(mark, message)
    return None


class _TextReader:
    """Turns the events of PyYAML into a Tree."""

    def __init__(self, text: str, origin: Mark, problems: ProblemCollector, loader: type) -> None:
        self._text, self._loader = text, loader
        self.lines = split_lines(text)
        self._origin = origin
        self._problems = problems
        self._quiet = 0
        self._events: Iterator[Any] = iter(())
        self.last = replace(origin, width=1)

    def at(self, line: int, column: int, width: int = 1) -> Mark:
        """The mark of a line and column of this text, both counted from 0."""
        origin = self._origin
        shift = origin.column if line == 0 else 1
        return Mark(origin.file, origin.line + line, shift + column, max(width, 1))

    def bad_escape(self) -> tuple[Mark, str]:
        """The mark and message of an escape beyond Unicode, else of the last event."""
        match = _BAD_ESCAPE.search(self._text)
        if match is None:
            return self.last, "what follows cannot be read as YAML"
        return self._offset(match.start(), 10), "this escape is beyond Unicode"

    def _offset(self, position: int, width: int = 1) -> Mark:
        before = split_lines(self._text[:position])
        return self.at(len(before) - 1, len(before[-1]), width)

    def document(self) -> Tree:
        """The Tree of the only document."""
        self._reject_control_characters()
        self._events = yaml.parse(self._text, Loader=self._loader)
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return Tree(None, self.at(0, 0))
        tree = self._node(self._next(), 1)
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            hint = "put it into a file of its own"
            self._problem(self._mark(event), "a second document begins here", hint)
        return tree

    def _next(self) -> Any:
        event = next(self._events)
        self.last = self._mark(event)
        return event

    def _mark(self, event: Any) -> Mark:
        start, end = event.start_mark, event.end_mark
        if end.line == start.line:
            return self.at(start.line, start.column, end.column - start.column)
        rest = len(self.lines[start.line].rstrip()) - start.column
        return self.at(start.line, start.column, rest)

    def _problem(self, mark: Mark, message: str, hint: str = "") -> None:
        if not self._quiet:
            self._problems.add(mark, message, hint)

    def _reject_control_characters(self) -> None:
        match = _CONTROL.search(self._text)
        if match:
            code = f"U+{ord(match.group()):04X}"
            self._problem(self._offset(match.start()), f"a control character ({code})", "delete it")
            raise _StopError

    def _node(self, event: Any, depth: int) -> Tree:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            self._problem(mark, f"an alias (`*{event.anchor}`) cannot be used", _NO_ALIAS_HINT)
            return Tree(INVALID, mark)
        tagged = self._reject_anchor_and_tag(event, mark)
        if isinstance(event, yaml.ScalarEvent):
            value = INVALID if tagged else self._scalar(event, mark)
            return Tree(value, mark)
        if depth > MAX_DEPTH:
            self._problem(mark, f"nested more than {MAX_DEPTH} deep", "take some brackets away")
            raise _StopError
        if isinstance(event, yaml.SequenceStartEvent):
            tree = self._list(event, mark, depth)
        else:
            tree = self._mapping(event, mark, depth)
        return Tree(INVALID, tree.mark) if tagged else tree

    def _reject_anchor_and_tag(self, event: Any, mark: Mark) -> bool:
        """Records an anchor or a tag; whether there is a tag, which would change the value."""
        if event.anchor is not None:
            name = f"an anchor (`&{event.anchor}`)"
            self._problem(mark, f"{name} cannot be used", _NO_ALIAS_HINT)
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(mark, f"a tag (`{tag}`) cannot be used", "leave the tag out")
        return event.tag is not None

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> Scalar | Invalid:
        if not event.style:
            try:
                return resolve(event.value)
            except NumberError as error:
                self._problem(mark, str(error))
                return INVALID
        if "\0" in event.value or not _encodable(event.value):
            self._problem(mark, "a text cannot hold this escape", "NUL and surrogates are no text")
            return INVALID
        return str(event.value)

    def _close(self, start: Any, end: Any, mark: Mark) -> Mark:
        """`mark`, for a collection in brackets on one line widened to all of it."""
        first, last = start.start_mark, end.end_mark
        if start.flow_style and first.line == last.line:
            return replace(mark, width=max(1, last.column - first.column))
        return mark

    def _list(self, start: Any, mark: Mark, depth: int) -> Tree:
        items: list[Tree] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Tree(items, self._close(start, event, mark))

    def _mapping(self, start: Any, mark: Mark, depth: int) -> Tree:
        entries: dict[str, Tree] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key_mark = self._mark(event)
            if not entries and not start.flow_style:
                mark = replace(mark, width=key_mark.width) if key_mark.line == mark.line else mark
            key = self._key(event, key_mark, depth, entries)
            self._quiet += key is None
            tree = self._node(self._next(), depth + 1)
            self._quiet -= key is None
            if key is not None and key not in entries:
                entries[key] = Tree(tree.value, tree.mark, key_mark)
        return Tree(entries, self._close(start, event, mark))

    def _key(self, event: Any, mark: Mark, depth: int, entries: dict[str, Tree]) -> str | None:
        """The key as text; None, with the problem recorded, where it cannot be one."""
        if not isinstance(event, yaml.ScalarEvent):
            self._problem(mark, "a key must be a word", "no list, mapping or alias can be a key")
            self._quiet += 1
            self._node(event, depth + 1)
            self._quiet -= 1
            return None
        self._reject_anchor_and_tag(event, mark)
        key = str(event.value)
        first = entries[key].key if key in entries else None
        if key == "<<" and not event.style:
            self._problem(mark, "a merge key (`<<`) cannot be used", _NO_ALIAS_HINT)
            return None
        if first is not None:
            line = f"line {first.line}" if first.line != mark.line else "the same line"
            message = f"key `{key}` stands twice: on line {mark.line} and before on {line}"
            self._problem(mark, message, "keep one of the two")
        elif not key and not event.style:
            self._problem(mark, "a key is missing before this `:`")
            return None
        elif len(key) > MAX_KEY or "\0" in key or not _encodable(key):
            self._problem(mark, f"a key is text of at most {MAX_KEY} characters, without NUL")
            return None
        return key


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
