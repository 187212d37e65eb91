"""The training of a trial in its run folder, and the inputs that trials share in memory."""

from __future__ import annotations

import gc
import os
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ldl.atomic_file import durable_writes, remove_tree, write_bytes
from ldl.data import Dataset, ProgressCallback, load_data
from ldl.errors import LdlError, RunError, RunFolderError
from ldl.execute import Callbacks, PreparedExperiment
from ldl.execute.preparation import prepare_text
from ldl.execute.run_files import data_files, initial_files
from ldl.execute.run_training import train_into
from ldl.execute.saved_run import check_data_unchanged
from ldl.execute.transfer import initial_weights
from ldl.execute.worker_pool import stop_when_orphaned
from ldl.folder_files import make_folder, open_descriptor, read_bytes, remove_file
from ldl.grid.objective import Objective
from ldl.grid.trial import Trial
from ldl.grid.trial_store import TrialStore
from ldl.runs import RunFolder, read_json, read_metrics
from ldl.runs.run_folder import CheckpointKind
from ldl.train.trainer import ALL_EPOCHS_DONE

if TYPE_CHECKING:
    from ldl.arrays import Array

CONFIG_NAME = "config.yaml"
CACHE_SHARE = 0.25  # of the computer's memory, for data sets
SHORT_TRAINING = 10.0  # seconds of training that a power cut may cost

CachedData = tuple[Dataset, Mapping[str, bytes]]  # with the files of a run that describe it


class TrialInputs:
    """The prepared configuration of the next trial, and the data sets of the last ones.

    The fork server holds it; the process of a trial copies only the memory pages that it changes.
    """

    def __init__(self, progress: ProgressCallback | None = None) -> None:
        self._next: tuple[str, PreparedExperiment] | None = None
        self._datasets: OrderedDict[tuple[str, int], CachedData] = OrderedDict()
        self._progress = progress
        self._max_bytes = CACHE_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

    def prefetch(self, trial: Trial) -> None:
        """Prepare a trial. Where that fails, the trial's own process repeats it and reports why."""
        if self._next is not None and self._next[0] == trial.id:
            return
        self._next = None
        with suppress(LdlError, OSError, MemoryError):
            prepared = prepare_text(trial.yaml, CONFIG_NAME)
            self._next = trial.id, prepared
            self._load(prepared)

    def _load(self, prepared: PreparedExperiment) -> None:
        """Put a data set into the cache, and drop the oldest ones beyond its size."""
        config, key = prepared.experiment.config, _data_key(prepared)
        if key in self._datasets:
            self._datasets.move_to_end(key)
            return
        dataset = load_data(config.data, config.seed, self._progress)
        self._datasets[key] = dataset, data_files(dataset)
        while len(self._datasets) > 1 and self._bytes() > self._max_bytes:
            self._datasets.popitem(last=False)
        gc.freeze()

    def _bytes(self) -> int:
        return sum(_dataset_bytes(dataset) for dataset, _ in self._datasets.values())

    def prepared(self, trial: Trial, load_pretrained: bool) -> PreparedExperiment:
        """The trial's experiment, with weights if `load_pretrained`. Raises ConfigError."""
        if self._next is not None and self._next[0] == trial.id:
            return self._next[1]
        return prepare_text(trial.yaml, CONFIG_NAME, load_pretrained)

    def data(self, prepared: PreparedExperiment) -> CachedData:
        """The data set and the files of a run that describe it. Raises ConfigError."""
        cached = self._datasets.get(_data_key(prepared))
        if cached is None:
            dataset = prepared.data(self._progress)
            return dataset, data_files(dataset)
        prepared.check(cached[0])
        return cached


def _data_key(prepared: PreparedExperiment) -> tuple[str, int]:
    """What a data set depends on: the section `data`, and the seed where it has noise."""
    config = prepared.experiment.config
    return repr(config.data), config.seed if config.data.noise is not None else 0


def _dataset_bytes(dataset: Dataset) -> int:
    """Bytes of the inputs; noisy and clean ones are counted once where they are the same."""
    splits = [s for s in (dataset.train, dataset.validation, dataset.test, dataset.uncropped) if s]
    arrays = {id(a): a for s in splits for group in (s.inputs, s.clean) for a in group.values()}
    return sum(a.nbytes for a in arrays.values())


@dataclass(frozen=True)
class TrialFolder(RunFolder):
    """A run folder without the writes that a short training does not need.

    A training that has ended needs no checkpoint unless another trial continues it, and early
    checkpoints need not reach the disk.
    """

    keep_checkpoints: bool = False
    started: float = field(default_factory=time.monotonic)

    def save_checkpoint(
        self, kind: CheckpointKind, arrays: Mapping[str, Array], state: Mapping[str, Any]
    ) -> None:
        """As RunFolder does it."""
        ended = kind == "last" and state["reason"] is not None and not state["stopped"]
        if ended and not self.keep_checkpoints:
            return
        with durable_writes(time.monotonic() - self.started > SHORT_TRAINING):
            super().save_checkpoint(kind, arrays, state)


def train_trial(
    store: TrialStore,
    trial: Trial,
    objective: Objective,
    inputs: TrialInputs,
    environment: Mapping[str, Any],
    keep_checkpoints: bool,
) -> tuple[str, float | None]:
    """Train a trial in its folder, from its checkpoint if it has one.

    Gives the reason why the training ended, and the objective. The files need not have reached the
    disk yet. Raises what training raises.
    """
    run = TrialFolder(store.run_folder(trial.id).path, keep_checkpoints)
    with durable_writes(False):
        make_folder(run.path)
        _redirect_output(run)
        with run.lock():
            _remove_inconsistent_files(run)
            started = run.environment.exists()  # the last of the files that a run starts with
            prepared = _with_one_thread(inputs.prepared(trial, load_pretrained=not started))
            dataset, common = inputs.data(prepared)
            if started:
                check_data_unchanged(run, dataset)
                write_bytes(run.config, prepared.yaml.encode())  # a power cut may have emptied it
                prepared = replace(prepared, weights=initial_weights(run))
            else:
                store.write_inputs(
                    trial.id,
                    {"config.yaml": prepared.yaml.encode()},
                    {**common, **initial_files(prepared, dataset, environment)},
                )
            if trial.after is not None and not run.checkpoint("last").exists():
                _copy_checkpoint(store.run_folder(trial.after), run)
            callbacks = Callbacks(training=stop_when_orphaned())
            train_into(_with_evaluation_of(objective, prepared), dataset, run, callbacks)
            if not keep_checkpoints:
                remove_tree(run.checkpoints)
            return run.read_status().reason, _objective_value(run, objective)


def _with_one_thread(prepared: PreparedExperiment) -> PreparedExperiment:
    """One thread unless the configuration says otherwise: the same bits for any number of jobs."""
    experiment = prepared.experiment
    train = replace(experiment.config.train, threads=experiment.config.train.threads or 1)
    config = replace(experiment.config, train=train)
    return replace(prepared, experiment=replace(experiment, config=config))


def _with_evaluation_of(objective: Objective, prepared: PreparedExperiment) -> PreparedExperiment:
    """Only the evaluation that gives the objective, if it needs one."""
    experiment = prepared.experiment
    needed = objective.evaluation_for(experiment.config)
    config = replace(experiment.config, evaluate=[needed] if needed else [])
    return replace(prepared, experiment=replace(experiment, config=config))


def _redirect_output(run: RunFolder) -> None:
    """Write what libraries print, and the stack of a crash, to run.log."""
    descriptor = open_descriptor(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.close(descriptor)


def _remove_inconsistent_files(run: RunFolder) -> None:
    """Delete a status, metrics and checkpoints that a power cut left without each other."""
    if not (run.status.exists() or run.checkpoints.exists()):
        return
    try:
        run.read_status()
        rows = len(read_metrics(run.metrics)) if run.metrics.exists() else 0
        checkpoint = run.load_checkpoint("last")
        if checkpoint is None or checkpoint[1]["epoch"] <= rows:
            return
    except RunFolderError:
        pass
    remove_tree(run.checkpoints)
    for file in (run.status, run.metrics):
        remove_file(file)


def _copy_checkpoint(source: RunFolder, run: RunFolder) -> None:
    """Continue a shorter training of the same setting, where its checkpoint is there."""
    checkpoint = source.load_checkpoint("last")
    if checkpoint is None:
        return
    arrays, state = checkpoint
    if state["reason"] == ALL_EPOCHS_DONE:
        state = {**state, "reason": None}
    write_bytes(run.metrics, read_bytes(source.metrics))
    RunFolder(run.path).save_checkpoint("last", arrays, state)


def _objective_value(run: RunFolder, objective: Objective) -> float | None:
    """The objective of the weights that are kept: a metric of the training, or of an evaluation."""
    if objective.column is None:
        return _evaluation_value(run, objective)
    best = run.read_status().best or {}
    if best.get("kept_average"):
        metrics = read_json(run.results)["average"]["average"]
        value = metrics.get(objective.column.removeprefix("validation_"))
    elif "kept_epoch" in best:
        value = read_metrics(run.metrics)[best["kept_epoch"] - 1].get(objective.column)
    elif objective.column in best:
        value = best[objective.column]
    else:
        value = read_metrics(run.metrics)[best["epoch"] - 1].get(objective.column)
    return None if value is None else float(value)


def _evaluation_value(run: RunFolder, objective: Objective) -> float | None:
    """The metric in the results of the only evaluation. Raises RunError where it is no number."""
    results = read_json(run.results)
    results.pop("average", None)  # compares weights: no evaluation
    (value,) = results.values()
    for key in (objective.metric or "").split("."):
        value = value.get(key) if isinstance(value, dict) else None
    if value is None or isinstance(value, int | float):
        return None if value is None else float(value)
    raise RunError(f"{objective.name} is no number in {run.results}")
