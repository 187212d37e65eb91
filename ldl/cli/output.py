"""What is printed: results on stdout, the rest on stderr; JSON where a program reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ldl.errors import ConfigError, LdlError

if TYPE_CHECKING:
    from rich.console import Console


def console(stderr: bool = False) -> Console:
    """A console that keeps to plain text where there is no terminal."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=True)


def report(error: LdlError) -> None:
    """Say on stderr what went wrong."""
    if isinstance(error, ConfigError):
        from ldl.config import render

        print(render(error), file=sys.stderr)
    else:
        print(f"ldl: {error}", file=sys.stderr)


def say(*words: object) -> None:
    """A line for people, on stderr."""
    print(*words, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """JSON on stdout."""
    from ldl.runs.records import plain

    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()
) -> None:
    """A table on stdout; the columns numbered in `right` hold figures."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="right" if i in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    out = console()
    if not out.is_terminal:
        out.width = 500
    out.print(table)


def figure(value: Any) -> str:
    """A number as a person reads it: four digits that count."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def count(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}"


def size(bytes_: int) -> str:
    """Bytes in the unit that suits them."""
    value = float(bytes_)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds as 0.4 s, 12 s, 3 min 20 s or 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
