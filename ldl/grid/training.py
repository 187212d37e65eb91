"""The run folder of a trial: made, gone on with, trained in and read for the objective."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ldl.atomic_file import durable_writes, write_bytes
from ldl.errors import RunError, RunFolderError
from ldl.execute import PreparedExperiment, Watchers
from ldl.execute.run_files import initial_files
from ldl.execute.run_training import train_into
from ldl.execute.saved_run import check_data_unchanged
from ldl.execute.transfer import initial_weights
from ldl.grid.materials import Materials
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial
from ldl.grid.trial_store import TrialStore
from ldl.runs import RunFolder, read_json, read_metrics
from ldl.runs.run_folder import CheckpointKind
from ldl.train.trainer import ALL_EPOCHS_DONE

if TYPE_CHECKING:
    import numpy as np

    from ldl.train import TrainProgress

SHORT = 10.0  # seconds of training that a power cut may cost


@dataclass(frozen=True)
class TrialFolder(RunFolder):
    """A run folder that does without what a short training can do again.

    A training that is over needs no checkpoint unless another trial goes on from it (`keeps`),
    and early ones need not wait for the disk.
    """

    keeps: bool = False
    began: float = field(default_factory=time.monotonic)

    def save_checkpoint(
        self,
        kind: CheckpointKind,
        arrays: Mapping[str, np.ndarray[Any, Any]],
        state: Mapping[str, Any],
    ) -> None:
        """As RunFolder does it."""
        over = kind == "last" and state["reason"] is not None and not state["stopped"]
        if over and not self.keeps:
            return
        with durable_writes(time.monotonic() - self.began > SHORT):
            super().save_checkpoint(kind, arrays, state)


def train(
    ledger: TrialStore,
    trial: Trial,
    objective: Objective,
    materials: Materials,
    environment: Mapping[str, Any],
    keeps: bool,
) -> tuple[str, float | None]:
    """Train a trial in its folder, from its checkpoint on if it has one; why it ended, and figure.

    Raises what training raises. What is written need not be on the disk yet.
    """
    run = TrialFolder(ledger.run(trial.id).path, keeps)
    with durable_writes(False):
        run.path.mkdir(exist_ok=True)
        _redirect_output(run)
        with run.lock():
            _mend(run)
            known = run.environment.exists()  # the last of the files that a run begins with
            prepared = _alone(materials.prepared(trial, start=not known))
            dataset, common = materials.data(trial, prepared)
            if known:
                check_data_unchanged(run, dataset)
                write_bytes(run.config, prepared.yaml.encode())  # a power cut may have emptied it
                prepared = replace(prepared, weights=initial_weights(run))
            else:
                ledger.furnish(
                    trial.id,
                    {"config.yaml": prepared.yaml.encode()},
                    {**common, **initial_files(prepared, dataset, environment)},
                )
            if trial.after is not None and not run.checkpoint("last").exists():
                _inherit(ledger.run(trial.after), run)
            train_into(_judged_by(objective, prepared), dataset, run, _watchers())
            if not keeps:
                shutil.rmtree(run.checkpoints, ignore_errors=True)
            return run.read_status().reason, _figure(run, objective, prepared)


def _alone(prepared: PreparedExperiment) -> PreparedExperiment:
    """With one thread where no number was asked for: the same bits beside any number of trials."""
    experiment = prepared.experiment
    train = replace(experiment.config.train, threads=experiment.config.train.threads or 1)
    config = replace(experiment.config, train=train)
    return replace(prepared, experiment=replace(experiment, config=config))


def _judged_by(objective: Objective, prepared: PreparedExperiment) -> PreparedExperiment:
    """With no more evaluations than the objective needs."""
    experiment = prepared.experiment
    needed = objective.evaluation_for(experiment.config)
    config = replace(experiment.config, evaluate=[needed] if needed else [])
    return replace(prepared, experiment=replace(experiment, config=config))


def _redirect_output(run: RunFolder) -> None:
    """What libraries print, and where a crash happened, goes to run.log."""
    descriptor = os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.close(descriptor)


def _mend(run: RunFolder) -> None:
    """Let a training begin anew where a power cut left what it cannot go on with."""
    if not (run.status.exists() or run.checkpoints.exists()):
        return
    try:
        run.read_status()
        rows = len(read_metrics(run.metrics)) if run.metrics.exists() else 0
        found = run.load_checkpoint("last")
        if found is None or found[1]["epoch"] <= rows:
            return
    except RunFolderError:
        pass
    shutil.rmtree(run.checkpoints, ignore_errors=True)
    for file in (run.status, run.metrics):
        file.unlink(missing_ok=True)


def _inherit(source: RunFolder, run: RunFolder) -> None:
    """Go on where a shorter training of the same setting ended; without its checkpoint, start."""
    found = source.load_checkpoint("last")
    if found is None:
        return
    arrays, state = found
    if state["reason"] == ALL_EPOCHS_DONE:
        state = {**state, "reason": None}
    run.metrics.write_bytes(source.metrics.read_bytes())
    RunFolder(run.path).save_checkpoint("last", arrays, state)


def _watchers() -> Watchers:
    """Nobody to tell; but a training stops, with a checkpoint, when its parent is gone."""
    parent = os.getppid()
    asked = False

    def look(progress: TrainProgress) -> None:
        nonlocal asked
        if os.getppid() != parent and not asked:
            asked = True
            os.kill(os.getpid(), signal.SIGTERM)

    return Watchers(training=look)


def _figure(run: RunFolder, objective: Objective, prepared: PreparedExperiment) -> float | None:
    """The objective: from the row of the epoch whose weights are kept, or from the evaluation."""
    if objective.column is None:
        return _result(run, objective)
    best = run.read_status().best or {}
    if prepared.experiment.config.train.keep == "last":
        number = read_metrics(run.metrics)[-1].get(objective.column)
    elif objective.column in best:
        number = best[objective.column]
    else:
        number = read_metrics(run.metrics)[best["epoch"] - 1].get(objective.column)
    return None if number is None else float(number)


def _result(run: RunFolder, objective: Objective) -> float | None:
    """The figure that the only evaluation found. Raises RunError where it found none such."""
    (found,) = read_json(run.results).values()
    for key in (objective.metric or "").split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if found is None or isinstance(found, int | float):
        return None if found is None else float(found)
    raise RunError(f"{objective.name} is no number in {run.results}")
