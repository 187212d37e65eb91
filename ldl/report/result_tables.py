"""results.json and contingency matrices as tables."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ldl.errors import RunFolderError
from ldl.report.markup import Content, Safe, table, tag
from ldl.report.number_format import number, words

ASIDE: Final = ("part", "samples", "units", "notes")
LONGEST: Final = 12  # items of a list that is spelt out
LARGEST: Final = 40  # rows of a matrix that is spelt out


def results(found: Mapping[str, Any]) -> list[Safe]:
    """A section an evaluation: its figures, a table for each group of like ones, its notes."""
    return [evaluation(name, each) for name, each in found.items() if isinstance(each, dict)]


def evaluation(name: str, found: Mapping[str, Any]) -> Safe:
    """One evaluation of results.json."""
    told = {key: value for key, value in found.items() if key not in ASIDE}
    tables = {key: value for key, value in told.items() if _is_table(value)}
    rows = [[words(key), _value(value)] for key, value in _flat(told, tables)]
    part = found.get("part")
    samples = found.get("samples")
    where = f"on the {part} part" if part else ""
    if isinstance(samples, int):
        where += f", {number(samples)} samples"
    title = words(name.partition("-")[0]).capitalize()
    return tag(
        "section",
        tag("h3", title),
        tag("p", where, class_="soft") if where else None,
        tag(
            "div",
            table(f"{title}: figures", ("figure", "value"), rows, (1,)) if rows else None,
            [_group(key, value) for key, value in tables.items()],
            class_="beside",
        ),
        [tag("p", "Note: ", str(note), class_="soft") for note in found.get("notes") or ()],
        class_="evaluation",
    )


def _is_table(value: Any) -> bool:
    """Whether these are like figures of several things: one mapping of numbers a thing."""
    if not isinstance(value, dict) or len(value) < 2:
        return False
    rows = list(value.values())
    return all(
        isinstance(row, dict) and row and row.keys() == rows[0].keys() and not _nested(row)
        for row in rows
    )


def _nested(row: Mapping[str, Any]) -> bool:
    return any(isinstance(value, dict | list) for value in row.values())


def _group(name: str, found: Mapping[str, Mapping[str, Any]]) -> Safe:
    columns = list(next(iter(found.values())))
    cells = [even([row[column] for row in found.values()]) for column in columns]
    rows = [[key, *(column[i] for column in cells)] for i, key in enumerate(found)]
    head = ["", *map(words, columns)]
    return table(words(name).capitalize(), head, rows, range(1, len(head)))


def even(values: Sequence[Any]) -> list[str]:
    """The numbers of a column with as many places each, so that their points stand in line."""
    real = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    if len(real) < len(values) or all(value.is_integer() for value in real):
        return [number(value) for value in values]
    largest = max(map(abs, real))
    if not 0.01 <= largest < 10_000:
        return [number(value) for value in values]
    places = max(0, 3 - max(0, math.floor(math.log10(largest))) + (largest < 1.5))
    return [number(f"{value:.{places}f}") for value in real]


def _flat(tree: Mapping[str, Any], but: Mapping[str, Any], before: str = "") -> list[Any]:
    """(name, value) of all that is no table, nested names put together."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        name = f"{before} {key}".strip()
        if not before and key in but:
            continue
        if isinstance(value, dict):
            found += _flat(value, {}, name)
        else:
            found.append((name, value))
    return found


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return number(value)
    if len(value) > LONGEST or any(isinstance(item, dict | list) for item in value):
        return f"{len(value)} values"
    return ", ".join(map(number, value))


def matrix(path: Path) -> Safe | None:
    """A contingency matrix, the darker the more of its row; None where it is large.

    Raises RunFolderError where the file is no such matrix.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *lines = list(csv.reader(file))
        counts = [[int(cell) for cell in line[1:]] for line in lines]
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be shown: {error}") from error
    if len(lines) > LARGEST or len(head) > LARGEST + 1:
        return None
    rows, columns = (*head[0].split("\\"), "")[:2] if "\\" in head[0] else (head[0], "")
    body: list[list[Content]] = [
        [line[0], *(_cell(count, sum(row), line[0] == name) for count, name in _named(row, head))]
        for line, row in zip(lines, counts, strict=True)
    ]
    kind, _, part = path.stem.partition("-")
    caption = f"{words(kind).capitalize()}: rows {rows}, columns {columns}" + (
        f", {part} part" if part else ""
    )
    return _shaded(caption, head, body)


def _named(row: list[int], head: list[str]) -> list[tuple[int, str]]:
    return list(zip(row, head[1:], strict=True))


def _cell(count: int, total: int, hit: bool) -> Safe:
    share = count / total if total else 0.0
    kind = "zero" if count == 0 else f"h{1 + min(4, int(share * 5))}"
    return tag("td", str(count), class_=f"{kind} hit" if hit and count else kind)


def _shaded(caption: str, head: list[str], body: list[list[Content]]) -> Safe:
    columns = [tag("th", name, scope="col") for name in head]
    rows = [tag("tr", tag("th", row[0], scope="row"), row[1:]) for row in body]
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", columns)),
        tag("tbody", rows),
        class_="matrix",
    )
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)
