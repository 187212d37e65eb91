"""What is printed: results on stdout, the rest on stderr; JSON where a program reads."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING, Any

from ldl.errors import ConfigError, Diverged, LdlError

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
    folder = getattr(error, "folder", None)
    if folder is not None:
        print(f"the run so far: {folder}", file=sys.stderr)
        if not isinstance(error, Diverged):
            print(f"go on with: ldl resume {quote(str(folder))}", file=sys.stderr)
    if "--json" in sys.argv:
        print_json(_as_data(error, folder))


def _as_data(error: LdlError, folder: str | None) -> dict[str, Any]:
    """The error for a program that asked for JSON."""
    problems = error.problems if isinstance(error, ConfigError) else ()
    return {"error": str(error), "run": folder, "problems": [asdict(each) for each in problems]}


def say(*words: object) -> None:
    """A line for people, on stderr; lost where nobody reads it."""
    with contextlib.suppress(BrokenPipeError):
        print(*words, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """JSON on stdout."""
    from ldl.runs.json_files import to_json_types

    print(json.dumps(to_json_types(value), indent=2, ensure_ascii=False))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()
) -> None:
    """A table on stdout, a line a row, nothing cut off; columns numbered in `right` hold figures.

    Cells are padded to the width that they take on a screen.
    """
    from rich.cells import cell_len

    lines = [list(columns), *(list(row) for row in rows)]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(columns))]
    for number, line in enumerate(lines):
        cells = []
        for i, (cell, width) in enumerate(zip(line, widths, strict=True)):
            pad = " " * (width - cell_len(cell))
            cells.append(pad + cell if i in right else cell + pad)
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("─" * width for width in widths))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout, for programs."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def without_equal(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """The table with the columns alone in which its rows differ, and the first."""
    kept = [i for i in range(len(columns)) if not i or len({row[i] for row in rows}) > 1]
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]


def sort_key(value: Any, reverse: bool) -> tuple[int, Any]:
    """Numbers first, then texts; what has no value stands last, whichever way."""
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (-1 if reverse else 2, 0)


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


def print_results(results: dict[str, Any]) -> None:
    """Each evaluation's main figures, a line each; of those without such, the first few."""
    from ldl.runs.run_list import flatten

    for name, values in results.items():
        samples = f", {values['samples']:,} samples" if "samples" in values else ""
        whole = name.startswith(WHOLE)
        print(f"{name}{'' if whole else ' on the ' + values['part'] + ' part'}{samples}")
        shown = {key: value for key, value in values.items() if key in SHOWN and _flat(value)}
        rest = {key: value for key, value in values.items() if key not in ASIDE}
        found = list(flatten(shown)) if shown else []
        few = [] if shown else [each for each in flatten(rest) if isinstance(each[1], int | float)]
        for key, value in found or few[:FEW]:
            print(f"  {key:<28} {figure(value)}")
        if few[FEW:]:
            print(f"  and {len(few) - FEW} more in results.json")
        for note in values.get("notes", []):
            print(f"  note: {note}")


def _flat(value: Any) -> bool:
    """Whether a figure is short enough to print: a value, or one for each of a few names."""
    return not isinstance(value, dict) or not any(isinstance(v, dict) for v in value.values())


FEW = 8
WHOLE = ("folds", "by_hand", "filters")  # what looks at no part of its own
ASIDE = ("part", "samples", "notes", "units", "levels", "features")
SHOWN = (
    "accuracy", "train_accuracy", "log_loss", "macro", "r2", "mae", "rmse", "max_error", "mse",
    "kl_divergence", "rate", "purity", "nmi", "ari",
)  # fmt: skip
