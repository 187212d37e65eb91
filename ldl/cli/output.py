"""Output of the commands: results on stdout, messages on stderr, JSON and CSV for programs."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from shlex import quote
from typing import TYPE_CHECKING, Any

from ldl.control_characters import escape_controls
from ldl.errors import ConfigError, Diverged, Interrupted, LdlError, Problem

if TYPE_CHECKING:
    from rich.console import Console

    from ldl.execute import PreparedExperiment
    from ldl.runs import RunFolder

MAX_RESULTS = 8  # printed of an evaluation that has none of MAIN_RESULTS
WITHOUT_SPLIT = ("folds", "by_hand", "filters")  # evaluations that do not read a single split
NOT_RESULTS = ("part", "samples", "notes", "units", "levels", "features")
MAIN_RESULTS = (
    "accuracy", "train_accuracy", "log_loss", "macro", "r2", "mae", "rmse", "max_error", "mse",
    "kl_divergence", "rate", "purity", "nmi", "ari", "silhouette",
)  # fmt: skip


# --- messages on stderr ----------------------------------------------------------------------


def console(stderr: bool = False) -> Console:
    """A rich console that writes plain text where the stream is not a terminal.

    It writes to the stream itself: callers escape the control characters of what they print.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    file = getattr(stream, "rich_proxied_file", stream)
    return Console(file=file, highlight=False, soft_wrap=True)


def log(*words: object) -> None:
    """Print one line on stderr; a closed pipe is ignored."""
    with contextlib.suppress(BrokenPipeError):
        print(*(escape_controls(str(word)) for word in words), file=sys.stderr, flush=True)


def print_error(error: LdlError | Interrupted) -> None:
    """Print an error on stderr, and with `--json` as JSON on stdout too."""
    if isinstance(error, ConfigError):
        from ldl.config import render

        print(render(error), file=sys.stderr)
    else:
        print(f"ldl: {error}", file=sys.stderr)
    folder = error.folder
    if folder is not None:
        print(f"the run so far: {folder}", file=sys.stderr)
        if not isinstance(error, Diverged):
            print(f"continue it with: ldl resume {quote(str(folder))}", file=sys.stderr)
    if "--json" in sys.argv:
        problems = error.problems if isinstance(error, ConfigError) else ()
        # `advice` is the former key of the hint, which scripts may read.
        listed = [{**asdict(problem), "advice": problem.hint} for problem in problems]
        print_json({"error": str(error), "run": folder, "problems": listed})


def print_notes(prepared: PreparedExperiment) -> None:
    """Print on stderr what a valid configuration probably does not intend, with its position."""
    from ldl.compile import config_warnings

    print_warnings(prepared.loaded.warnings)
    for path, message in config_warnings(prepared.experiment):
        mark = prepared.loaded.mark(path)
        log(f"{mark.file}:{mark.line}:{mark.column}: note: {message}")


def print_warnings(warnings: Iterable[Problem]) -> None:
    """Print notes on a configuration on stderr, with their positions."""
    for warning in warnings:
        log(f"{warning.location}: note: {warning.message}")


# --- results on stdout -----------------------------------------------------------------------


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout."""
    from ldl.runs.json_files import to_json_types

    print(json.dumps(to_json_types(value), indent=2, ensure_ascii=False))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()
) -> None:
    """Print a table on stdout, one line per row; no cell is truncated.

    The columns with indices in `right` are right-aligned. Cells are padded to the width that
    they take on a screen, which differs from the number of characters for wide scripts.
    """
    from rich.cells import cell_len

    table = [columns, *rows]
    lines = [[escape_controls(cell).replace("\n", "\\n") for cell in line] for line in table]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(columns))]
    for number, line in enumerate(lines):
        cells = []
        for i, (cell, width) in enumerate(zip(line, widths, strict=True)):
            padding = " " * (width - cell_len(cell))
            cells.append(padding + cell if i in right else cell + padding)
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("─" * width for width in widths))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table as CSV on stdout."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def drop_constant_columns(
    columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """The table without the columns whose value is the same in all rows; the first one stays."""
    kept = [i for i in range(len(columns)) if not i or len({row[i] for row in rows}) > 1]
    return [columns[i] for i in kept], [[row[i] for i in kept] for row in rows]


def sort_key(value: Any, reverse: bool) -> tuple[int, Any]:
    """A key that sorts numbers before texts and missing values last, also in reverse order."""
    if isinstance(value, int | float):
        return 0, value
    return (1, value) if isinstance(value, str) else (-1 if reverse else 2, 0)


def weights_lines(best: Mapping[str, Any] | None, results: Mapping[str, Any]) -> list[str]:
    """Lines on the best epoch, and on the average of weights if it is kept, with their metrics."""
    from ldl.runs.status import kept_average

    def join(metrics: Mapping[str, Any]) -> str:
        return ", ".join(f"{name} {format_number(value)}" for name, value in metrics.items())

    kept = kept_average(best, results)
    if kept is None:
        return [f"best: {join(best)}"] if best else []
    trained = {k: v for k, v in (best or {}).items() if k not in ("kept_epoch", "kept_average")}
    return [
        f"best: {join(trained)}, of the weights before averaging",
        ", ".join(filter(None, [f"kept: {kept[0]}", join(kept[1])])),
    ]


def print_results(results: dict[str, Any]) -> None:
    """Print the main metrics of each evaluation, one per line; without such, the first few."""
    from ldl.runs.run_list import flatten

    for name, values in results.items():
        samples = f", {values['samples']:,} samples" if values.get("samples") else ""
        split = f" on the {values['part']} split" if values.get("part") else ""
        split = "" if name.startswith(WITHOUT_SPLIT) else split
        print(f"{name}{split}{samples}")
        main = {k: v for k, v in values.items() if k in MAIN_RESULTS and _is_short(v)}
        shown = list(flatten(main)) if main else []
        omitted = 0
        if not shown:
            metrics = {key: value for key, value in values.items() if key not in NOT_RESULTS}
            numbers = [leaf for leaf in flatten(metrics) if isinstance(leaf[1], int | float)]
            shown, omitted = numbers[:MAX_RESULTS], len(numbers[MAX_RESULTS:])
        for key, value in shown:
            print(f"  {key:<28} {format_number(value)}")
        if omitted:
            print(f"  and {omitted} more in results.json")
        for note in values.get("notes") or []:
            print(f"  note: {note}")


def print_evaluation_count(run: RunFolder) -> None:
    """Print how often the test samples of a run were evaluated, if they were."""
    from ldl.runs.evaluation_counts import count_evaluations, count_text

    if count := count_evaluations(run):
        print(f"test samples: {count_text(count)}")


def _is_short(value: Any) -> bool:
    """Whether a result is a value or a mapping of names to values, without further nesting."""
    return not isinstance(value, dict) or not any(isinstance(v, dict) for v in value.values())


# --- numbers as text -------------------------------------------------------------------------


def format_number(value: Any) -> str:
    """A number with four significant digits; an integer and a text unchanged; – for None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def format_exactly(value: Any) -> str:
    """A value with every digit; an empty text for None."""
    return "" if value is None else str(value)


def format_bytes(count: int) -> str:
    """A number of bytes in B, kB, MB or GB (powers of 1000)."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def format_duration(seconds: float) -> str:
    """Seconds as 0.4 s, 12 s, 3 min 20 s or 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
