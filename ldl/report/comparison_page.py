"""The page of several runs: the settings that differ, the curves overlaid, the results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ldl.report.metric_charts import comparison_charts
from ldl.report.number_format import format_duration, format_number
from ldl.report.page import render_page
from ldl.runs import RunFolder, read_metrics
from ldl.runs.comparison import RunComparison

OMITTED_KEYS: Final = ("notes", "units", "classes", "samples", "part")  # of the results


def comparison_page(comparison: RunComparison, runs: Sequence[RunFolder]) -> str:
    """The page. Raises RunFolderError for damaged files."""
    names = unique_titles(comparison)
    rows = {
        name: read_metrics(run.metrics) if run.metrics.exists() else []
        for name, run in zip(names, runs, strict=True)
    }
    counts = ("evaluations of the test samples", *map(format_number, comparison.test_evaluations))
    return render_page(
        "comparison.html",
        warning=comparison.warning,
        names=names,
        runs=[
            (name, run.status, format_number(run.epoch), format_duration(run.seconds), run.name)
            for name, run in zip(names, comparison.runs, strict=True)
        ],
        settings=[(key, *map(_setting_text, row)) for key, row in comparison.settings.items()],
        curves=comparison_charts(rows),
        results=[
            (key, *map(format_number, row))
            for key, row in comparison.results.items()
            if _is_metric(key, row)
        ]
        + ([counts] if any(comparison.test_evaluations) else []),
    )


def unique_titles(comparison: RunComparison) -> list[str]:
    """The experiments' names, numbered where two would be the same."""
    titles = [run.experiment_name for run in comparison.runs]
    if len(set(titles)) == len(titles):
        return titles
    return [f"{title} ({i})" for i, title in enumerate(titles, 1)]


def _setting_text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_setting_text, value)) + "]"
    return format_number(value, 6)


def _is_metric(key: str, row: Sequence[Any]) -> bool:
    """Whether a row of results holds numbers, and not those of a single class."""
    numbers = all(isinstance(value, int | float | None) for value in row)
    return numbers and not any(name in OMITTED_KEYS for name in key.split("."))
