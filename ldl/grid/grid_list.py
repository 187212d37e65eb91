"""Lists of grids, an entry each, and of the trials of one grid."""

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

RUNNING: Final = "running"  # a process that lives has its lease
INTERRUPTED: Final = "interrupted"  # it has started, and the same command continues it


@dataclass(frozen=True)
class GridEntry:
    """A grid in a list; `results` is None, with a reason, where its folder is damaged."""

    path: Path
    results: GridResults | None
    reason: str = ""

    @property
    def trials(self) -> int:
        """The number of trials asked for."""
        return sum(len(row.trials) for row in self.results.rows) if self.results else 0

    @property
    def done(self) -> int:
        """The number of trials that have ended."""
        return sum(len(row.outcomes) for row in self.results.rows) if self.results else 0

    @property
    def status(self) -> str:
        """The numbers of trials by status: "5/6 done, 1 failed"."""
        if self.results is None:
            return "unreadable"
        counts = self.results.counts
        rest = [f"{n} {name}" for name, n in counts.items() if name not in (WAITING, "completed")]
        return ", ".join([f"{self.done}/{self.trials} done", *rest])

    def to_dict(self) -> dict[str, Any]:
        """The entry in JSON's types."""
        results = self.results
        winner = results.winner if results else None
        return {
            "grid": str(self.path),
            "name": results.name if results else None,
            "status": self.status,
            "reason": self.reason,
            "trials": self.trials,
            "done": self.done,
            "objective": results.objective.name if results else None,
            "best": winner.mean if winner else None,
            "sd": winner.sd if winner else None,
            "values": winner.values if winner else None,
        }


def list_grids(root: Path) -> list[GridEntry]:
    """Every grid in `root`, sorted by name, which starts with the time; damaged ones too."""
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
    """The grid folder at the path `name`, or the only one in `root` with `name` in its name."""
    if is_grid_folder(Path(name)):
        return Path(name)
    if os.sep in name or name in ("", "last") or not root.is_dir():
        return None
    matches = [path for path in root.glob("*") if name in path.name and is_grid_folder(path)]
    exact = [path for path in matches if path.name == name]
    return exact[0] if exact else matches[0] if len(matches) == 1 else None


def trial_rows(results: GridResults, folder: Path) -> list[dict[str, Any]]:
    """Every trial in the order of the plan: its values, and its outcome or status."""
    ordered = sorted(results.rows, key=lambda row: row.number)
    return [_trial_row(row, trial, folder) for row in ordered for trial in row.trials]


def _trial_row(row: GridRow, trial: Trial, folder: Path) -> dict[str, Any]:
    outcome = row.outcomes.get(trial.id)
    return {
        "number": trial.number,
        "seed": trial.seed,
        "id": trial.id,
        "status": outcome.status if outcome else _status(folder, trial.id),
        "objective": outcome.objective if outcome else None,
        "epochs": outcome.epochs if outcome else None,
        "seconds": outcome.seconds if outcome else None,
        "reason": outcome.reason if outcome else "",
        "values": trial.values,
    }


def _status(folder: Path, id: str) -> str:
    """The status of a trial that has not ended: running, interrupted or waiting."""
    run = RunFolder(folder / "trials" / id)
    if (folder / "claims" / id).exists():
        try:
            if Leases(folder / "claims").status(id) == "held":
                return RUNNING
        except OSError:  # on a read-only disk nobody can tell whether the owner lives
            return RUNNING
    started = run.status.exists() or run.checkpoint("last").exists()
    return INTERRUPTED if started else WAITING
