"""Collects what is wrong with a configuration, so that all of it is said at once."""

from __future__ import annotations

import re
from typing import Final

from ldl.config.tree import NOWHERE, Mark
from ldl.errors import ConfigError, Problem

# The breaks that PyYAML counts, so that its line numbers and ours agree.
_BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

MOST: Final = 1000
_LONGEST = 400
_MOST_LINES = 20  # of advice


def split_lines(text: str) -> list[str]:
    """The lines of `text` as YAML counts them."""
    return _BREAKS.split(text)


def _clean(sentence: str) -> str:
    """A sentence that may quote what a file holds: one line of printable characters, not long."""
    shown = sentence if len(sentence) <= _LONGEST else sentence[:_LONGEST] + "…"
    return shown if shown.isprintable() else "".join(c if c.isprintable() else " " for c in shown)


class Problems:
    """Mistakes and the texts they stand in; the sources' order is the order of the report."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}
        self._found: list[Problem] = []

    def copy(self) -> Problems:
        """The same problems; those that are added to the copy are not added here."""
        problems = Problems()
        problems.sources, problems._lines = self.sources, self._lines
        problems._found = list(self._found)
        return problems

    def __len__(self) -> int:
        return len(self._found)

    def build(self, mark: Mark, message: str, advice: str = "") -> Problem:
        """The problem at `mark`, with its source line."""
        place = (mark.file, mark.line, mark.column, self.line(mark), mark.width)
        lines = [_clean(line) for line in advice.split("\n")[:_MOST_LINES]]
        return Problem(_clean(message), *place, "\n".join(lines))

    def add(self, mark: Mark, message: str, advice: str = "") -> None:
        """Record a mistake. Raises ConfigError when there are more than anybody reads."""
        self._found.append(self.build(mark, message, advice))
        if len(self._found) >= MOST:
            self.raise_if_any()

    def add_file(self, file: str, message: str, advice: str = "") -> None:
        """Record that a whole file cannot be used."""
        self.add(Mark(file, 0, 0), message, advice)

    def line(self, mark: Mark) -> str:
        """The text of the line that `mark` stands on; empty where there is none."""
        if mark.file not in self.sources or mark == NOWHERE:
            return ""
        if mark.file not in self._lines:
            self._lines[mark.file] = split_lines(self.sources[mark.file])
        lines = self._lines[mark.file]
        return lines[mark.line - 1] if 1 <= mark.line <= len(lines) else ""

    def take_from(self, start: int) -> list[Problem]:
        """Remove and return what was recorded since there were `start` problems."""
        taken = self._found[start:]
        del self._found[start:]
        return taken

    def put_back(self, problems: list[Problem]) -> None:
        """Record what `take_from` removed."""
        self._found.extend(problems)

    def sorted(self) -> list[Problem]:
        """Each mistake once, file by file in reading order, by position."""
        order = {file: number for number, file in enumerate(self.sources)}
        unique = list(dict.fromkeys(self._found))
        return sorted(unique, key=lambda p: (order.get(p.file, len(order)), p.line, p.column))

    def raise_if_any(self) -> None:
        """Raises ConfigError with all problems, if there are any."""
        if self._found:
            raise ConfigError(self.sorted())
