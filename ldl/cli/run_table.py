"""Tables of runs for `ldl runs`: a row per run, or a column per run to compare."""

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
)
from ldl.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from ldl.runs import RunFolder
    from ldl.runs.comparison import RunComparison
    from ldl.runs.run_list import RunSummary

COLUMNS = ("run", "status", "epochs", "seconds", "train loss", "validation loss", "result")
RIGHT_ALIGNED = COLUMNS[2:6]
MAIN_RESULTS = ("accuracy", "r2", "denoised", "mse")  # the first of these is a run's result
EVALUATION_COUNT = "evaluations of the test samples"
NOT_COMPARED = ("notes", "units", "classes", "samples")  # parts of results without a row


def print_runs(runs: Sequence[RunSummary], only_changed: bool) -> None:
    """Print a row per run: status, epochs, time, losses and main result.

    The losses are those of the last epoch; of a kept average the validation loss is its own.
    """
    columns, rows = list(COLUMNS), [_row(run) for run in runs]
    if only_changed:
        columns, rows = drop_constant_columns(columns, rows)
    print_table(columns, rows, [i for i, name in enumerate(columns) if name in RIGHT_ALIGNED])


def _row(run: RunSummary) -> list[str]:
    evaluations = [key for key in run.results if not key.startswith("average.")]
    main = next((key for key in evaluations if key.split(".")[-1] in MAIN_RESULTS), None)
    result = f"{main} {format_number(run.results[main])}" if main else run.reason[:60]
    if any(".seen_samples." in key for key in run.results):
        result += " (overlap)"
    last = {**run.last, **_kept_loss(run)}
    losses = [format_number(last.get(name)) for name in ("train_loss", "validation_loss")]
    epochs = format_number(run.epoch)
    return [run.name, run.status, epochs, f"{run.seconds:.1f}", *losses, result]


def _kept_loss(run: RunSummary) -> dict[str, Any]:
    """The validation loss of the averaged weights, where they are kept."""
    if "kept_average" not in run.best or run.results.get("average.part") != "validation":
        return {}
    return {"validation_loss": run.results.get("average.average.loss")}


def print_runs_csv(runs: Sequence[RunSummary], only_changed: bool) -> None:
    """Print a CSV row per run with all metrics and results; empty cells where a run has none."""
    records = [
        {"name": run.name, "status": run.status, "started": run.started, "epoch": run.epoch,
         **run.last, "seconds": run.seconds, **run.results}
        for run in runs
    ]  # fmt: skip
    first = ["name", "status", "started"]  # also without any run
    columns = list(dict.fromkeys([*first, *(key for record in records for key in record)]))
    rows = [[format_exactly(record.get(key)) for key in columns] for record in records]
    print_csv(*(drop_constant_columns(columns, rows) if only_changed else (columns, rows)))


def sort_values(run: RunSummary) -> dict[str, Any]:
    """What a run can be sorted by; results by their dotted name and by the last part of it."""
    results = {key.rsplit(".", 1)[-1]: value for key, value in run.results.items()}
    status = {"started": run.started, "name": run.name, "epoch": run.epoch, "seconds": run.seconds}
    return {**results, **run.last, **_kept_loss(run), **run.results, **status}


def as_dict(run: RunSummary) -> dict[str, Any]:
    """A run as `ldl runs --json` prints it."""
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


def print_comparison(
    folders: Sequence[RunFolder], json: bool, html: str | None = None, csv: bool = False
) -> None:
    """Print the settings that differ between runs and their results, a column per run.

    `html` names a file for the comparison as a page. Raises UsageError where its folder is missing.
    """
    from ldl.runs.comparison import compare_runs

    comparison = compare_runs(folders, _compared_settings)
    if html is not None:
        _write_page(comparison, folders, Path(html))
    names = [run.name for run in comparison.runs]
    if json:
        settings = {key: list(values) for key, values in comparison.settings.items()}
        results = {key: list(values) for key, values in comparison.results.items()}
        counts, warning = list(comparison.test_evaluations), comparison.warning
        content = {"runs": names, "settings": settings, "results": results}
        print_json({**content, "test_evaluations": counts, "warning": warning})
        return
    if comparison.warning:
        log(f"warning: {comparison.warning}")
    format_cell = format_exactly if csv else format_number
    rows = [["status", *(run.status for run in comparison.runs)]]
    rows += [[key, *map(format_cell, values)] for key, values in comparison.settings.items()]
    for key, values in comparison.results.items():
        if not any(part in NOT_COMPARED for part in key.split(".")):
            rows.append([key, *map(format_cell, values)])
    if any(comparison.test_evaluations):
        rows.append([EVALUATION_COUNT, *map(str, comparison.test_evaluations)])
    if csv:
        print_csv(["", *names], rows)
    else:
        print_table(["", *names], rows, right=range(1, len(names) + 1))


def _compared_settings(path: Path) -> dict[str, Any]:
    """The settings of a configuration file that are compared: all but the claim.

    By their documented names, so that runs from before and after a renaming compare; as written
    where the file is not valid for this version.
    """
    from ldl.config import to_builtins
    from ldl.execute.preparation import REGISTRIES, read_config

    try:
        settings = to_builtins(read_config(path), REGISTRIES)
    except ConfigError:
        settings = read_plain(path)
    return {key: value for key, value in settings.items() if key != "claim"}


def _write_page(comparison: RunComparison, folders: Sequence[RunFolder], path: Path) -> None:
    from ldl.report.comparison_page import comparison_page
    from ldl.runs import write_text

    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    write_text(path.parent.resolve() / path.name, comparison_page(comparison, folders))
    log(f"page: {path}")


def read_plain(path: Path) -> dict[str, Any]:
    """A configuration file as mappings, lists and values."""
    from ldl.config import read

    tree: dict[str, Any] = _to_builtins(read(path).tree)
    return tree


def _to_builtins(tree: Any) -> Any:
    if isinstance(tree.value, dict):
        return {key: _to_builtins(value) for key, value in tree.value.items()}
    if isinstance(tree.value, list):
        return [_to_builtins(value) for value in tree.value]
    return tree.value
