"""The charts of metrics.csv: losses, metrics, learning rate and gradient norm by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ldl.report.chart import LineChart, Series, line_chart
from ldl.report.number_format import readable_name
from ldl.runs.metrics_file import MetricsRow

SPLITS: Final = {"train": "training", "validation": "validation"}
STEP_COLUMNS: Final = ("learning_rate", "gradient_norm")


def run_charts(rows: Sequence[MetricsRow], kept: int | None = None) -> list[LineChart]:
    """A chart for each metric, training and validation together; `kept` is the epoch kept."""
    epochs: list[float] = [row.get("epoch") or 0 for row in rows]
    charts = []
    for name in metric_names(rows):
        series = [
            Series(label, _column(rows, f"{split}_{name}"))
            for split, label in SPLITS.items()
            if f"{split}_{name}" in rows[0]
        ]
        charts.append(line_chart(_title(name), epochs, series, kept))
    for name in STEP_COLUMNS:
        values = _column(rows, name)
        if len(set(values)) > 1:
            series = [Series(readable_name(name), values, colour=7)]
            charts.append(line_chart(_title(name), epochs, series, kept))
    return [chart for chart in charts if chart is not None]


def comparison_charts(runs: Mapping[str, Sequence[MetricsRow]]) -> list[LineChart]:
    """A chart for each metric and split, with a curve and a colour for each run."""
    longest = max(runs.values(), key=len, default=[])
    epochs: list[float] = [epoch for row in longest if (epoch := row["epoch"]) is not None]
    charts = []
    for name in dict.fromkeys(name for rows in runs.values() for name in metric_names(rows)):
        for split, label in SPLITS.items():
            column = f"{split}_{name}"
            series = [
                Series(run, _column(rows, column) + [None] * (len(epochs) - len(rows)), colour=i)
                for i, (run, rows) in enumerate(runs.items())
                if rows and column in rows[0]
            ]
            charts.append(line_chart(f"{_title(name)}, {label}", epochs, series))
    return [chart for chart in charts if chart is not None]


def metric_names(rows: Sequence[MetricsRow]) -> list[str]:
    """The names that training and validation columns share: loss first."""
    columns = rows[0] if rows else {}
    names = [name.partition("_")[2] for name in columns if name.partition("_")[0] in SPLITS]
    return list(dict.fromkeys(names))


def _title(name: str) -> str:
    return f"{readable_name(name).capitalize()} by epoch"


def _column(rows: Sequence[MetricsRow], name: str) -> list[float | int | None]:
    return [row.get(name) for row in rows]
