"""The commands `ldl runs` and `ldl show`."""

from __future__ import annotations

from pathlib import Path
from stat import S_ISREG
from typing import Annotated, Any, Literal

import typer

from ldl.cli.app import JsonOption, RunArgument, RunsOption, command
from ldl.cli.output import (
    format_bytes,
    format_duration,
    format_number,
    log,
    print_evaluation_count,
    print_json,
    print_results,
    sort_key,
    weights_lines,
)
from ldl.errors import UsageError

Status = Literal[
    "running", "completed", "interrupted", "diverged", "failed", "unreadable",
    "killed", "timeout", "memory", "system", "waiting",
]  # fmt: skip


@command("ldl runs --sort-by validation_loss --status completed; ldl runs A B --html page.html")
def runs(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN", help="Runs to compare, or one grid, to list its trials; default: all."
        ),
    ] = None,
    runs: RunsOption = None,
    status: Annotated[Status | None, typer.Option(help="Only runs with this status.")] = None,
    name: Annotated[str | None, typer.Option(help="Only runs whose name contains this.")] = None,
    sort_by: Annotated[
        str, typer.Option(help="started, name, epoch, seconds, or a metric such as accuracy.")
    ] = "started",
    reverse: Annotated[bool, typer.Option(help="Descending order: largest first.")] = False,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the comparison as an HTML page.")
    ] = None,
    only_changed: Annotated[
        bool, typer.Option("--only-changed", help="Only columns in which the rows differ.")
    ] = False,
    json: JsonOption = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for programs.")] = False,
) -> None:
    """List runs and grids, list the trials of a grid, or compare the runs named.

    A comparison shows the settings that differ and all results.
    """
    from ldl.cli.grid_table import print_trials
    from ldl.cli.run_table import print_comparison
    from ldl.grid.grid_list import find_grid
    from ldl.runs import runs_root
    from ldl.runs.run_list import find_run

    root = runs_root(runs)
    if html is not None and not names:
        raise UsageError("--html needs the runs to compare: ldl runs A B --html FILE")
    if json and csv:
        raise UsageError("--json or --csv, not both")
    if not names:
        _list(root, status, name, sort_by, reverse, only_changed, json, csv)
    elif len(names) == 1 and (grid := find_grid(root, names[0])) is not None:
        print_trials(grid, status, sort_by, reverse, only_changed, json, csv)
    elif status or name or reverse or sort_by != "started":
        message = "a comparison keeps the order in which its runs are named"
        raise UsageError(f"{message}: no --status, --name, --sort-by or --reverse")
    else:
        print_comparison([find_run(root, run) for run in names], json, html, csv)


def _list(
    root: Path, status: str | None, name: str | None, sort_by: str, reverse: bool,
    only_changed: bool, json: bool, csv: bool,
) -> None:  # fmt: skip
    """Print all runs and grids in `root` that match the filters, sorted."""
    from ldl.cli.grid_table import print_grids
    from ldl.cli.run_table import as_dict, print_runs, print_runs_csv, sort_values
    from ldl.config.suggest import spelling_hint
    from ldl.grid.grid_list import list_grids
    from ldl.runs.run_list import list_runs

    all_runs = list_runs(root)
    listed = [run for run in all_runs if status in (None, run.status)]
    listed = [run for run in listed if name is None or name in run.name]
    grids = list_grids(root) if status is None else []
    grids = [grid for grid in grids if name is None or name in grid.path.name]
    keys = {key for run in listed for key in sort_values(run)}
    if listed and sort_by not in keys:
        short = {key for key in keys if "." not in key}  # dotted names lead to the same values
        raise UsageError(f"no run has {sort_by}; {spelling_hint(sort_by, short, 'known')}")
    listed.sort(key=lambda run: sort_key(sort_values(run).get(sort_by), reverse))
    if reverse:
        listed.reverse()
    if json:
        print_json([*map(as_dict, listed), *(grid.to_dict() for grid in grids)])
    elif csv:
        print_runs_csv(listed, only_changed)
    elif not listed and not grids:
        total = len(all_runs) + len(list_grids(root))
        log(f"none of {total} runs and grids matches" if total else f"no runs in {root}")
    else:
        if listed:
            print_runs(listed, only_changed)
        if grids:
            print_grids(grids)


@command("ldl show last")
def show(run: RunArgument, runs: RunsOption = None, json: JsonOption = False) -> None:
    """Print a run's status, main settings, results and files."""
    from ldl.runs import read_metrics, runs_root
    from ldl.runs.evaluation_counts import count_evaluations
    from ldl.runs.run_list import find_run

    folder = find_run(runs_root(runs), run)
    status = folder.read_status()
    results = folder.read_results()
    rows = read_metrics(folder.metrics) if folder.metrics.exists() else []
    last = rows[-1] if rows else {}
    seconds = folder.running_seconds()
    if json:
        summary = {"run": str(folder.path), **status.to_dict(), "seconds": seconds}
        count = count_evaluations(folder)
        print_json({**summary, "last": last, "results": results, "test_evaluations": count})
        return
    print(folder.path)
    print(f"{status.status}: {status.reason}" if status.reason else status.status)
    print(f"started {status.started}, {format_duration(seconds)} of training and evaluation")
    for line in _settings(folder.config, folder.overrides):
        print(line)
    for line in weights_lines(status.best, results):
        print(line)
    if last:
        print("last: " + ", ".join(f"{k} {format_number(v)}" for k, v in last.items()))
    print_results(results)
    print_evaluation_count(folder)
    print("files:")
    for path in sorted(folder.path.rglob("*")):
        entry = path.lstat()
        if S_ISREG(entry.st_mode) and not path.name.startswith("."):
            print(f"  {path.relative_to(folder.path)}  {format_bytes(entry.st_size)}")


def _settings(config: Path, overrides: Path) -> list[str]:
    """Lines with the data source, the optimizer and the command-line overrides of a run."""
    from ldl.cli.run_table import read_plain
    from ldl.config.emit import flow
    from ldl.folder_files import read_text

    tree: dict[str, Any] = read_plain(config) if config.exists() else {}
    shown = {"data": (tree.get("data") or {}).get("source"), "optimizer": tree.get("optimizer")}
    lines = [f"{name}: {flow(value)}" for name, value in shown.items() if value is not None]
    text = read_text(overrides, "replace").strip() if overrides.exists() else "[]"
    if text != "[]":
        items = (line.removeprefix("- ") for line in text.split("\n"))
        lines.append(f"overrides: {', '.join(items)}")
    return lines
