"""Helpers: run folders with given content, small experiments with claims, an HTML reader."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from ldl.report.page import template_environment
from ldl.runs import RunFolder

VOID = {"img", "meta", "br", "hr", "input"}
LINE = """\
name: {name}
data: {{source: {{line: {{samples: 60}}}}}}
network: [linear]
optimizer: {{gd: 0.1}}
train: {{epochs: {epochs}}}
"""


def make_run(
    root: Path,
    results: Mapping[str, Any] | None = None,
    columns: Mapping[str, Sequence[float | None]] | None = None,
    name: str = "20261120T091502Z-hand-3f9a1c",
    status: str = "completed",
    best: Mapping[str, Any] | None = None,
) -> RunFolder:
    """A run folder with these results and this table of metrics."""
    folder = root / name
    folder.mkdir(parents=True)
    if results is not None:
        (folder / "results.json").write_text(json.dumps(results))
    if columns:
        rows = zip(*columns.values(), strict=True)
        lines = [",".join("" if v is None else repr(v) for v in row) for row in rows]
        (folder / "metrics.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")
    state = {"status": status, "reason": "all epochs are done", "seconds": 1.5, "best": best}
    (folder / "status.json").write_text(json.dumps({**state, "epoch": 3}))
    return RunFolder(folder)


def experiment(folder: Path, name: str, claim: str, epochs: int = 3, more: str = "") -> Path:
    """A file with a claim about a line through points."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    indented = "".join(f"  {line}\n" for line in claim.strip().splitlines())
    path.write_text(LINE.format(name=name, epochs=epochs) + more + f"claim:\n{indented}")
    return path


def macro(name: str, *args: Any, **kwargs: Any) -> str:
    """What a macro of macros.html renders."""
    return str(
        getattr(template_environment().get_template("macros.html").module, name)(*args, **kwargs)
    )


class Reader(HTMLParser):
    """Parses a page: every tag with its attributes, the text, the tags that stay open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        """The visible text."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every tag of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


def check_page(text: str) -> Reader:
    """The parsed page, checked: valid, accessible, and with a strict content security policy."""
    page = Reader(text)
    assert page.open == []
    metas = page.all("meta")
    policy = next(m["content"] for m in metas if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert page.all("html") == [{"lang": "en"}] and len(page.all("h1")) == 1
    assert all(image.get("alt") for image in page.all("img"))
    assert all(
        (image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img")
    )
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    for name, attributes in page.tags:
        assert "style" not in attributes, name
        assert not [key for key in attributes if key.startswith("on")], name
        link = attributes.get("href") or attributes.get("src") or ""
        assert link == "" or link.startswith(("#", "data:image/png")), (name, link)
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))
    return page
