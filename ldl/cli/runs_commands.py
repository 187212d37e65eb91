"""`ldl runs` and `ldl show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ldl.cli.app import JsonOption, RunArgument, RunsOption, command
from ldl.cli.output import (
    duration,
    figure,
    print_csv,
    print_json,
    print_results,
    print_table,
    say,
    sort_key,
    without_equal,
)
from ldl.errors import UsageError

if TYPE_CHECKING:
    from ldl.runs import RunFolder
    from ldl.runs.comparison import RunComparison
    from ldl.runs.run_list import RunSummary

Status = Literal[
    "running", "completed", "interrupted", "diverged", "failed", "unreadable",
    "killed", "timeout", "memory", "waiting",
]  # fmt: skip


@command("ldl runs --sort-by validation_loss --status completed; ldl runs A B --html page.html")
def runs(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN", help="Runs to compare, or a grid, to list its trials; else all."
        ),
    ] = None,
    runs: RunsOption = None,
    status: Annotated[Status | None, typer.Option(help="Only runs with this status.")] = None,
    name: Annotated[str | None, typer.Option(help="Only runs with this in their name.")] = None,
    sort_by: Annotated[
        str, typer.Option(help="started, name, epoch, seconds, or a figure such as accuracy.")
    ] = "started",
    reverse: Annotated[bool, typer.Option(help="The other way round: largest first.")] = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the comparison as a page.")
    ] = None,
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Only columns in which the rows differ.")
    ] = False,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for programs.")] = False,
) -> None:
    """List runs and grids, or a grid's trials, or compare runs: where they differ, what came out.

    A comparison and the trials of a grid are tables of what differs; a list says all.
    """
    from ldl.cli.grid_table import print_grids, show_trials
    from ldl.grid.grid_list import find_grid, list_grids
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run, list_runs

    root = runs_root(runs)
    if html is not None and not names:
        raise UsageError("--html needs the runs to compare: ldl runs A B --html FILE")
    if json and csv:
        raise UsageError("--json or --csv, not both")
    if names and len(names) == 1 and (grid := find_grid(root, names[0])) is not None:
        show_trials(grid, status, sort_by, reverse, only_changed, json, csv)
        return
    if names:
        if status or name or reverse or sort_by != "started":
            message = (
                "runs that are compared stand as they are named: no --status, --name or sorting"
            )
            raise UsageError(message)
        compare([find_run(root, each) for each in names], json, html, csv)
        return
    everything = list_runs(root)
    found = [run for run in everything if status in (None, run.status)]
    found = [run for run in found if name is None or name in run.name]
    grids = list_grids(root) if status is None else []
    grids = [grid for grid in grids if name is None or name in grid.path.name]
    known = {key for run in found for key in _values(run)}
    if found and sort_by not in known:
        raise UsageError(f"no run has {sort_by}: {_sort_advice(sort_by, known)}")
    found.sort(key=lambda run: sort_key(_values(run).get(sort_by), reverse))
    if reverse:
        found.reverse()
    if json:
        print_json([*map(_plain, found), *(grid.to_dict() for grid in grids)])
    elif csv:
        _print_csv(found, only_changed)
    elif not found and not grids:
        kept = len(everything) + len(list_grids(root))
        say(f"none of {kept} runs and grids fits" if kept else f"no runs in {root}")
    else:
        if found:
            _print_runs(found, only_changed)
        if grids:
            print_grids(grids)


COLUMNS = ("run", "status", "epochs", "seconds", "train loss", "validation loss", "result")
RIGHT = COLUMNS[2:6]


def _print_runs(found: list[RunSummary], only_changed: bool) -> None:
    columns, rows = list(COLUMNS), [_row(run) for run in found]
    if only_changed:
        columns, rows = without_equal(columns, rows)
    print_table(columns, rows, right=[i for i, name in enumerate(columns) if name in RIGHT])


def _print_csv(found: list[RunSummary], only_changed: bool) -> None:
    """A row a run: all figures that any of them has."""
    own = ["name", "status", "started"]
    figures = [
        {"epoch": run.epoch, **run.last, "seconds": run.seconds, **run.results} for run in found
    ]
    columns = [*own, *dict.fromkeys(key for each in figures for key in each)]
    rows = []
    for run, each in zip(found, figures, strict=True):
        told = {"name": run.name, "status": run.status, "started": run.started, **each}
        rows.append(["" if told.get(key) is None else str(told[key]) for key in columns])
    print_csv(*(without_equal(columns, rows) if only_changed else (columns, rows)))


def _values(run: RunSummary) -> dict[str, Any]:
    """Everything that runs can be sorted by."""
    results = {key.rsplit(".", 1)[-1]: value for key, value in run.results.items()}
    own = {"started": run.started, "name": run.name, "epoch": run.epoch, "seconds": run.seconds}
    return {**results, **run.last, **run.results, **own}


def _sort_advice(wanted: str, known: set[str]) -> str:
    """The nearest figure, or those that there are, without the long names of the same ones."""
    from ldl.config.suggest import spelling_hint

    return spelling_hint(wanted, {key for key in known if "." not in key}, "known")


def _row(run: RunSummary) -> list[str]:
    """A run in a line."""
    main = next(((k, run.results[k]) for k in run.results if k.split(".")[-1] in MAIN), None)
    result = f"{main[0]} {figure(main[1])}" if main else run.reason[:60]
    losses = [figure(run.last.get(name)) for name in ("train_loss", "validation_loss")]
    return [run.name, run.status, figure(run.epoch), f"{run.seconds:.1f}", *losses, result]


MAIN = ("accuracy", "r2", "denoised", "mse")


def _plain(run: RunSummary) -> dict[str, Any]:
    return {
        "run": str(run.path),
        "status": run.status,
        "reason": run.reason,
        "started": run.started,
        "seconds": run.seconds,
        "epoch": run.epoch,
        "best": dict(run.best),
        "last": run.last,
        "results": run.results,
    }


def compare(folders: list[Any], json: bool, html: str | None = None, csv: bool = False) -> None:
    """Runs side by side."""
    from ldl.config import read
    from ldl.runs.comparison import compare_runs as side_by_side

    def settings(path: Path) -> dict[str, Any]:
        tree: dict[str, Any] = _plain_tree(read(path).tree)
        return {key: value for key, value in tree.items() if key != "claim"}

    found = side_by_side(folders, settings)
    if html is not None:
        _write_page(found, folders, Path(html))
    if json:
        print_json(
            {
                "runs": [run.name for run in found.runs],
                "settings": {k: list(v) for k, v in found.settings.items()},
                "results": {k: list(v) for k, v in found.results.items()},
            }
        )
        return
    columns = ["", *(run.name for run in found.runs)]
    shown = _exact if csv else figure
    rows = [["status", *(run.status for run in found.runs)]]
    rows += [[key, *map(shown, values)] for key, values in found.settings.items()]
    rows += [[key, *map(shown, values)] for key, values in found.results.items() if _told(key)]
    if csv:
        print_csv(columns, rows)
    else:
        print_table(columns, rows, right=range(1, len(columns)))


def _exact(value: Any) -> str:
    """A value for programs: every digit, nothing where there is none."""
    return "" if value is None else str(value)


def _write_page(found: RunComparison, folders: list[RunFolder], path: Path) -> None:
    """The comparison as a page; where it lies is said on stderr."""
    from ldl.report.comparison_page import comparison_page
    from ldl.runs import write_text

    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    write_text(path, comparison_page(found, folders))
    say(f"page: {path}")


def _plain_tree(tree: Any) -> Any:
    """A configuration as mappings, lists and values."""
    if isinstance(tree.value, dict):
        return {key: _plain_tree(value) for key, value in tree.value.items()}
    if isinstance(tree.value, list):
        return [_plain_tree(value) for value in tree.value]
    return tree.value


def _told(key: str) -> bool:
    """Results worth a row: not the notes, the units and each class's own figures."""
    return not any(word in key.split(".") for word in ("notes", "units", "classes", "samples"))


@command("ldl show last")
def show(run: RunArgument, runs: RunsOption = None, json: JsonOption = False) -> None:
    """What a run is, how it went, what came out, and which files it left."""
    from ldl.runs import read_json, read_metrics, runs_root
    from ldl.runs.run_list import find_run

    folder = find_run(runs_root(runs), run)
    status = folder.read_status()
    results = read_json(folder.results) if folder.results.exists() else {}
    rows = read_metrics(folder.metrics) if folder.metrics.exists() else []
    if json:
        last = rows[-1] if rows else {}
        print_json(
            {
                "run": str(folder.path),
                **status.to_dict(),
                "seconds": folder.running_seconds(),
                "last": last,
                "results": results,
            }
        )
        return
    print(folder.path)
    print(f"{status.status}: {status.reason}" if status.reason else status.status)
    print(f"started {status.started}, {duration(folder.running_seconds())} of training and judging")
    for line in _settings(folder.config, folder.overrides):
        print(line)
    if status.best:
        print("best: " + ", ".join(f"{k} {figure(v)}" for k, v in status.best.items()))
    if rows:
        print("last: " + ", ".join(f"{k} {figure(v)}" for k, v in rows[-1].items()))
    print_results(results)
    print("files:")
    for path in sorted(folder.path.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            print(f"  {path.relative_to(folder.path)}  {_bytes(path)}")


def _settings(config: Path, overrides: Path) -> list[str]:
    """What was trained: the sections that say most, in short, and the overrides."""
    from ldl.config import read
    from ldl.config.emit import flow

    tree = _plain_tree(read(config).tree) if config.exists() else {}
    chosen = {"data": (tree.get("data") or {}).get("source"), "optimizer": tree.get("optimizer")}
    lines = [f"{name}: {flow(value)}" for name, value in chosen.items() if value is not None]
    changed = overrides.read_text(encoding="utf-8").strip() if overrides.exists() else "[]"
    if changed != "[]":
        items = (line.removeprefix("- ") for line in changed.split("\n"))
        lines.append(f"changed: {', '.join(items)}")
    return lines


def _bytes(path: Path) -> str:
    from ldl.cli.output import size

    return size(path.stat().st_size)
