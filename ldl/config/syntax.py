"""Explains the syntax errors of PyYAML's scanner and parser."""

from __future__ import annotations

import re
from typing import NamedTuple

import yaml


class SyntaxProblem(NamedTuple):
    """A syntax error; line and column count from 0, as PyYAML's do."""

    line: int
    column: int
    message: str
    hint: str = ""


_QUOTE = "put a text that begins with such a character in quotes"
_INDENT = "lines of one mapping or list begin in the same column"

_NO_KEY = "a key is missing before this `:`"
_CLOSER = re.compile(r"(?:<block end>|'<document start>'), but found '([]:},])'")

# (part of PyYAML's message, our message, hint, whether to point at the start of the construct)
_EXPLANATIONS: tuple[tuple[str, str, str, bool], ...] = (
    (r"found character '\t'", "a tab cannot indent", "use spaces", False),
    (
        "mapping values are not allowed here",
        "a `:` cannot stand here",
        "check the indentation here and the line above; a text that holds `: ` needs quotes",
        False,
    ),
    ("sequence entries are not allowed", "a list cannot begin here with `- `", _INDENT, False),
    ("mapping keys are not allowed here", "a key cannot stand here", _INDENT, False),
    ("could not find expected ':'", "a `:` is missing after this key", "write `key: value`", True),
    ("unexpected end of stream", "this quote is never closed", "", True),
    ("unexpected document separator", "this quote is never closed", "", True),
    (
        "unknown escape character",
        "unknown escape in a text in double quotes",
        "write `\\\\` for a backslash, or use single quotes",
        False,
    ),
    ("hexadecimal numbers", "a bad escape in a text in double quotes", "", False),
    ("expected <block end>", "this line does not fit the indentation above it", _INDENT, False),
    ("expected ',' or ']'", "expected `,` or `]`", "", False),
    ("expected ',' or '}'", "expected `,` or `}`", "", False),
    ("expected '<document start>'", "this does not belong to what stands above", _INDENT, False),
    ("expected alphabetic or numeric character", "a value cannot begin with this", _QUOTE, False),
    ("while scanning a directive", "a line cannot begin with `%`", _QUOTE, False),
    ("found undefined tag handle", "tags are not part of the language", "leave the tag out", False),
)


def explain(error: yaml.MarkedYAMLError, lines: list[str]) -> SyntaxProblem:
    """The position of the error, a message and a hint; `lines` is the text that was read."""
    problem = f"{error.context or ''} {error.problem or ''}"
    position, start = error.problem_mark or error.context_mark, error.context_mark
    if "but got '<stream end>'" in problem and start is not None:
        bracket = "[" if "']'" in problem else "{"
        return SyntaxProblem(start.line, start.column, f"this `{bracket}` is never closed")
    if position is None:
        return SyntaxProblem(0, 0, f"this is not YAML: {problem.strip()}")
    if "cannot start any token" in problem and r"'\t'" not in problem:
        character = problem.split("found character ")[1].split(" that")[0].strip("'\"")
        return SyntaxProblem(
            position.line, position.column, f"a value cannot begin with {character}", _QUOTE
        )
    if r"'\t'" in problem and lines[position.line][: position.column].strip():
        return SyntaxProblem(
            position.line, position.column, "a tab cannot stand here", "use spaces"
        )
    closer = _CLOSER.search(problem)
    if closer is not None:
        token = closer.group(1)
        message = _NO_KEY if token == ":" else f"this `{token}` does not belong here"
        return SyntaxProblem(position.line, position.column, message)
    if "expected the node content" in problem:
        return _missing_value(problem, position)
    for part, message, hint, at_start in _EXPLANATIONS:
        if part in problem:
            at = start if at_start and start is not None else position
            return SyntaxProblem(at.line, at.column, message, hint)
    return SyntaxProblem(
        position.line, position.column, f"this is not YAML: {error.problem or problem.strip()}"
    )


def _missing_value(problem: str, position: yaml.Mark) -> SyntaxProblem:
    if "'<stream end>'" in problem:
        return SyntaxProblem(
            position.line, position.column, "the text ends in the middle of a value"
        )
    token = problem.rsplit("but found ", 1)[-1].strip("'")
    if token == ":":
        return SyntaxProblem(position.line, position.column, _NO_KEY)
    return SyntaxProblem(
        position.line, position.column, f"a value is missing before this `{token}`"
    )
