"""The training of a run in its folder, from the start or from a checkpoint, and its status."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from logging import ERROR, INFO, Logger
from pathlib import Path
from typing import Any

from ldl.atomic_file import write_bytes
from ldl.data import Dataset, ProgressCallback, redraw_noise
from ldl.errors import (
    Diverged,
    Interrupted,
    LdlError,
    RunError,
    RunFolderError,
    os_error_message,
    system_errno,
)
from ldl.evaluate.context import json_values
from ldl.execute.data_checks import data_warnings
from ldl.execute.evaluation import run_evaluations
from ldl.execute.preparation import PreparedExperiment
from ldl.execute.retraining import blas_threads
from ldl.execute.run_files import data_files, initial_files
from ldl.execute.saved_run import load_weights, prepare_saved
from ldl.execute.seen_samples import overlap_warnings
from ldl.execute.transfer import copy_matching, initial_weights
from ldl.folder_files import read_bytes
from ldl.runs import RunFolder, load_tensors, read_json, save_tensors, write_json
from ldl.runs.environment import collect_environment
from ldl.runs.log import log_to
from ldl.runs.status import RunState
from ldl.signals import DeferredSignals, interrupt_on_signal
from ldl.train import AverageResult, Trainer, TrainProgress, TrainResult


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
    with folder_in_errors(run), run.lock():
        train_into(prepared, dataset, run, callbacks, trained_run)
    return run


def resume(run: RunFolder, callbacks: Callbacks = NO_CALLBACKS) -> RunFolder:
    """Continue a run from its last checkpoint; the result is that of an uninterrupted run.

    Raises RunFolderError for a completed or diverged run, or when the data has changed.
    """
    with folder_in_errors(run), run.lock():
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
    trainer: Trainer | None = None
    try:
        run.set_status("running", epoch=0)
        with log_to(run.log) as log, interrupt_on_signal() as interruption:
            trainer = Trainer(prepared.experiment, dataset, run, callbacks.training)
            _copy_pretrained(prepared, trainer, log, callbacks)
            # Limits the threads of all libraries that are loaded by now.
            with blas_threads(prepared.experiment.parallelism.blas_threads):
                result = _train_and_evaluate(trainer, log, callbacks, trained_run)
            interruption.finish()
            run.set_status("completed", result.reason, epoch=result.epochs, best=result.best)
    except BaseException as error:
        _record_failure(run, error, trainer.epoch if trainer else None, callbacks)
        if isinstance(error, OSError):
            raise RunError(os_error_message(error)) from error
        raise


@contextmanager
def folder_in_errors(run: RunFolder) -> Iterator[None]:
    """Name the folder in errors after which `ldl resume` can continue the run."""
    try:
        yield
    except (LdlError, Interrupted) as error:
        if isinstance(error, Interrupted | RunError) or system_errno(error):
            error.folder = str(run.path)
        raise
    except (OSError, MemoryError) as error:
        run_error = RunError(os_error_message(error))
        run_error.folder = str(run.path)
        raise run_error from error


def _copy_pretrained(
    prepared: PreparedExperiment, trainer: Trainer, log: Logger, callbacks: Callbacks
) -> None:
    """Copy the pretrained weights, if there are any, and say which."""
    if not prepared.weights:
        return
    transfer = copy_matching(trainer.model.parameters, prepared.weights)
    log.info("%s", transfer)
    callbacks.note(str(transfer))
    if uncopied := sorted(prepared.experiment.frozen - {*transfer.copied}):
        callbacks.note(f"freeze keeps weights that were not copied: {', '.join(uncopied)}")


def _record_failure(
    run: RunFolder, error: BaseException, epoch: int | None, callbacks: Callbacks
) -> None:
    """Record in status.json and run.log why a run ended, as far as the disk allows it."""
    states: dict[type[BaseException], RunState] = {
        Interrupted: "interrupted",
        Diverged: "diverged",
    }
    state = states.get(type(error), "failed")
    is_known = isinstance(error, LdlError | Interrupted)
    reason = str(error) if is_known else f"{type(error).__name__}: {error}"
    with DeferredSignals():
        with suppress(LdlError, OSError, MemoryError):
            run.set_status(state, reason, epoch=epoch)
        with suppress(LdlError, OSError, MemoryError), log_to(run.log) as log:
            level = INFO if state == "interrupted" else ERROR
            log.log(level, "%s: %s", state, reason, exc_info=None if is_known else error)
        if state == "diverged":
            with suppress(LdlError, OSError, MemoryError):
                callbacks.draw(run.path)


def _train_and_evaluate(
    trainer: Trainer, log: Logger, callbacks: Callbacks, trained_run: RunFolder | None
) -> TrainResult:
    """Train or copy the weights of `trained_run`, save, evaluate, draw."""
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
    if result.average is not None:
        save_tensors(run.average, result.average.arrays)
        write_json(run.results, {"average": json_values(result.average.results)})
    run.set_status("running", epoch=result.epochs, best=result.best)  # the plots show the best
    if config.data.fresh_noise:  # evaluate with the noise of `load_data`, as `evaluate` does
        redraw_noise(trainer.dataset, config.data, config.seed, 0)
    evaluations = config.evaluate or []
    run_evaluations(experiment, model, trainer.dataset, run, evaluations, callbacks.stage)
    callbacks.stage("plots")
    callbacks.draw(run.path)
    return result


def _copy_trained(trainer: Trainer, trained_run: RunFolder) -> TrainResult:
    """Copy weights and metrics of a completed run. Raises RunFolderError for a damaged one."""
    load_weights(trainer.model, trained_run)
    write_bytes(trainer.run.metrics, read_bytes(trained_run.metrics))
    status, average = trained_run.read_status(), None
    if trainer.settings.average is not None and trained_run.average.exists():
        results = read_json(trained_run.results).get("average", {})
        average = AverageResult(load_tensors(trained_run.average)[0], results)
    return TrainResult(status.epoch or 0, status.reason, dict(status.best or {}), average)
