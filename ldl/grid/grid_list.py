"""Grids as a person looks for them: each in a line, and the trials of one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ldl.errors import LdlError
from ldl.grid.grid_results import WAITING, GridResults, GridRow, read_results
from ldl.grid.leases import Leases
from ldl.grid.trial import Trial
from ldl.grid.trial_store import is_grid_folder
from ldl.runs import RunFolder

RUNNING: Final = "running"  # somebody who lives claims it
INTERRUPTED: Final = "interrupted"  # it has begun, and the same command goes on with it


@dataclass(frozen=True)
class GridEntry:
    """A grid in a line; `results` is None, with the reason, for a folder that is damaged."""

    path: Path
    results: GridResults | None
    reason: str = ""

    @property
    def trials(self) -> int:
        """How many were asked for."""
        return sum(len(row.trials) for row in self.results.rows) if self.results else 0

    @property
    def done(self) -> int:
        """How many of them have ended."""
        return sum(len(row.outcomes) for row in self.results.rows) if self.results else 0

    @property
    def status(self) -> str:
        """How it stands."""
        if self.results is None:
            return "unreadable"
        counts = self.results.counts
        ended = [f"{n} {word}" for word, n in counts.items() if word not in (WAITING, "completed")]
        return ", ".join([f"{self.done}/{self.trials} done", *ended])

    def to_dict(self) -> dict[str, Any]:
        """For a program."""
        found = self.results
        winner = found.winner if found else None
        return {
            "grid": str(self.path),
            "name": found.name if found else None,
            "status": self.status,
            "reason": self.reason,
            "trials": self.trials,
            "done": self.done,
            "objective": found.objective.name if found else None,
            "best": winner.mean if winner else None,
            "sd": winner.sd if winner else None,
            "values": winner.values if winner else None,
        }


def list_grids(root: Path) -> list[GridEntry]:
    """Every grid in `root`, by name, which is by time; never fails for a damaged one."""
    try:
        entries = sorted(Path(entry.path) for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return []
    return [read_grid_entry(path) for path in entries if is_grid_folder(path)]


def read_grid_entry(path: Path) -> GridEntry:
    """The grid at `path`."""
    try:
        return GridEntry(path, read_results(path))
    except LdlError as error:
        return GridEntry(path, None, str(error))


def find_grid(root: Path, name: str) -> Path | None:
    """The grid folder at this path, or the only one in `root` with this in its name."""
    if is_grid_folder(Path(name)):
        return Path(name)
    if os.sep in name or name in ("", "last") or not root.is_dir():
        return None
    fitting = [path for path in root.glob("*") if name in path.name and is_grid_folder(path)]
    exact = [path for path in fitting if path.name == name]
    return exact[0] if exact else fitting[0] if len(fitting) == 1 else None


def trial_rows(results: GridResults, folder: Path) -> list[dict[str, Any]]:
    """Every trial in the plan's order: its setting's values, and how it ended or stands."""
    ordered = sorted(results.rows, key=lambda row: row.number)
    return [_trial(row, each, folder) for row in ordered for each in row.trials]


def _trial(row: GridRow, trial: Trial, folder: Path) -> dict[str, Any]:
    outcome = row.outcomes.get(trial.id)
    return {
        "number": trial.number,
        "seed": trial.seed,
        "id": trial.id,
        "status": outcome.status if outcome else _standing(folder, trial.id),
        "objective": outcome.objective if outcome else None,
        "epochs": outcome.epochs if outcome else None,
        "seconds": outcome.seconds if outcome else None,
        "reason": outcome.reason if outcome else "",
        "values": trial.values,
    }


def _standing(folder: Path, id_: str) -> str:
    """How a trial stands that has not ended: running, interrupted or waiting."""
    run = RunFolder(folder / "trials" / id_)
    if (folder / "claims" / id_).exists():
        try:
            if Leases(folder / "claims").standing(id_) == "held":
                return RUNNING
        except OSError:  # a disk that cannot be written: whether its owner lives is not known
            return RUNNING
    begun = run.status.exists() or run.checkpoint("last").exists()
    return INTERRUPTED if begun else WAITING
