"""The templates: every value is escaped, tables are explained, undefined names are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from ldl.report.page import template_environment

from .helpers import Reader, macro


@settings(deadline=None)
@given(st.text())
def test_every_text_is_escaped(text: str) -> None:
    """As content and as attribute: it is read back as it was, and it opens no tag."""
    template = template_environment().from_string('<p title="{{ text }}">{{ text }}</p>')
    page = Reader(template.render(text=text))
    assert [name for name, _ in page.tags] == ["p"]
    expected = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    assert "".join(page.words).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "") in (
        expected,
        expected.replace("\0", "\ufffd"),
    )


def test_an_undefined_name_is_an_error() -> None:
    """A misspelt name in a template fails instead of leaving a gap on the page."""
    with pytest.raises(UndefinedError, match="titel"):
        template_environment().from_string("{{ titel }}").render(title="x")


def test_table() -> None:
    """A caption, headings with their scope; a stacked one names each cell's column."""
    page = Reader(macro("table", "Cap", ("a", "b"), [["r", "1"]], numbers=(1,), stacked=True))
    assert [each.get("scope") for each in page.all("th")] == ["col", "col", "row"]
    assert page.all("td")[0]["data-label"] == "b" and "Cap" in page.text
    assert page.all("td")[0]["class"] == "number"
    assert page.all("div")[0]["tabindex"] == "0"


def test_facts_without_a_text_are_left_out() -> None:
    """And a list of none of them is empty."""
    page = Reader(macro("facts", [("a", "1"), ("b", ""), ("<c>", "<i>")]))
    assert page.text == "a 1 <c> <i>"
    assert macro("facts", [("a", "")]) == ""


def test_code_in_prose() -> None:
    """What stands between backticks is code; an odd backtick stands for itself."""
    assert macro("prose", "see `ldl <x>`.") == "see <code>ldl &lt;x&gt;</code>."
    assert macro("prose", "one ` alone") == "one ` alone"


def test_badges_have_a_sign_and_a_word() -> None:
    """The sign is hidden from screen readers; the class is the word without spaces."""
    page = Reader(macro("badge", "not reproduced"))
    assert page.text == "✗ not reproduced"
    assert [each["class"] for each in page.all("span")] == ["badge not-reproduced", "sign"]
