"""The files that a benchmark writes: `benchmarks/out/NAME.json`, `.md` and `.png`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.machine_info import machine_info

FOLDER = Path(__file__).parent / "out"


def write_results(name: str, content: dict[str, Any], text: str) -> None:
    """Write the measurements with a description of the machine, and the printed text."""
    FOLDER.mkdir(exist_ok=True)
    document = json.dumps({"machine": machine_info(), **content}, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(document + "\n", encoding="utf-8")
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")


def plot_path(name: str) -> Path:
    """The path of a plot."""
    FOLDER.mkdir(exist_ok=True)
    return FOLDER / f"{name}.png"
