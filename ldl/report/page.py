"""The frame of every page: one file that fetches nothing and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from ldl import __version__
from ldl.report.markup import Content, Safe, join, tag


def page(title: str, *body: Content, contents: Content = None) -> str:
    """A whole page. Its policy lets only its own style and script through, both by their SHA-256.

    So a text that slipped through unescaped still could not run anything.
    """
    style, script = asset("page.css"), asset("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="generator", content=f"ldl {__version__}"),
        tag("title", title),
        tag("style", Safe(style)),
    )
    skip = tag("a", "To the content", href="#content", class_="skip")
    main = tag("main", *body, id="content")
    foot = tag("footer", tag("p", f"Made by ldl {__version__}; this file fetches nothing."))
    whole = tag("body", skip, contents, main, foot, tag("script", Safe(script)))
    return "<!doctype html>\n" + tag("html", head, "\n", whole, lang="en") + "\n"


@cache
def asset(name: str) -> str:
    """The text of a file in `assets`."""
    return (files("ldl.report") / "assets" / name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def badge(word: str) -> Safe:
    """A verdict or a status, told by its word and a sign, and by colour only besides."""
    sign = SIGNS.get(word, "·")
    mark = tag("span", sign, aria_hidden="true", class_="sign")
    return tag("span", mark, word, class_=f"badge {word.replace(' ', '-')}")


SIGNS = {
    "bettered": "▲",
    "met": "✓",
    "not met": "✗",
    "shortened": "◔",
    "not measured": "?",
    "not run": "○",
    "shown": "·",
    "completed": "✓",
    "running": "◔",
    "interrupted": "◔",
    "diverged": "✗",
    "failed": "✗",
}


def facts(pairs: list[tuple[str, Content]]) -> Safe:
    """Short facts as a list of terms."""
    items = [tag("div", tag("dt", name), tag("dd", join(value))) for name, value in pairs if value]
    return tag("dl", items, class_="facts") if items else Safe("")
