"""Problems as a person reads them: `FILE:LINE:COL: message`, the line, a caret, advice."""

from __future__ import annotations

import unicodedata

from ldl.errors import ConfigError, Problem

_WIDTH = 96
_MARGIN = 30
_LOOK = 4 * _WIDTH  # a line may be a megabyte long; only what can be shown is measured
_INDENT = "  "


def render(error: ConfigError, limit: int = 20) -> str:
    """All problems of the error, at most `limit` of them in full."""
    shown = [render_problem(problem) for problem in error.problems[:limit]]
    if len(error.problems) > limit:
        shown.append(f"… and {len(error.problems) - limit} more")
    return "\n".join(shown)


def render_problem(problem: Problem) -> str:
    """One problem: its place and message, the line with a caret under it, the advice."""
    place = problem.location
    lines = [f"{place}: {problem.message}" if place else problem.message]
    if problem.source.strip():
        lines += [_INDENT + line.rstrip() for line in _caret(problem)]
    if problem.hint:
        lines += [_INDENT + line for line in problem.hint.split("\n")]
    return "\n".join(lines)


def _caret(problem: Problem) -> tuple[str, str]:
    """The source line and the line with the caret, in terminal cells."""
    source, start = problem.source, max(problem.column - 1, 0)
    end = min(start + max(problem.width, 1), max(len(source), start + 1))
    before, marked, after = source[:start], source[start:end], source[end:]
    head, body, tail = _show(before[-_LOOK:]), _show(marked[:_LOOK]), _show(after[:_LOOK])
    if _cells(head) + _cells(body) + _cells(tail) > _WIDTH:
        head, body, tail = _trim(head, body, tail)
    underline = "^" + "~" * (_cells(body) - 1)
    return head + body + tail, " " * _cells(head) + underline


def _trim(head: str, body: str, tail: str) -> tuple[str, str, str]:
    """A window of the line around the caret; `…` stands for what is left out."""
    if _cells(head) > _MARGIN:
        head = "…" + _last(head, _MARGIN - 1)
    room = _WIDTH - _cells(head)
    if _cells(body) > room:
        return head, _first(body, room - 1) + "…", ""
    room -= _cells(body)
    if _cells(tail) > room:
        tail = _first(tail, room - 1) + "…" if room > 0 else ""
    return head, body, tail


def _show(text: str) -> str:
    """Text as one line that moves no cursor: a tab is four spaces, what cannot be shown `?`."""
    plain = text.replace("\ufeff", "").replace("\t", "    ")
    return "".join(c if c.isprintable() else "?" for c in plain)


def _cell(character: str) -> int:
    """How many terminal cells a character takes: 2 if wide, 0 if it combines."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cells(text: str) -> int:
    return sum(map(_cell, text))


def _first(text: str, cells: int) -> str:
    taken = 0
    for position, character in enumerate(text):
        taken += _cell(character)
        if taken > cells:
            return text[:position]
    return text


def _last(text: str, cells: int) -> str:
    taken = 0
    for position in range(len(text) - 1, -1, -1):
        taken += _cell(text[position])
        if taken > cells:
            return text[position + 1 :]
    return text
