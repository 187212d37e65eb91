"""A finished run trained once more, to see whether it comes out the same."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ldl.errors import Diverged, LdlError, RunFolderError
from ldl.execute.evaluation import check_data_unchanged, stored_scaler
from ldl.execute.preparation import prepare
from ldl.execute.run_training import Watchers, initial_weights, train
from ldl.runs import RunFolder, read_json, read_metrics
from ldl.train import TrainProgress

CLOCK = "seconds"  # the one column that no two runs share
DECISIVE = ("versions", "system", "processor", "threads", "blas", "variables")


@dataclass(frozen=True)
class ReplayResult:
    """What a replay found; `epoch` is the first that differs, None where none does.

    `column`, `before` and `now` are that epoch's first figure that differs. `weights` says whether
    the saved weights are the same bytes, None where the run had none. `environment_changes`
    names what differs from the time of the run: versions, processor, BLAS, threads.
    """

    epochs: int
    epoch: int | None
    column: str | None
    before: Any
    now: Any
    weights: bool | None
    environment_changes: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.epoch is None and self.weights is not False

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of `ldl verify --json`, whose keys scripts read."""
        values = asdict(self)
        values["surroundings"] = values.pop("environment_changes")
        return {"same": self.identical, **values}


class _Found(LdlError):
    """Ends the replay: at the first row that differs, or after the last that there is."""

    def __init__(self, row: dict[str, Any], column: str | None) -> None:
        super().__init__("the replay is over")
        self.row, self.column = row, column


def verify(run: RunFolder, watchers: Watchers) -> ReplayResult:
    """Train a run again from its config.yaml and hold every epoch's row against metrics.csv.

    A run that was interrupted or diverged is held against the rows that it has. Raises
    RunFolderError where there are none, or where the data is not what it was.
    """
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    if not rows:
        raise RunFolderError(f"{run.name} has no finished epoch to hold a replay against")
    prepared = replace(prepare(run.config, start=False), weights=initial_weights(run))
    check_data_unchanged(run, prepared.data(watchers.data, stored_scaler(run)))
    config = replace(prepared.experiment.config, evaluate=[])
    prepared = replace(prepared, experiment=replace(prepared.experiment, config=config))
    whole = run.read_status().status == "completed"
    follow = replace(watchers, training=_comparer(rows, whole, watchers))
    found, weights = None, None
    with tempfile.TemporaryDirectory() as folder:
        try:
            again = train(prepared, Path(folder), follow)
            weights = again.model.read_bytes() == run.model.read_bytes()
            ended = len(read_metrics(again.metrics))
            if ended < len(rows):
                found = _Found({"epoch": ended + 1}, "epoch")
        except _Found as error:
            found = error
        except Diverged:
            if whole:
                raise
        changes = _environment_changes(run, RunFolder(next(Path(folder).iterdir())))
    if found is None or found.column is None:
        return ReplayResult(len(rows), None, None, None, None, weights, changes)
    number, column = int(found.row["epoch"]), found.column
    before = rows[number - 1].get(column) if number <= len(rows) else None
    now = found.row.get(column) if weights is None else None
    return ReplayResult(len(rows), number, column, before, now, None, changes)


def _comparer(rows: Sequence[dict[str, Any]], whole: bool, watchers: Watchers) -> Any:
    """A watcher that ends the replay at the first row that is not as it was."""

    def see(progress: TrainProgress) -> None:
        watchers.training(progress)
        row = progress.row
        if row is None:
            return
        number = progress.epoch
        before = rows[number - 1] if number <= len(rows) else {}
        for column in row:
            if column != CLOCK and row[column] != before.get(column):
                raise _Found(row, column)
        if number == len(rows) and not whole:
            raise _Found(row, None)

    return see


def _environment_changes(before: RunFolder, now: RunFolder) -> tuple[str, ...]:
    """What environment.json has otherwise than it was."""
    old, new = read_json(before.environment), read_json(now.environment)
    return tuple(key for key in DECISIVE if old.get(key) != new.get(key))
