"""Several runs side by side: the settings that differ, the curves overlaid, the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ldl.report.markup import Content, Safe, table, tag
from ldl.report.metric_charts import compared
from ldl.report.number_format import duration, number
from ldl.report.page import badge, page
from ldl.runs import RunFolder, read_metrics
from ldl.runs.comparison import RunComparison

UNTOLD = ("notes", "units", "classes", "samples", "part")


def comparison_page(comparison: RunComparison, runs: Sequence[RunFolder]) -> str:
    """The page. Raises RunFolderError for damaged files."""
    names = labels(comparison)
    rows = {
        name: read_metrics(run.metrics) if run.metrics.exists() else []
        for name, run in zip(names, runs, strict=True)
    }
    curves = compared(rows)
    return page(
        f"{len(names)} runs compared",
        tag("h1", f"{len(names)} runs compared"),
        tag("p", ", ".join(names), class_="lead"),
        _section("Runs", _runs(comparison, names)),
        _section("Settings that differ", _settings(comparison.settings, names)),
        _section("Curves", curves) if curves else None,
        _section("Results", _results(comparison.results, names)),
    )


def labels(comparison: RunComparison) -> list[str]:
    """The experiments' names, numbered where two would be the same."""
    titles = [run.experiment_name for run in comparison.runs]
    if len(set(titles)) == len(titles):
        return titles
    return [f"{title} ({i})" for i, title in enumerate(titles, 1)]


def _section(title: str, *content: Content) -> Safe:
    return tag("section", tag("h2", title), *content)


def _runs(comparison: RunComparison, names: Sequence[str]) -> Safe:
    rows = [
        [
            name,
            badge(run.status),
            number(run.epoch),
            duration(run.seconds),
            tag("code", run.name),
        ]
        for name, run in zip(names, comparison.runs, strict=True)
    ]
    columns = ("run", "status", "epochs", "took", "folder")
    return table("The runs", columns, rows, stacked=True)


def _settings(settings: Mapping[str, tuple[Any, ...]], names: Sequence[str]) -> Safe:
    if not settings:
        return tag("p", "None: they have the same configuration.")
    rows = [[tag("code", key), *map(_setting, values)] for key, values in settings.items()]
    return table("Settings by their dotted names", ("setting", *names), rows)


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_setting, value)) + "]"
    return "–" if value is None else number(value, 6)


def _results(results: Mapping[str, tuple[Any, ...]], names: Sequence[str]) -> Safe:
    """Figures by their dotted names; those of single classes, notes and units are left out."""
    rows: list[list[Content]] = []
    for key, values in results.items():
        numbers = all(isinstance(value, int | float | None) for value in values)
        if numbers and not any(word in key.split(".") for word in UNTOLD):
            rows.append([tag("code", key), *map(number, values)])
    if not rows:
        return tag("p", "None of the runs has results.")
    columns = ("figure", *names)
    return table("Figures of the evaluations", columns, rows, range(1, len(columns)))
