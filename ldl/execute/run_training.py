"""The training of a run in its folder, from the start or from a checkpoint, and its status."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from logging import Logger
from pathlib import Path
from typing import Any

from ldl.atomic_file import write_bytes
from ldl.data import Dataset, ProgressCallback, redraw_noise
from ldl.errors import Diverged, Interrupted, LdlError, RunError, RunFolderError
from ldl.execute.data_checks import data_warnings
from ldl.execute.evaluation import run_evaluations
from ldl.execute.preparation import PreparedExperiment
from ldl.execute.retraining import blas_threads
from ldl.execute.run_files import data_files, initial_files
from ldl.execute.saved_run import load_weights, prepare_saved
from ldl.execute.seen_samples import overlap_warnings
from ldl.execute.transfer import copy_matching, initial_weights
from ldl.folder_files import read_bytes
from ldl.runs import RunFolder, save_tensors
from ldl.runs.environment import collect_environment
from ldl.runs.log import log_to
from ldl.train import Trainer, TrainProgress, TrainResult
from ldl.train.signals import interrupt_on_signal


@dataclass(frozen=True)
class Callbacks:
    """Functions that a run calls; the defaults do nothing.

    `data` and `training` receive progress, `stage` the name of an evaluation, `draw` the run folder
    whose plots are due, `note` a sentence for the user.
    """

    data: ProgressCallback | None = None
    training: Callable[[TrainProgress], None] = lambda progress: None
    stage: Callable[[str], None] = lambda stage: None
    draw: Callable[[Path], Any] = lambda folder: None
    note: Callable[[str], None] = lambda note: None


NO_CALLBACKS = Callbacks()


def train(
    prepared: PreparedExperiment,
    root: Path,
    callbacks: Callbacks = NO_CALLBACKS,
    files: Mapping[str, bytes] | None = None,
    trained_run: RunFolder | None = None,
) -> RunFolder:
    """Train in a new run folder under `root`, evaluate, draw the plots, and return the folder.

    `files` maps names to additional files of the new folder. With `trained_run`, a completed run of
    the same configuration, its weights and metrics are copied instead of training again. Raises
    Diverged, Interrupted, or the errors of evaluations; status.json then holds the reason.
    """
    import yaml

    config = prepared.experiment.config
    dataset = prepared.data(callbacks.data)
    warnings = data_warnings(prepared.experiment, dataset)
    for warning in [*warnings, *overlap_warnings(prepared.seen)]:
        callbacks.note(warning)
    text = prepared.yaml
    overrides = yaml.safe_dump([*prepared.loaded.overrides], allow_unicode=True)
    contents = {
        "config.yaml": text.encode(),
        "source.yaml": prepared.loaded.text.encode(),
        "overrides.yaml": overrides.encode(),
        **data_files(dataset),
        **initial_files(prepared, dataset, collect_environment(sys.argv, config.seed)),
        **(files or {}),
    }
    digest = hashlib.sha256(prepared.key_text.encode()).hexdigest()
    run = RunFolder.create(root, config.name, digest, contents)
    with run.lock():
        train_into(prepared, dataset, run, callbacks, trained_run)
    return run


def resume(run: RunFolder, callbacks: Callbacks = NO_CALLBACKS) -> RunFolder:
    """Continue a run from its last checkpoint; the result is that of an uninterrupted run.

    Raises RunFolderError for a completed or diverged run, or when the data has changed.
    """
    with run.lock():
        status = run.read_status()
        if status.status == "completed":
            raise RunFolderError(f"{run.name} is completed: there is nothing left to do")
        if status.status == "diverged":
            raise RunFolderError(
                f"{run.name} would diverge again: {status.reason}; "
                "change a copy of its config.yaml and train that"
            )
        prepared, dataset = prepare_saved(run, callbacks.data)
        train_into(replace(prepared, weights=initial_weights(run)), dataset, run, callbacks)
    return run


def train_into(
    prepared: PreparedExperiment,
    dataset: Dataset,
    run: RunFolder,
    callbacks: Callbacks = NO_CALLBACKS,
    trained_run: RunFolder | None = None,
) -> None:
    """Train in `run`, whose lock the caller holds, from its checkpoint if it has one.

    Then save, evaluate and draw. status.json holds the outcome. Raises the same errors as `train`.
    """
    experiment = prepared.experiment
    run.set_status("running", epoch=0)
    with log_to(run.log) as log:
        trainer = Trainer(experiment, dataset, run, callbacks.training)
        if prepared.weights:
            transfer = copy_matching(trainer.model.parameters, prepared.weights)
            log.info("%s", transfer)
            callbacks.note(str(transfer))
            if uncopied := sorted(experiment.frozen - {*transfer.copied}):
                callbacks.note(f"freeze keeps weights that were not copied: {', '.join(uncopied)}")
        threads = experiment.parallelism.blas_threads  # of all libraries that are loaded by now
        status_record = _record_failure(trainer, log, callbacks)
        with status_record, interrupt_on_signal(), blas_threads(threads):
            _train_and_evaluate(trainer, log, callbacks, trained_run)


@contextmanager
def _record_failure(trainer: Trainer, log: Logger, callbacks: Callbacks) -> Iterator[None]:
    """Record in log and status.json why the block raised, and name the folder in the error."""
    run = trainer.run
    try:
        yield
    except BaseException as error:
        if isinstance(error, Interrupted | RunError):
            error.folder = str(run.path)
        if isinstance(error, Interrupted):
            log.info("%s after epoch %s", error, trainer.epoch)
            run.set_status("interrupted", str(error), epoch=trainer.epoch)
        elif isinstance(error, Diverged):
            log.error("%s", error)
            run.set_status("diverged", str(error), epoch=trainer.epoch)
            callbacks.draw(run.path)
        else:
            log.exception("failed")
            is_ldl_error = isinstance(error, LdlError)
            reason = str(error) if is_ldl_error else f"{type(error).__name__}: {error}"
            run.set_status("failed", reason, epoch=trainer.epoch)
        raise


def _train_and_evaluate(
    trainer: Trainer, log: Logger, callbacks: Callbacks, trained_run: RunFolder | None
) -> None:
    """Train or copy the weights of `trained_run`, save, evaluate, draw; complete the status."""
    run, experiment, model = trainer.run, trainer.experiment, trainer.model
    config = experiment.config
    if trained_run is None:
        log.info("training %s weights on %s samples", model.parameters.count, trainer.loop.samples)
        result = trainer.fit()
        log.info("training ended after epoch %s: %s", result.epochs, result.reason)
    else:
        result = _copy_trained(trainer, trained_run)
        log.info("weights and metrics copied from %s", trained_run.name)
    save_tensors(run.model, model.parameters.arrays())
    run.set_status("running", epoch=result.epochs, best=result.best)  # the plots show the best
    if config.data.fresh_noise:  # evaluate with the noise of `load_data`, as `evaluate` does
        redraw_noise(trainer.dataset, config.data, config.seed, 0)
    evaluations = config.evaluate or []
    run_evaluations(experiment, model, trainer.dataset, run, evaluations, callbacks.stage)
    callbacks.stage("plots")
    callbacks.draw(run.path)
    run.set_status("completed", result.reason, epoch=result.epochs, best=result.best)


def _copy_trained(trainer: Trainer, trained_run: RunFolder) -> TrainResult:
    """Copy weights and metrics of a completed run. Raises RunFolderError for a damaged one."""
    load_weights(trainer.model, trained_run)
    write_bytes(trainer.run.metrics, read_bytes(trained_run.metrics))
    status = trained_run.read_status()
    return TrainResult(status.epoch or 0, status.reason, dict(status.best or {}))
