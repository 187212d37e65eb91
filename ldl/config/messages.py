"""Problems as text: `FILE:LINE:COL: message`, the source line, a caret, a hint."""

from __future__ import annotations

import unicodedata

from ldl.errors import ConfigError, Problem

_WIDTH = 96
_MARGIN = 30
_MEASURED = 4 * _WIDTH  # of a line, which may be a megabyte long
_INDENT = "  "


def render(error: ConfigError, limit: int = 20) -> str:
    """The problems of the error as text, at most `limit` of them."""
    shown = [render_problem(problem) for problem in error.problems[:limit]]
    if len(error.problems) > limit:
        more = len(error.problems) - limit
        shown.append(f"… and {more} more problem{'s' if more > 1 else ''}; `--json` lists all")
    return "\n".join(shown)


def render_problem(problem: Problem) -> str:
    """One problem: its location and message, the source line with a caret under it, the hint."""
    location = problem.location
    lines = [f"{location}: {problem.message}" if location else problem.message]
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
    head, body, tail = (
        _show(before[-_MEASURED:]),
        _show(marked[:_MEASURED]),
        _show(after[:_MEASURED]),
    )
    if _cells(head) + _cells(body) + _cells(tail) > _WIDTH:
        head, body, tail = _trim(head, body, tail)
    underline = "^" + "~" * (_cells(body) - 1)
    return head + body + tail, " " * _cells(head) + underline


def _trim(head: str, body: str, tail: str) -> tuple[str, str, str]:
    """The part of the line around the caret; `…` stands for what is cut off."""
    if _cells(head) > _MARGIN:
        head = "…" + _last(head, _MARGIN - 1)
    space = _WIDTH - _cells(head)
    if _cells(body) > space:
        return head, _first(body, space - 1) + "…", ""
    space -= _cells(body)
    if _cells(tail) > space:
        tail = _first(tail, space - 1) + "…" if space > 0 else ""
    return head, body, tail


def _show(text: str) -> str:
    """Text that moves no cursor: a tab becomes four spaces, an unprintable character `?`."""
    clean = text.replace("\ufeff", "").replace("\t", "    ")
    return "".join(c if c.isprintable() else "?" for c in clean)


def _cell(character: str) -> int:
    """The terminal cells that a character takes: 2 if wide, 0 if combining."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cells(text: str) -> int:
    """The terminal cells that a text takes."""
    return sum(map(_cell, text))


def _first(text: str, cells: int) -> str:
    """The beginning of the text that fits into so many cells."""
    width = 0
    for position, character in enumerate(text):
        width += _cell(character)
        if width > cells:
            return text[:position]
    return text


def _last(text: str, cells: int) -> str:
    """The end of the text that fits into so many cells."""
    width = 0
    for position in range(len(text) - 1, -1, -1):
        width += _cell(text[position])
        if width > cells:
            return text[position + 1 :]
    return text
