"""Collects the problems of a configuration, so that all of them are reported at once."""

from __future__ import annotations

import re
from typing import Final

from ldl.config.tree import NOWHERE, Mark
from ldl.errors import ConfigError, Problem

# The line breaks that PyYAML counts, so that its line numbers and ours agree.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

MAX_PROBLEMS: Final = 1000
_MAX_SENTENCE = 400  # characters
_MAX_HINT_LINES = 20


def split_lines(text: str) -> list[str]:
    """The lines of `text` as YAML counts them."""
    return _LINE_BREAK.split(text)


def _printable(sentence: str) -> str:
    """A sentence that may quote a file's content, as one short line of printable characters."""
    short = sentence if len(sentence) <= _MAX_SENTENCE else sentence[:_MAX_SENTENCE] + "…"
    return short if short.isprintable() else "".join(c if c.isprintable() else " " for c in short)


class ProblemCollector:
    """The problems found so far and the texts of the files; the order of `sources` is reported."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._problems: list[Problem] = []

    def copy(self) -> ProblemCollector:
        """A collector with the same problems; what is added to it is not added here."""
        problems = ProblemCollector()
        problems.sources, problems._lines = self.sources, self._lines
        problems._problems = list(self._problems)
        return problems

    def __len__(self) -> int:
        return len(self._problems)

    def make_problem(self, mark: Mark, message: str, hint: str = "") -> Problem:
        """The problem at `mark`, with its source line; it is not recorded."""
        position = (mark.file, mark.line, mark.column, self.line(mark), mark.width)
        hints = [_printable(line) for line in hint.split("\n")[:_MAX_HINT_LINES]]
        return Problem(_printable(message), *position, "\n".join(hints))

    def add(self, mark: Mark, message: str, hint: str = "") -> None:
        """Record a problem. Raises ConfigError when there are MAX_PROBLEMS of them."""
        self._problems.append(self.make_problem(mark, message, hint))
        if len(self._problems) >= MAX_PROBLEMS:
            self.raise_if_any()

    def add_file(self, file: str, message: str, hint: str = "") -> None:
        """Record a problem of a whole file."""
        self.add(Mark(file, 0, 0), message, hint)

    def line(self, mark: Mark) -> str:
        """The text of the line at `mark`; empty where there is none."""
        if mark.file not in self.sources or mark == NOWHERE:
            return ""
        if mark.file not in self._lines:
            self._lines[mark.file] = split_lines(self.sources[mark.file])
        lines = self._lines[mark.file]
        return lines[mark.line - 1] if 1 <= mark.line <= len(lines) else ""

    def pop_from(self, start: int) -> list[Problem]:
        """Remove and return the problems after the first `start` ones."""
        removed = self._problems[start:]
        del self._problems[start:]
        return removed

    def restore(self, problems: list[Problem]) -> None:
        """Record again what `pop_from` removed."""
        self._problems.extend(problems)

    def sorted(self) -> list[Problem]:
        """Each problem once, by file in the order of reading, then by position."""
        order = {file: number for number, file in enumerate(self.sources)}
        unique = list(dict.fromkeys(self._problems))
        return sorted(unique, key=lambda p: (order.get(p.file, len(order)), p.line, p.column))

    def raise_if_any(self) -> None:
        """Raises ConfigError with all problems, if there are any."""
        if self._problems:
            raise ConfigError(self.sorted())
