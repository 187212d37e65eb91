"""HTML built from Python: whatever is not `Safe` is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Final

VOID: Final = ("img", "input", "meta", "br", "hr", "line", "circle", "path", "rect")


class Safe(str):
    """Markup that may stand as it is."""

    __slots__ = ()


Content = str | Iterable["Content"] | None


def tag(name: str, /, *content: Content, **attributes: str | int | bool | None) -> Safe:
    """An element. `class_` is class, `data_x` is data-x; None and False leave an attribute out."""
    words = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        words.append(f" {key}" if value is True else f' {key}="{html.escape(str(value))}"')
    if name in VOID:
        return Safe("".join([*words, "/>"]))
    return Safe("".join([*words, ">", join(content), f"</{name}>"]))


def join(content: Content) -> Safe:
    """Several pieces one after the other, texts escaped."""
    if content is None:
        return Safe("")
    if isinstance(content, Safe):
        return content
    if isinstance(content, str):
        return Safe(html.escape(content, quote=False))
    return Safe("".join(map(join, content)))


def prose(text: str) -> Safe:
    """A text in which what stands between backticks is code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        return join(text)
    return join([tag("code", piece) if i % 2 else piece for i, piece in enumerate(pieces)])


def table(
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Content]],
    numbers: Sequence[int] = (),
    stacked: bool = False,
) -> Safe:
    """A table with a caption; the first cell of a row heads it; `numbers` are right-aligned.

    It scrolls by itself where it is wider than the page, also by keyboard; a `stacked` one puts
    the cells of a row below one another on a narrow page, where the roles keep it a table.
    """

    def role(name: str) -> str | None:
        return name if stacked else None

    def cell(i: int, content: Content) -> Safe:
        style = "number" if i in numbers else None
        if i == 0:
            return tag("th", content, scope="row", class_=style, role=role("rowheader"))
        label = columns[i] if stacked else None
        return tag("td", content, class_=style, role=role("cell"), data_label=label)

    head = [
        tag(
            "th",
            name,
            scope="col",
            role=role("columnheader"),
            class_="number" if i in numbers else None,
        )
        for i, name in enumerate(columns)
    ]
    body = [
        tag("tr", [cell(i, each) for i, each in enumerate(row)], role=role("row")) for row in rows
    ]
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", head, role=role("row")), role=role("rowgroup")),
        tag("tbody", body, role=role("rowgroup")),
        class_="stacked" if stacked else None,
        role=role("table"),
    )
    return tag("div", whole, class_="scroll", tabindex=0, role="region", aria_label=caption)


def details(summary: Content, *content: Content, open_: bool = False) -> Safe:
    """A part that is folded up."""
    return tag("details", tag("summary", summary), *content, open=open_)


def code(text: str, label: str) -> Safe:
    """Lines of code or configuration, as they stand."""
    return tag("pre", tag("code", text), tabindex=0, role="region", aria_label=label)
