"""Runs side by side: the settings that differ, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ldl.runs.run_folder import RunFolder
from ldl.runs.run_list import RunSummary, summarize


@dataclass(frozen=True)
class RunComparison:
    """A column a run; a row holds a value for each, None where a run has none."""

    runs: tuple[RunSummary, ...]
    settings: dict[str, tuple[Any, ...]]
    results: dict[str, tuple[Any, ...]]


def compare_runs(runs: Sequence[RunFolder], parse: Callable[[Path], Any]) -> RunComparison:
    """The dotted settings in which the runs differ, and all their results.

    `parse` reads a configuration into plain mappings, lists and values; what it raises goes on.
    """
    settings = _rows([dict(_named(parse(run.config))) for run in runs])
    summaries = tuple(summarize(run.path) for run in runs)
    return RunComparison(
        runs=summaries,
        settings={key: row for key, row in settings.items() if _differ(row)},
        results=_rows([run.results for run in summaries]),
    )


def _named(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """As `leaves`, and of a choice, `name: {its settings}`, the name as a value of its own."""
    within = value.items() if isinstance(value, dict) else ()
    nested = isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)
    for key, item in enumerate(value) if nested else within:
        place = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(item, dict) and len(item) == 1:
            ((name, own),) = item.items()
            if isinstance(own, dict):
                yield place, name
        yield from _named(item, place)
    if not (nested or (isinstance(value, dict) and value)):
        yield prefix, value


def _rows(columns: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    keys = dict.fromkeys(key for column in columns for key in column)
    return {key: tuple(column.get(key) for column in columns) for key in keys}


def _differ(row: tuple[Any, ...]) -> bool:
    return any(value != row[0] for value in row)
