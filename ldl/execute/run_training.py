"""Training a run into its folder, from the start or from a checkpoint; the status follows."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.atomic_file import write_bytes
from ldl.data import Dataset, ProgressCallback, redraw_noise
from ldl.errors import Diverged, Interrupted, LdlError, RunError, RunFolderError
from ldl.execute.evaluation import (
    SCALER,
    check_data_unchanged,
    load_weights,
    run_evaluations,
    stored_scaler,
)
from ldl.execute.preparation import PreparedExperiment, data_warnings, prepare
from ldl.execute.transfer import START, copy_matching
from ldl.runs import RunFolder, load_tensors, save_tensors, to_json
from ldl.runs.environment import collect_environment
from ldl.runs.log import log_to
from ldl.runs.tensors import serialize
from ldl.train import Trainer, TrainProgress, TrainResult
from ldl.train.signals import interrupt_on_signal


@dataclass(frozen=True)
class Watchers:
    """Who is told how things go, and who draws the pictures; each may be left out."""

    data: ProgressCallback | None = None
    training: Callable[[TrainProgress], None] = lambda progress: None
    stage: Callable[[str], None] = lambda stage: None
    draw: Callable[[Path], Any] = lambda folder: None
    note: Callable[[str], None] = lambda note: None


SILENT = Watchers()


def train(
    prepared: PreparedExperiment,
    root: Path,
    watchers: Watchers = SILENT,
    files: Mapping[str, bytes] | None = None,
    trained: RunFolder | None = None,
) -> RunFolder:
    """Train in a new folder under `root`, judge, draw, and leave the folder complete.

    `files` are laid into the folder beside its own when it appears. The weights and metrics of a
    run of the same configuration that is `trained` are taken instead of training again.

    Raises Diverged or Interrupted, and what evaluations raise; the folder's status says so too.
    """
    config = prepared.experiment.config
    dataset = prepared.data(watchers.data)
    for note in data_warnings(prepared.experiment, dataset):
        watchers.note(note)
    text = prepared.yaml
    contents = {
        "config.yaml": text.encode(),
        "source.yaml": prepared.loaded.text.encode(),
        "overrides.yaml": _overrides(prepared.loaded.overrides).encode(),
        **data_files(dataset),
        **initial_files(prepared, dataset, collect_environment(sys.argv, config.seed)),
        **(files or {}),
    }
    digest = hashlib.sha256(text.encode()).hexdigest()
    run = RunFolder.create(root, config.name, digest, contents)
    with run.lock():
        train_into(prepared, dataset, run, watchers, trained)
    return run


def resume(run: RunFolder, watchers: Watchers = SILENT) -> RunFolder:
    """Go on with a run from its last checkpoint; the result is that of an undisturbed run.

    Raises RunFolderError for a completed or diverged run, or where the data is not what it was.
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
        prepared = replace(prepare(run.config, start=False), weights=initial_weights(run))
        dataset = prepared.data(watchers.data, stored_scaler(run))
        check_data_unchanged(run, dataset)
        train_into(prepared, dataset, run, watchers)
    return run


def _overrides(overrides: Sequence[str]) -> str:
    """overrides.yaml: a list of texts, as they stood on the command line."""
    import yaml

    return yaml.safe_dump(list(overrides), allow_unicode=True, default_flow_style=False)


def data_files(dataset: Dataset) -> dict[str, bytes]:
    """The files of a new run that tell of its data."""
    return {
        "data.json": to_json(data_state(dataset)),
        "split.npz": split_rows(dataset),
        **_tensor_files(SCALER, dataset.scaler.arrays() if dataset.scaler else {}),
    }


def initial_files(
    prepared: PreparedExperiment, dataset: Dataset, found: Mapping[str, Any]
) -> dict[str, bytes]:
    """What a new run starts from: weights, and the environment that was `found`, with its own."""
    parallelism = prepared.experiment.parallelism
    own = {
        "seed": prepared.experiment.config.seed,
        "data_sha256": dataset.sha256,
        "threads": {
            "asked": prepared.experiment.config.train.threads,
            "parts_of_a_batch": parallelism.shards,
            "blas": parallelism.blas_threads,
        },
    }
    weights = _tensor_files(START, prepared.weights)
    return {**weights, "environment.json": to_json({**found, **own})}


def data_state(dataset: Dataset) -> dict[str, Any]:
    """What `predict` needs to know of the data: shapes, names and the fitted scaling."""
    return {
        "info": dataset.info.state(),
        "scaler": dataset.scaler.state() if dataset.scaler else None,
        "target_scale": dataset.target_scaler.state() if dataset.target_scaler else None,
    }


def split_rows(dataset: Dataset) -> bytes:
    """split.npz: which samples of the source each part holds, counted from 0."""
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    content = io.BytesIO()
    rows: dict[str, Any] = {
        name: part.sample_indices
        for name, part in parts.items()
        if part and part.sample_indices is not None
    }
    np.savez_compressed(content, **rows)
    return content.getvalue()


def _tensor_files(name: str, arrays: Mapping[str, Array]) -> dict[str, bytes]:
    """A file of arrays and its SHA-256; nothing where there are none."""
    if not arrays:
        return {}
    data = serialize(arrays)
    line = f"{hashlib.sha256(data).hexdigest()}  {name}\n"
    return {name: data, f"{name}.sha256": line.encode()}


def initial_weights(run: RunFolder) -> dict[str, Array]:
    """The weights that a run started from, where it had any."""
    file = run.path / START
    return load_tensors(file)[0] if file.exists() else {}


def train_into(
    prepared: PreparedExperiment,
    dataset: Dataset,
    run: RunFolder,
    watchers: Watchers = SILENT,
    trained: RunFolder | None = None,
) -> None:
    """Train, save, judge, draw, from the folder's checkpoint on if it has one; its lock is held.

    Raises what `train` raises. However it ends, the status says it.
    """
    experiment = prepared.experiment
    run.set_status("running", epoch=0)
    with log_to(run.log) as log:
        trainer = Trainer(experiment, dataset, run, watchers.training)
        if prepared.weights:
            taken = copy_matching(trainer.model.parameters, prepared.weights)
            log.info("%s", taken)
            watchers.note(str(taken))
            if random := sorted(experiment.frozen - {*taken.taken}):
                watchers.note(f"freeze keeps weights that were not taken: {', '.join(random)}")
        try:
            # `_threads` acts on every BLAS that is loaded by now
            with interrupt_on_signal(), _threads(experiment.parallelism.blas_threads):
                _work(trainer, log, watchers, trained)
        except Interrupted as error:
            error.folder = str(run.path)
            log.info("%s after epoch %s", error, trainer.epoch)
            run.set_status("interrupted", str(error), epoch=trainer.epoch)
            raise
        except Diverged as error:
            error.folder = str(run.path)
            log.error("%s", error)
            run.set_status("diverged", str(error), epoch=trainer.epoch)
            watchers.draw(run.path)
            raise
        except BaseException as error:
            log.exception("failed")
            reason = (
                str(error) if isinstance(error, LdlError) else f"{type(error).__name__}: {error}"
            )
            run.set_status("failed", reason, epoch=trainer.epoch)
            if isinstance(error, RunError):
                error.folder = str(run.path)
            raise


def _work(trainer: Trainer, log: Logger, watchers: Watchers, trained: RunFolder | None) -> None:
    """What `train_into` watches over."""
    run, experiment, model = trainer.run, trainer.experiment, trainer.model
    if trained is None:
        log.info("training %s weights on %s samples", model.parameters.count, trainer.loop.samples)
        outcome = trainer.fit()
        log.info("training ended after epoch %s: %s", outcome.epochs, outcome.reason)
    else:
        outcome = _taken(trainer, trained)
        log.info("the weights and metrics of %s, trained before", trained.name)
    save_tensors(run.model, model.parameters.arrays())
    run.set_status("running", epoch=outcome.epochs, best=outcome.best)  # which the pictures show
    if experiment.config.data.fresh_noise:  # judged with that of `load`, as `evaluate` does
        redraw_noise(trainer.dataset, experiment.config.data, experiment.config.seed, 0)
    evaluations = experiment.config.evaluate or []
    run_evaluations(experiment, model, trainer.dataset, run, evaluations, watchers.stage)
    watchers.stage("pictures")
    watchers.draw(run.path)
    run.set_status("completed", outcome.reason, epoch=outcome.epochs, best=outcome.best)


def _taken(trainer: Trainer, trained: RunFolder) -> TrainResult:
    """A training that has ended in another folder. Raises RunFolderError for a damaged one."""
    load_weights(trainer.model, trained)
    write_bytes(trainer.run.metrics, trained.metrics.read_bytes())
    status = trained.read_status()
    return TrainResult(status.epoch or 0, status.reason, dict(status.best or {}))


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """So many threads for matrix products; None leaves them alone."""
    if count is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count, user_api="blas"):
        yield
