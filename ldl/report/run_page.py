"""The page of one run: how it went, what came out, what it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ldl.errors import Interrupted, LdlError, RunError
from ldl.report import result_tables as tables
from ldl.report.markup import Content, Safe, code, details, table, tag
from ldl.report.metric_charts import charts
from ldl.report.number_format import duration, number, words
from ldl.report.page import badge, facts, page
from ldl.report.plot_files import figure, pictures
from ldl.runs import RunFolder, read_json, read_metrics, write_text
from ldl.runs.run_list import flatten, summarize
from ldl.runs.status import Status

DRAWN = ("loss", "metrics", "optimizer")  # pictures that the charts take the place of


def write_run_page(run: RunFolder) -> Path:
    """Write report.html into the run's folder. Raises what reading and writing raise."""
    write_text(run.report, run_page(run))
    return run.report


def with_run_page(work: Callable[[], RunFolder]) -> RunFolder:
    """The run that `work` gives, its page written; also where it diverged or was interrupted.

    A page that cannot be written, on a full disk say, takes nothing from the run.
    """
    try:
        run = work()
    except (RunError, Interrupted) as error:
        if error.folder is not None:
            with contextlib.suppress(LdlError):
                write_run_page(RunFolder(Path(error.folder)))
        raise
    with contextlib.suppress(LdlError):
        write_run_page(run)
    return run


def run_page(run: RunFolder) -> str:
    """The page; what the run did not leave is left out. Raises RunFolderError for damaged files."""
    status = run.read_status()
    title = summarize(run.path).experiment_name
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    found = read_json(run.results) if run.results.exists() else {}
    environment = read_json(run.environment) if run.environment.exists() else {}
    best = status.best or {}
    curves = charts(rows, best.get("kept_epoch", best.get("epoch")))
    return page(
        f"{title} – run",
        tag("p", badge(status.status)),
        tag("h1", title),
        tag("p", run.name, class_="soft"),
        tag("p", status.reason, class_="lead") if status.reason else None,
        _facts(run, status, len(rows), environment),
        _section("Results", tables.results(found)) if found else None,
        _section("Curves", curves) if curves else None,
        _matrices(run),
        _pictures(run, title),
        _configuration(run),
        _environment(environment),
    )


def _section(title: str, *content: Content) -> Safe:
    return tag("section", tag("h2", title), *content)


def _facts(run: RunFolder, status: Status, epochs: int, environment: Mapping[str, Any]) -> Safe:
    best = dict(status.best or {})
    last = best.pop("kept_epoch", None)
    found = ", ".join(f"{words(key)} {number(value)}" for key, value in best.items())
    started = (status.started or "").replace("T", " ").partition(".")[0]
    seed = environment.get("seed")
    return facts(
        [
            ("started", f"{started} UTC" if started else ""),
            ("took", duration(run.running_seconds())),
            ("epochs", number(epochs)),
            ("best epoch" if last else "kept weights", found),
            ("kept weights", f"epoch {last}, the last" if last else ""),
            ("seed", "" if seed is None else number(seed)),
        ]
    )


def _matrices(run: RunFolder) -> Safe | None:
    shown: list[Content] = []
    for path in sorted(run.contingency.glob("*.csv")):
        try:
            shown.append(tables.matrix(path))
        except LdlError as error:
            shown.append(tag("p", str(error), class_="trouble"))
    return _section("Contingency", shown) if any(shown) else None


def _pictures(run: RunFolder, title: str) -> Safe | None:
    """All pictures but those that stand on the page as charts and tables."""
    found = [each for each in pictures(run) if each.path.stem not in DRAWN]
    found = [each for each in found if not each.name.startswith("contingency/")]
    shown = [
        figure(each.path.read_bytes(), each.title, f"{each.title} of the run {title}")
        for each in found
    ]
    return _section("Pictures", tag("div", shown, class_="pictures")) if shown else None


def _configuration(run: RunFolder) -> Safe:
    source, resolved = _text(run.source), _text(run.config)
    overrides = _text(run.overrides).strip()
    changed = overrides if overrides not in ("", "[]") else ""
    return _section(
        "Configuration",
        code(source, "The configuration as it was written") if source else None,
        tag("p", "Changed on the command line:") if changed else None,
        code(changed, "Changes of the command line") if changed else None,
        details("With every default filled in", code(resolved, "The resolved configuration")),
    )


def _environment(environment: Mapping[str, Any]) -> Safe | None:
    rows: list[list[Content]] = []
    for key, value in flatten(environment):
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if value not in (None, "", [], {}):
            rows.append([key.replace("_", " "), tag("code", text)])
    if not rows:
        return None
    shown = table("What the result may depend on beside the configuration", ("what", "value"), rows)
    return _section("Environment", details("Versions, processor, threads, commit", shown))


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.exists() else ""
