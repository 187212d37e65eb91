"""Tables of grids for `ldl runs`: a row per grid, or a row per trial of one grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldl.cli.output import (
    drop_constant_columns,
    format_exactly,
    format_number,
    log,
    print_csv,
    print_json,
    print_table,
    sort_key,
)
from ldl.errors import UsageError

if TYPE_CHECKING:
    from ldl.grid.grid_list import GridEntry

MAX_WIDTH = 60  # characters of a cell
FIELDS = ("number", "seed", "id", "status", "objective", "epochs", "seconds")
TEXT_FIELDS = ("status", "id")
SORT_SYNONYMS = {"started": "number", "name": "id", "epoch": "epochs"}  # the words for runs


def print_grids(grids: Sequence[GridEntry]) -> None:
    """Print a row per grid: status, objective, best setting."""
    from ldl.grid.labels import short_texts

    rows = []
    for grid in grids:
        winner = grid.results.winner if grid.results else None
        objective = grid.results.objective.name if grid.results else ""
        best, setting = "", grid.reason[:60]
        if winner is not None:
            deviation = "" if winner.sd is None else f" ± {format_number(winner.sd)}"
            best = f"{format_number(winner.mean)}{deviation}"
            values = winner.values.items()
            setting = ", ".join(f"{key}: {short_texts([value])[0]:.30}" for key, value in values)
        rows.append([grid.path.name, grid.status, objective, best, setting])
    print_table(["grid", "status", "objective", "best", "setting"], rows)


def print_trials(
    folder: Path, status: str | None, sort_by: str, reverse: bool, only_changed: bool, json: bool,
    csv: bool,
) -> None:  # fmt: skip
    """Print the trials of a grid with this status, sorted by a field or a varied key."""
    from ldl.grid.grid_list import trial_rows
    from ldl.grid.grid_results import read_results

    results = read_results(folder)
    trials = trial_rows(results, folder)
    trials = [trial for trial in trials if status in (None, trial["status"])]
    keys = [key for key in results.keys if any(key in trial["values"] for trial in trials)]
    _sort(trials, keys, results.objective.name, sort_by, reverse)
    if only_changed:
        values = {key: {repr(trial["values"].get(key)) for trial in trials} for key in keys}
        keys = [key for key in keys if len(values[key]) > 1]
        for trial in trials:
            trial["values"] = {k: v for k, v in trial["values"].items() if k in keys}
    if json:
        print_json(trials)
        return
    if not trials and not csv:
        log(f"no trial of {folder.name} matches")
        return
    columns, rows = _table(trials, keys, csv)
    if only_changed:
        columns, rows = drop_constant_columns(columns, rows)
    if csv:
        print_csv(columns, rows)
        return
    numbers = set(FIELDS).difference(TEXT_FIELDS)
    print_table(columns, rows, [i for i, name in enumerate(columns) if name in numbers])


def _sort(
    trials: list[dict[str, Any]], keys: list[str], objective: str, sort_by: str, reverse: bool
) -> None:
    """Sort by a field, the objective's name, or a varied key, whole or short.

    Raises UsageError for another word.
    """
    from ldl.config.suggest import spelling_hint
    from ldl.grid.trial_store import format_cell

    full_names = dict(zip(short_keys(keys), keys, strict=True))
    field = SORT_SYNONYMS.get(sort_by, sort_by)
    field = "objective" if field == objective else full_names.get(field, field)
    if field not in (*FIELDS, *keys):
        hint = spelling_hint(sort_by, {*FIELDS, *keys, *full_names}, "known")
        raise UsageError(f"no trial has {sort_by}; {hint}")

    def key(trial: dict[str, Any]) -> tuple[int, Any]:
        value = trial[field] if field in FIELDS else trial["values"].get(field)
        sortable = value is None or isinstance(value, int | float)
        return sort_key(value if sortable else format_cell(value), reverse)

    trials.sort(key=key)
    if reverse:
        trials.reverse()


def _table(
    trials: Sequence[dict[str, Any]], keys: Sequence[str], csv: bool
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: whole keys and exact values for CSV, else short keys, rounded values."""
    from ldl.grid.labels import table_cells
    from ldl.grid.trial_store import format_cell

    settings = [trial["values"] for trial in trials]
    if csv:
        cells = [[format_cell(s[key]) if key in s else "" for key in keys] for s in settings]
    else:
        cells = table_cells(settings, keys, MAX_WIDTH)
        keys = short_keys(keys)
    format_field = format_exactly if csv else format_number
    columns = ["number", "seed", *keys, "objective", "status", "epochs", "seconds", "id"]
    rows = []
    for trial, values in zip(trials, cells, strict=True):
        fields = [format_field(trial[name]) for name in columns[-5:-1]]
        rows.append([str(trial["number"]), str(trial["seed"]), *values, *fields, trial["id"]])
    return columns, rows


def short_keys(keys: Sequence[str]) -> list[str]:
    """The shortest end of each dotted key that no other key has and that is not a number."""
    short = []
    for key in keys:
        parts = key.split(".")
        ends = (".".join(parts[-n:]) for n in range(1, len(parts) + 1))
        others = [f".{other}" for other in keys if other != key]
        unique = (
            end
            for end in ends
            if not end[0].isdigit() and not any(other.endswith(f".{end}") for other in others)
        )
        short.append(next(unique, key))
    return short
