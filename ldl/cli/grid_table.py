"""What `ldl runs` says of grids: each in a line, and the trials of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldl.cli.output import (
    figure,
    print_csv,
    print_json,
    print_table,
    say,
    sort_key,
    without_equal,
)
from ldl.errors import UsageError

if TYPE_CHECKING:
    from ldl.grid.grid_list import GridEntry

LONG = 60  # letters of a value in a table
OWN = ("number", "seed", "id", "status", "objective", "epochs", "seconds")


def print_grids(grids: Sequence[GridEntry]) -> None:
    """A line a grid: how it stands, and its best setting."""
    from ldl.grid.labels import short_texts

    rows = []
    for each in grids:
        found = each.results
        winner = found.winner if found else None
        name, best = (found.objective.name if found else ""), ""
        if winner is not None:
            spread = "" if winner.sd is None else f" ± {figure(winner.sd)}"
            best = f"{figure(winner.mean)}{spread}"
        values = winner.values if winner else {}
        setting = ", ".join(
            f"{key}: {short_texts([value])[0]:.30}" for key, value in values.items()
        )
        setting = setting if winner else each.reason[:60]
        rows.append([each.path.name, each.status, name, best, setting])
    print_table(["grid", "status", "objective", "best", "setting"], rows)


def show_trials(
    folder: Path, status: str | None, sort_by: str, reverse: bool, only_changed: bool, json: bool,
    csv: bool,
) -> None:  # fmt: skip
    """The trials of a grid, in the plan's order or by a column or a varied key."""
    from ldl.cli.grid_progress import short_keys
    from ldl.config.suggest import spelling_hint
    from ldl.grid.grid_list import trial_rows
    from ldl.grid.grid_results import read_results
    from ldl.grid.labels import table_cells
    from ldl.grid.trial_store import format_cell

    results = read_results(folder)
    found = [each for each in trial_rows(results, folder) if status in (None, each["status"])]
    keys = [key for key in results.keys if any(key in each["values"] for each in found)]
    names = dict(zip(short_keys(keys), keys, strict=True))
    by = {"started": "number", "name": "id", "epoch": "epochs"}.get(sort_by, sort_by)
    by = "objective" if by == results.objective.name else names.get(by, by)
    if by not in (*OWN, *keys):
        known = {*OWN, *keys, *names}
        raise UsageError(f"no trial has {sort_by}: {spelling_hint(by, known, 'known')}")

    def place(each: dict[str, Any]) -> tuple[int, Any]:
        value = each[by] if by in OWN else each["values"].get(by)
        text = value if value is None or isinstance(value, int | float) else format_cell(value)
        return sort_key(text, reverse)

    found.sort(key=place)
    if reverse:
        found.reverse()
    if only_changed:
        keys = [key for key in keys if len({repr(each["values"].get(key)) for each in found}) > 1]
        for each in found:
            each["values"] = {key: v for key, v in each["values"].items() if key in keys}
    if json:
        print_json(found)
        return
    if not found and not csv:
        say(f"no trial of {folder.name} fits")
        return
    head = ["number", "seed", *(keys if csv else short_keys(keys)), "objective", "status", "epochs"]
    columns, rows = [*head, "seconds", "id"], []
    shown = table_cells([each["values"] for each in found], keys, LONG)
    for each, values in zip(found, shown, strict=True):
        if csv:
            values = [
                format_cell(each["values"][key]) if key in each["values"] else "" for key in keys
            ]
        told = [each["objective"], each["status"], each["epochs"], each["seconds"]]
        plain = [("" if value is None else str(value)) if csv else figure(value) for value in told]
        rows.append([str(each["number"]), str(each["seed"]), *values, *plain, each["id"]])
    if only_changed:
        columns, rows = without_equal(columns, rows)
    if csv:
        print_csv(columns, rows)
        return
    right = [i for i, name in enumerate(columns) if name in OWN and name not in ("status", "id")]
    print_table(columns, rows, right)
