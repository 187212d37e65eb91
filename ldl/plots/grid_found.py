"""What the pictures of a grid show: its settings with their figures, by key."""

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
from ldl.plots.levels import Table, read
from ldl.runs import read_json

EPOCHS = "train.epochs"  # what tells the rounds of halving apart
LOG_FROM = 20.0  # largest over smallest


@dataclass(frozen=True)
class Key:
    """A varied key: its values in the order of the plan, and each setting's."""

    name: str
    values: list[str]
    at: Array  # the place of each setting's value among `values`; -1 where it has none

    @cached_property
    def labels(self) -> list[str]:
        """The values in few letters."""
        return labels(self.values)

    @cached_property
    def numbers(self) -> Array | None:
        """The values as numbers, sorted; None where they are none."""
        try:
            return np.array([float(value) for value in self.values])
        except ValueError:
            return None

    @property
    def logarithmic(self) -> bool:
        """Whether numbers are spaced by factors rather than by differences."""
        numbers = self.numbers
        if numbers is None or len(numbers) < 3 or numbers.min() <= 0:
            few = numbers is not None and len(numbers) == 2 and numbers.min() > 0
            return few and numbers is not None and numbers.max() >= LOG_FROM * numbers.min()
        steps, factors = np.diff(numbers), np.diff(np.log(numbers))
        return bool(factors.std() / factors.mean() < steps.std() / steps.mean())

    @property
    def places(self) -> Array:
        """Where the values stand on an axis: numbers where they are, others one after another."""
        return np.arange(len(self.values), dtype=float) if self.numbers is None else self.numbers


@dataclass(frozen=True)
class Found:
    """A grid's settings, best first: those that have a figure."""

    name: str
    objective: str
    goal: str
    keys: list[Key]  # those that differ
    numbers: list[int]
    means: Array
    sds: Array
    seeds: int
    left_out: int  # settings without a figure
    settings: int  # counted once however many rounds of halving they are in
    rounds: int  # of halving; 0 for another search

    @property
    def subtitle(self) -> str:
        """What the pictures show."""
        count = self.settings
        said = [style.short(self.name, 40), f"{count} setting{'' if count == 1 else 's'}"]
        if self.rounds:
            said[-1] += f" in {self.rounds} round{'' if self.rounds == 1 else 's'}"
        said.append(f"{self.seeds} seed{'' if self.seeds == 1 else 's'}")
        if self.left_out:
            said.append(f"{self.left_out} more without a figure")
        return " · ".join(said)

    @property
    def way(self) -> str:
        """Which way the objective is better."""
        return "lower is better" if self.goal == "min" else "higher is better"

    @property
    def wide(self) -> bool:
        """Whether the objective spans so much that factors tell more than differences."""
        low, high = float(self.means.min()), float(self.means.max())
        return low > 0 and high > LOG_FROM * low

    @property
    def label(self) -> str:
        """The objective, on two lines where it is long."""
        parts = self.objective.split(".")
        ends = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        first = next((end for end in ends if len(end) <= 28), parts[0])
        rest = self.objective[len(first) :]
        return "\n".join([first, rest] if rest else [first])

    def share(self, key: Key) -> float:
        """The share of the objective's variance that lies between the values of a key."""
        total = float(((self.means - self.means.mean()) ** 2).sum())
        if not total:
            return 0.0
        groups = [self.means[key.at == i] for i in np.unique(key.at)]
        between = sum(len(each) * float(each.mean() - self.means.mean()) ** 2 for each in groups)
        return between / total


def gather(folder: Path) -> Found:
    """The settings that have a figure. Raises ValueError, KeyError or OSError."""
    about, table = read_json(folder / "grid.json"), read(folder / "results.csv")
    rows = [row for row in table.rows if row["mean"]]
    keys = [_key(name, table, rows) for name in about["keys"]]
    halving = about.get("search") == "halving" and EPOCHS in table.header
    own = [name for name in about["keys"] if name != EPOCHS] if halving else ["number"]
    return Found(
        name=about["name"],
        objective=about["objective"]["name"],
        goal=about["objective"]["goal"],
        keys=[key for key in keys if len(np.unique(key.at)) > 1],
        numbers=[int(row["number"]) for row in rows],
        means=np.array([float(row["mean"]) for row in rows]),
        sds=np.array([float(row["sd"] or "nan") for row in rows]),
        seeds=max((int(row["seeds"]) for row in rows), default=0),
        left_out=len(table.rows) - len(rows),
        settings=len({tuple(row[name] for name in own) for row in rows}),
        rounds=len({row[EPOCHS] for row in table.rows}) if halving else 0,
    )


def labels(values: Sequence[str]) -> list[str]:
    """Cells of a table in few letters: numbers with four digits, whole choices by their names."""
    return choice_labels([_plain(value) for value in values])


def _plain(cell: str) -> Any:
    """What a cell holds; text as it is."""
    if cell[:1] in ("{", "["):
        with suppress(yaml.YAMLError):
            return yaml.safe_load(cell)
    with suppress(ValueError):
        return int(cell)
    with suppress(ValueError):
        return float(cell)
    return cell


def _key(name: str, table: Table, rows: Sequence[Mapping[str, str]]) -> Key:
    ordered = sorted(table.rows, key=lambda row: int(row["number"]))
    values = [value for value in dict.fromkeys(row[name] for row in ordered) if value]
    with suppress(ValueError):
        values.sort(key=float)
    index = {value: i for i, value in enumerate(values)}
    return Key(name, values, np.array([index.get(row[name], -1) for row in rows], int))
