"""The charts of metrics.csv: losses, metrics, learning rate and gradient norm by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ldl.report.chart import Series, chart
from ldl.report.markup import Safe, tag
from ldl.report.number_format import words
from ldl.runs.metrics_file import MetricsRow

PARTS: Final = {"train": "training", "validation": "validation"}
STEPS: Final = ("learning_rate", "gradient_norm")


def charts(rows: Sequence[MetricsRow], kept: int | None = None) -> Safe:
    """A chart a figure, training and validation together; `kept` is the epoch that was kept."""
    if not rows:
        return Safe("")
    epochs = _column(rows, "epoch")
    drawn = []
    for name in measures(rows):
        series = [
            Series(label, _column(rows, f"{part}_{name}"))
            for part, label in PARTS.items()
            if f"{part}_{name}" in rows[0]
        ]
        drawn.append(chart(f"{words(name).capitalize()} by epoch", _numbers(epochs), series, kept))
    for name in STEPS:
        if len(set(_column(rows, name))) > 1:
            series = [Series(words(name), _column(rows, name), colour=7)]
            title = f"{words(name).capitalize()} by epoch"
            drawn.append(chart(title, _numbers(epochs), series, kept))
    return tag("div", drawn, class_="charts")


def compared(runs: Mapping[str, Sequence[MetricsRow]]) -> Safe:
    """Several runs in each chart, a colour a run: validation where there is any, else training."""
    longest = max(runs.values(), key=len, default=[])
    epochs = [number for row in longest if (number := row["epoch"]) is not None]
    drawn = []
    for name in dict.fromkeys(m for rows in runs.values() for m in measures(rows)):
        for part, label in PARTS.items():
            column = f"{part}_{name}"
            series = [
                Series(run, _padded(_column(rows, column), len(epochs)), colour=n)
                for n, (run, rows) in enumerate(runs.items())
                if rows and column in rows[0]
            ]
            drawn.append(chart(f"{words(name).capitalize()} by epoch, {label}", epochs, series))
    return tag("div", drawn, class_="charts")


def measures(rows: Sequence[MetricsRow]) -> list[str]:
    """The names that training and validation columns share: loss first."""
    columns = rows[0] if rows else {}
    names = [name.partition("_")[2] for name in columns if name.partition("_")[0] in PARTS]
    return list(dict.fromkeys(names))


def _column(rows: Sequence[MetricsRow], name: str) -> list[float | int | None]:
    return [row.get(name) for row in rows]


def _numbers(column: Sequence[float | int | None]) -> list[float]:
    return [value or 0 for value in column]


def _padded(values: list[float | int | None], length: int) -> list[float | int | None]:
    return values + [None] * (length - len(values))
