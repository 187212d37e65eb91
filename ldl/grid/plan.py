"""What `ldl grid` is about to do: the checked grid block, the search and how settings compare."""

from __future__ import annotations

from dataclasses import dataclass, field

from ldl.grid.objective import Objective
from ldl.grid.search import Search


@dataclass(frozen=True)
class Plan:
    """A checked grid; `search` gives its trials."""

    name: str  # of the experiment
    objective: Objective
    seeds: int
    keys: tuple[str, ...]  # the varied keys: columns of plan.csv and results.csv
    base: str  # SHA-256 of the configuration without its grid block, and of the objective
    source: str = field(repr=False)  # the file as it was written
    search: Search = field(repr=False)
    method: str = "grid"  # or random, halving, tpe
    most: int | None = None  # trials in all, at most; None where nobody can tell
    notes: tuple[str, ...] = ()
    checkpoints: bool = False  # whether trials go on from the checkpoints of completed ones
