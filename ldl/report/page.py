"""Rendering of pages: Jinja2 templates with autoescape, in one file that fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from ldl import __version__
from ldl.control_characters import escape_controls

if TYPE_CHECKING:
    from jinja2 import Environment

SIGNS: Final = {  # beside a verdict or a status, so that its colour is not needed to read it
    "exceeded": "▲",
    "reproduced": "✓",
    "consistent with": "≈",
    "not reproduced": "✗",
    "refuted": "↯",
    "shortened": "◔",
    "not measured": "?",
    "not run": "○",
    "not judged": "·",
    "completed": "✓",
    "running": "◔",
    "interrupted": "◔",
    "diverged": "✗",
    "failed": "✗",
}


def render_page(template: str, **values: Any) -> str:
    """The page of a template in `templates`, which sees `values`.

    Its content security policy allows the style sheet and the script of the package alone, both
    by their SHA-256: text that slipped through unescaped could still not run anything.
    """
    from markupsafe import Markup

    style, script = asset("page.css"), asset("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_sha256(style)}'; "
        f"script-src '{_sha256(script)}'; base-uri 'none'; form-action 'none'"
    )
    frame = {"style": Markup(style), "script": Markup(script), "policy": policy}
    return escape_controls(template_environment().get_template(template).render(**frame, **values))


@cache
def template_environment() -> Environment:
    """The environment of all templates: it escapes every value, and refuses undefined names."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    from ldl.report.number_format import format_duration, format_number

    environment = Environment(
        loader=FunctionLoader(template_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"version": __version__, "signs": SIGNS}
    environment.filters |= {"number": format_number, "duration": format_duration}
    return environment


def asset(name: str) -> str:
    """The text of a file in `assets`."""
    return _package_text("assets", name)


def template_text(name: str) -> str:
    """The text of a file in `templates`."""
    return _package_text("templates", name)


@cache
def _package_text(folder: str, name: str) -> str:
    return (files("ldl.report") / folder / name).read_text("utf-8")


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
