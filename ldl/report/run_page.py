"""The page of one run: its status, results, curves, plots and configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, Final

from ldl.errors import Interrupted, LdlError, RunError, RunFolderError, os_error_message
from ldl.folder_files import matching_files, read_bytes, read_text
from ldl.report.metric_charts import run_charts
from ldl.report.number_format import format_duration, format_number, readable_name
from ldl.report.page import render_page
from ldl.report.plot_files import PlotImage, plot_files, plot_image
from ldl.report.result_tables import ContingencyTable, contingency_table, evaluation_sections
from ldl.runs import RunFolder, read_mapping, read_metrics, write_text
from ldl.runs.evaluation_counts import count_evaluations, count_text
from ldl.runs.run_list import flatten, summarize
from ldl.runs.status import Status, kept_average

SHOWN_AS_CHARTS: Final = ("loss", "metrics", "optimizer")  # plots that the charts replace


def write_run_page(run: RunFolder) -> Path:
    """Write report.html into the run's folder and return its path.

    Raises RunFolderError for damaged files, and where the page cannot be written.
    """
    write_text(run.report, run_page(run))
    return run.report


def has_run_page(run: RunFolder) -> bool:
    """Whether the page was written after the last change of the status."""
    return run.report.exists() and run.report.stat().st_mtime >= run.status.stat().st_mtime


def with_run_page(execute: Callable[[], RunFolder]) -> RunFolder:
    """Call `execute` and write the page of its run, also where it diverged or was interrupted.

    Raises RunError where the run is completed and its page cannot be written.
    """
    try:
        run = execute()
    except (RunError, Interrupted) as error:
        if error.folder is not None:
            with contextlib.suppress(LdlError, OSError, MemoryError):
                write_run_page(RunFolder(Path(error.folder)))
        raise
    try:
        write_run_page(run)
    except (LdlError, OSError, MemoryError) as error:
        reason = os_error_message(error) if isinstance(error, MemoryError) else error
        command = f"`ldl report {quote(str(run.path))}` writes it again"
        raise RunError(f"the run is completed, but not its page: {reason}; {command}") from error
    return run


def run_page(run: RunFolder) -> str:
    """The page, without sections of absent files. Raises RunFolderError for damaged files."""
    try:
        return _run_page(run)
    except OSError as error:
        raise RunFolderError(f"cannot read {error.filename}: {error.strerror}") from error


def _run_page(run: RunFolder) -> str:
    status = run.read_status()
    title = summarize(run.path).experiment_name
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    environment = read_mapping(run.environment) if run.environment.exists() else {}
    best = status.best or {}
    matrices, matrix_errors = _matrices(run)
    overrides = _text(run.overrides).strip()
    return render_page(
        "run.html",
        title=title,
        run=run,
        status=status,
        run_facts=_facts(run, status, len(rows), environment),
        evaluations=evaluation_sections(run.read_results()),
        curves=run_charts(rows, best.get("kept_epoch", best.get("epoch"))),
        matrices=matrices,
        matrix_errors=matrix_errors,
        plots=_plots(run, title),
        source=_text(run.source),
        overrides="" if overrides == "[]" else overrides,
        resolved=_text(run.config),
        environment=_environment(environment),
    )


def _facts(
    run: RunFolder, status: Status, epochs: int, environment: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """(term, text) pairs; unknown values have an empty text."""
    best = dict(status.best or {})
    average = kept_average(best, run.read_results())
    last, _ = best.pop("kept_epoch", None), best.pop("kept_average", None)
    kept_text = f"epoch {last}, the last"
    if average is not None:
        text, metrics = average
        figures = [f"{readable_name(k)} {format_number(v)}" for k, v in metrics.items()]
        kept_text = ", ".join([text, *figures])
    best_term = "best epoch before averaging" if average else "best epoch"
    best_text = ", ".join(f"{readable_name(k)} {format_number(v)}" for k, v in best.items())
    started = (status.started or "").replace("T", " ").partition(".")[0]
    seed = environment.get("seed")
    return [
        ("started", f"{started} UTC" if started else ""),
        ("took", format_duration(run.running_seconds())),
        ("epochs", format_number(epochs)),
        (best_term if last else "kept weights", best_text),
        ("kept weights", kept_text if last else ""),
        ("test samples", count_text(count) if (count := count_evaluations(run)) else ""),
        ("seed", "" if seed is None else format_number(seed)),
    ]


def _matrices(run: RunFolder) -> tuple[list[ContingencyTable], list[str]]:
    """The contingency matrices, and an error message for each file that is damaged."""
    tables, errors = [], []
    for path in matching_files(run.contingency, "*.csv"):
        try:
            tables.append(contingency_table(path))
        except LdlError as error:
            errors.append(str(error))
    return [table for table in tables if table is not None], errors


def _plots(run: RunFolder, title: str) -> list[PlotImage]:
    """All plots but those that the page shows as charts and tables."""
    return [
        plot_image(read_bytes(plot.path), plot.title, f"{plot.title} of the run {title}")
        for plot in plot_files(run)
        if plot.path.stem not in SHOWN_AS_CHARTS and not plot.name.startswith("contingency/")
    ]


def _environment(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """environment.json as rows of (name, value), without empty values."""
    return [
        (
            key.replace("_", " "),
            ", ".join(map(str, value)) if isinstance(value, list) else str(value),
        )
        for key, value in flatten(environment)
        if value not in (None, "", [], {})
    ]


def _text(path: Path) -> str:
    return read_text(path, errors="replace") if path.exists() else ""
