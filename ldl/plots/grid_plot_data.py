"""The settings of a grid with their objectives, as its plots need them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ldl.arrays import Array
from ldl.grid.labels import choice_labels
from ldl.plots import style
from ldl.plots.plot_table import PlotTable, read_plot_table
from ldl.runs import read_mapping

EPOCHS = "train.epochs"  # the key that differs between the rounds of successive halving
LOG_RATIO = 20.0  # of the largest to the smallest value, from which a scale is logarithmic


@dataclass(frozen=True)
class VariedKey:
    """A varied key: its values, and the index of each setting's value among them."""

    name: str
    values: list[str]  # numbers sorted, others in the order of the plan
    indices: Array  # (settings,); -1 for a setting without the key

    @cached_property
    def labels(self) -> list[str]:
        """The values, shortened."""
        return value_labels(self.values)

    @cached_property
    def numbers(self) -> Array | None:
        """The values as numbers; None unless all are numbers."""
        try:
            return np.array([float(value) for value in self.values])
        except ValueError:
            return None

    @property
    def is_logarithmic(self) -> bool:
        """Whether the numbers are spaced more evenly by factors than by differences."""
        numbers = self.numbers
        if numbers is None or len(numbers) < 2 or numbers.min() <= 0:
            return False
        if len(numbers) == 2:
            return bool(numbers.max() >= LOG_RATIO * numbers.min())
        steps, factors = np.diff(numbers), np.diff(np.log(numbers))
        return bool(factors.std() / factors.mean() < steps.std() / steps.mean())

    @property
    def positions(self) -> Array:
        """Coordinates of the values on an axis: the numbers, else 0, 1, 2, …"""
        return np.arange(len(self.values), dtype=float) if self.numbers is None else self.numbers


@dataclass(frozen=True)
class GridPlotData:
    """The settings of a grid that have an objective, best first."""

    name: str
    objective: str
    goal: str  # min or max
    keys: list[VariedKey]  # those with different values
    numbers: list[int]  # of the settings in the plan
    means: Array  # objective (settings,), mean over seeds
    sds: Array  # standard deviation over seeds (settings,); NaN for a single seed
    seeds: int
    missing: int  # settings without an objective
    settings: int  # of successive halving each counted once, not once per round
    rounds: int  # of successive halving; 0 for another search

    @property
    def subtitle(self) -> str:
        """The grid's name and its numbers of settings, rounds and seeds."""
        settings = _count(self.settings, "setting")
        if self.rounds:
            settings += f" in {_count(self.rounds, 'round')}"
        parts = [style.shorten(self.name, 40), settings, _count(self.seeds, "seed")]
        if self.missing:
            parts.append(f"{self.missing} more without a value")
        return " · ".join(parts)

    @property
    def direction(self) -> str:
        """Which values of the objective are better."""
        return "lower is better" if self.goal == "min" else "higher is better"

    @property
    def is_logarithmic(self) -> bool:
        """Whether the objective spans so large a range that its scale is logarithmic."""
        low, high = float(self.means.min()), float(self.means.max())
        return low > 0 and high > LOG_RATIO * low

    @property
    def label(self) -> str:
        """The objective's name, on two lines where it is long."""
        parts = self.objective.split(".")
        starts = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        first = next((start for start in starts if len(start) <= 28), parts[0])
        rest = self.objective[len(first) :]
        return "\n".join([first, rest] if rest else [first])

    def explained_variance(self, key: VariedKey) -> float:
        """The share of the objective's variance between the values of a key, in [0, 1]."""
        deviations = self.means - self.means.mean()
        total = float((deviations**2).sum())
        if not total:
            return 0.0
        groups = [self.means[key.indices == i] for i in np.unique(key.indices)]
        mean = self.means.mean()
        return sum(len(group) * float(group.mean() - mean) ** 2 for group in groups) / total


def read_grid_data(folder: Path) -> GridPlotData:
    """Read grid.json and results.csv. Raises ValueError, KeyError or OSError for damaged files."""
    about, table = read_mapping(folder / "grid.json"), read_plot_table(folder / "results.csv")
    rows = table.rows
    evaluated = [row for row in rows if row["mean"]]
    keys = [_varied_key(name, table, evaluated) for name in about["keys"]]
    halving = about.get("search") == "halving" and EPOCHS in table.header
    identity = [name for name in about["keys"] if name != EPOCHS] if halving else ["number"]
    return GridPlotData(
        name=about["name"],
        objective=about["objective"]["name"],
        goal=about["objective"]["goal"],
        keys=[key for key in keys if len(np.unique(key.indices)) > 1],
        numbers=[int(row["number"]) for row in evaluated],
        means=np.array([float(row["mean"]) for row in evaluated]),
        sds=np.array([float(row["sd"] or "nan") for row in evaluated]),
        seeds=max((int(row["seeds"]) for row in evaluated), default=0),
        missing=len(rows) - len(evaluated),
        settings=len({tuple(row[name] for name in identity) for row in evaluated}),
        rounds=len({row[EPOCHS] for row in rows}) if halving else 0,
    )


def _varied_key(name: str, table: PlotTable, evaluated: Sequence[Mapping[str, str]]) -> VariedKey:
    ordered = sorted(table.rows, key=lambda row: int(row["number"]))
    values = [value for value in dict.fromkeys(row[name] for row in ordered) if value]
    with suppress(ValueError):
        values.sort(key=float)
    index = {value: i for i, value in enumerate(values)}
    return VariedKey(name, values, np.array([index.get(row[name], -1) for row in evaluated], int))


def value_labels(cells: Sequence[str]) -> list[str]:
    """Cells of a table, shortened: numbers with four digits, choices by their names."""
    return choice_labels([_parse_cell(cell) for cell in cells])


def _parse_cell(cell: str) -> Any:
    """The value in a cell: a mapping or list in YAML, a number, or text."""
    if cell[:1] in ("{", "["):
        with suppress(yaml.YAMLError):
            return yaml.safe_load(cell)
    with suppress(ValueError):
        return int(cell)
    with suppress(ValueError):
        return float(cell)
    return cell


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
