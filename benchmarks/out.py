"""Where a benchmark leaves what it found: `benchmarks/out/NAME.json`, `.md` and `.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

FOLDER = Path(__file__).parent / "out"


def write(name: str, content: dict[str, Any], text: str) -> None:
    """The figures with the machine they hold for, and the text that was printed."""
    FOLDER.mkdir(exist_ok=True)
    told = json.dumps({"machine": machine(), **content}, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(told + "\n", encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def picture(name: str) -> Path:
    """The path of a plot."""
    FOLDER.mkdir(exist_ok=True)
    return FOLDER / f"{name}.png"
