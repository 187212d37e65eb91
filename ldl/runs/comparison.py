"""The comparison of several runs: the settings in which they differ, and all their results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldl.runs.evaluation_counts import count_evaluations, sample_warning
from ldl.runs.run_folder import RunFolder
from ldl.runs.run_list import RunSummary, flatten, summarize


@dataclass(frozen=True)
class RunComparison:
    """Runs as columns. Each row holds one value per run, None where a run lacks the key."""

    runs: tuple[RunSummary, ...]
    settings: dict[str, tuple[Any, ...]]
    results: dict[str, tuple[Any, ...]]
    test_evaluations: tuple[int, ...]  # how often each run's test samples were evaluated
    warning: str | None  # where they are not the same samples


def compare_runs(runs: Sequence[RunFolder], parse: Callable[[Path], Any]) -> RunComparison:
    """The dotted settings in which the runs differ, and all their results.

    `parse` reads a configuration file into plain mappings, lists and values; its errors propagate.
    """
    settings = _rows([dict(flatten(parse(run.config), choice_names=True)) for run in runs])
    summaries = tuple(summarize(run.path) for run in runs)
    return RunComparison(
        runs=summaries,
        settings={key: row for key, row in settings.items() if any(v != row[0] for v in row)},
        results=_rows([summary.results for summary in summaries]),
        test_evaluations=tuple(count_evaluations(run) for run in runs),
        warning=sample_warning(runs),
    )


def _rows(columns: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The columns as rows, by key, in the order in which the keys first occur."""
    keys = dict.fromkeys(key for column in columns for key in column)
    return {key: tuple(column.get(key) for column in columns) for key in keys}
