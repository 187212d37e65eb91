"""The replay of a run, which shows whether training gives the same bits again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ldl.errors import Diverged, LdlError, RunFolderError
from ldl.execute.run_training import Callbacks, train
from ldl.execute.saved_run import prepare_saved
from ldl.execute.transfer import initial_weights
from ldl.folder_files import read_bytes
from ldl.runs import RunFolder, read_mapping, read_metrics
from ldl.train import TrainProgress

TIME_COLUMN = "seconds"  # the only column that differs between equal runs
COMPARED_KEYS = ("versions", "system", "processor", "threads", "blas", "variables")


@dataclass(frozen=True)
class ReplayResult:
    """The comparison of a replay with its run.

    `epochs` counts the compared rows of metrics.csv. `epoch` is the first that differs, None if
    none does; `column` is its first column that differs. `weights` says whether the saved weights
    are the same bytes, None if the run has none. `variable` is what differs, a column or one
    value of a weight, as `linear1.weight[0, 3]`: `before` in the run and `now` in the replay.
    `environment_changes` names what differs from the time of the run: versions, processor, BLAS,
    threads.
    """

    epochs: int
    epoch: int | None
    column: str | None
    before: Any
    now: Any
    weights: bool | None
    environment_changes: tuple[str, ...]
    variable: str | None = None

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.epoch is None and self.weights is not False

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of `ldl verify --json`, whose keys scripts read."""
        values = asdict(self)
        values["surroundings"] = values.pop("environment_changes")
        return {"same": self.identical, **values}


class _ReplayEnded(LdlError):
    """Ends the training: at the first value that differs, or after the last row of the run."""

    def __init__(self, epoch: int | None = None, column: str = "", now: Any = None) -> None:
        super().__init__("the replay has ended")
        self.epoch, self.column, self.now = epoch, column, now


def verify(run: RunFolder, callbacks: Callbacks) -> ReplayResult:
    """Train a run again from its config.yaml and compare every row with its metrics.csv.

    For an interrupted or diverged run the existing rows are compared. Raises RunFolderError when
    there are none, or when the data has changed.
    """
    rows = read_metrics(run.metrics) if run.metrics.exists() else []
    if not rows:
        raise RunFolderError(f"{run.name} has no finished epoch to compare a replay with")
    prepared, _ = prepare_saved(run, callbacks.data)
    experiment = prepared.experiment
    experiment = replace(experiment, config=replace(experiment.config, evaluate=[]))
    prepared = replace(prepared, experiment=experiment, weights=initial_weights(run))
    completed = run.read_status().status == "completed"
    comparing_callbacks = replace(callbacks, training=_row_comparer(rows, completed, callbacks))
    end, same_weights = _ReplayEnded(), None
    weight, before, now = None, None, None
    with tempfile.TemporaryDirectory() as folder:
        try:
            replay = train(prepared, Path(folder), comparing_callbacks)
            saved, replayed = read_bytes(run.model), read_bytes(replay.model)
            same_weights = saved == replayed
            if not same_weights:
                weight, before, now = _first_difference(saved, replayed)
            epochs = len(read_metrics(replay.metrics))
            if epochs < len(rows):
                end = _ReplayEnded(epochs + 1, "epoch")
        except _ReplayEnded as error:
            end = error
        except Diverged:
            if completed:
                raise
        changes = _environment_changes(run, RunFolder(next(Path(folder).iterdir())))
    if end.epoch is None:
        return ReplayResult(len(rows), None, None, before, now, same_weights, changes, weight)
    column = end.column
    before = rows[end.epoch - 1].get(column) if end.epoch <= len(rows) else None
    return ReplayResult(len(rows), end.epoch, column, before, end.now, None, changes, column)


def _row_comparer(
    rows: Sequence[dict[str, Any]], completed: bool, callbacks: Callbacks
) -> Callable[[TrainProgress], None]:
    """A training callback that raises `_ReplayEnded` at the first row that differs from `rows`.

    If the run is not completed, the callback also ends the replay after the last of the rows.
    """

    def compare(progress: TrainProgress) -> None:
        callbacks.training(progress)
        row, epoch = progress.row, progress.epoch
        if row is None:
            return
        recorded = rows[epoch - 1] if epoch <= len(rows) else {}
        for column in row:
            if column != TIME_COLUMN and row[column] != recorded.get(column):
                raise _ReplayEnded(epoch, column, row[column])
        if epoch == len(rows) and not completed:
            raise _ReplayEnded

    return compare


def _first_difference(saved: bytes, replayed: bytes) -> tuple[str | None, Any, Any]:
    """The first value of the first array that differs, by name and index, and both values.

    None three times where the saved file cannot be read, or where only its header differs.
    """
    import safetensors.numpy

    try:
        before, now = (safetensors.numpy.load(data) for data in (saved, replayed))
    except (safetensors.SafetensorError, KeyError, ValueError):
        return None, None, None
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old is None or new is None or old.shape != new.shape or old.dtype != new.dtype:
            shapes = [None if a is None else f"{a.dtype} {a.shape}" for a in (old, new)]
            return name, shapes[0], shapes[1]
        bits = [a.reshape(-1).view(f"u{a.itemsize}") for a in (old, new)]
        places = np.flatnonzero(bits[0] != bits[1])
        if len(places):
            index = np.unravel_index(places[0], old.shape)
            label = f"{name}[{', '.join(map(str, index))}]"
            # The shortest decimal that is this float32, where a float64 would have 17 digits.
            return label, float(str(old[index])), float(str(new[index]))
    return None, None, None


def _environment_changes(run: RunFolder, replay: RunFolder) -> tuple[str, ...]:
    """The keys of environment.json that differ."""
    old, new = read_mapping(run.environment), read_mapping(replay.environment)
    return tuple(key for key in COMPARED_KEYS if old.get(key) != new.get(key))
