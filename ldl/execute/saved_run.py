"""A finished run read from its folder: experiment, data, trained model, predictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ldl.arrays import Array
from ldl.compile import CompileError, Config, Experiment, compile_config
from ldl.config import load
from ldl.data import (
    AffineScaler,
    Dataset,
    DatasetInfo,
    InputScalers,
    ProgressCallback,
    read_new_samples,
    to_source_units,
)
from ldl.engine.model import Model
from ldl.errors import RunFolderError
from ldl.execute.preparation import REGISTRIES, PreparedExperiment, prepare
from ldl.runs import RunFolder, load_tensors, read_mapping

DATA_FILE = "data.json"
SCALER_FILE = "scaler.safetensors"


def prepare_saved(
    run: RunFolder, progress: ProgressCallback | None = None
) -> tuple[PreparedExperiment, Dataset]:
    """The experiment of a run, without pretrained weights, and its data set.

    Raises RunFolderError when the data has changed since the run started.
    """
    prepared = prepare(run.config, load_pretrained=False)
    dataset = prepared.data(progress, stored_scaler(run))
    check_data_unchanged(run, dataset)
    return prepared, dataset


def check_data_unchanged(run: RunFolder, dataset: Dataset) -> None:
    """Raise RunFolderError when the data has changed since the run started."""
    recorded = read_mapping(run.environment).get("data_sha256")
    if recorded != dataset.sha256:
        raise RunFolderError(
            f"the data has changed since {run.name} started: its SHA-256 was {recorded} and is now "
            f"{dataset.sha256}"
        )


def stored_scaler(run: RunFolder) -> InputScalers | None:
    """The input scaler of a run, None if it has none. Raises RunFolderError for damaged files."""
    state = read_mapping(run.path / DATA_FILE)
    file = run.path / SCALER_FILE
    with _damaged(f"{run.path / DATA_FILE} and {SCALER_FILE} are"):
        if not state["scaler"]:
            return None
        arrays = load_tensors(file)[0] if file.exists() else {}
        return InputScalers.from_state(state["scaler"], arrays)


@contextmanager
def _damaged(subject: str) -> Iterator[None]:
    """Raise RunFolderError where the block meets a value that is missing or of a wrong type."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise RunFolderError(f"{subject} damaged: {reason}") from error


def trained_model(run: RunFolder, experiment: Experiment) -> Model:
    """The network of a run with its saved weights; RunFolderError when they do not fit."""
    model = Model(experiment.graph, experiment.config.seed)
    load_weights(model, run)
    return model


def load_weights(model: Model, run: RunFolder) -> None:
    """Load a run's saved weights into `model`. Raises RunFolderError when they do not fit."""
    status = run.read_status()
    if not run.model.exists() and status.status != "completed":
        raise RunFolderError(f"{run.name} has no weights: it is {status.status}, {status.reason}")
    arrays, _ = load_tensors(run.model)
    try:
        model.parameters.load(arrays)
    except (KeyError, ValueError) as error:
        raise RunFolderError(f"{run.model} does not fit its config.yaml: {error}") from error


def predict(run: RunFolder, path: Path) -> tuple[Experiment, Array]:
    """The experiment of a run, and its outputs (n, …) for the n samples in the file `path`.

    Outputs have the units of the data source. Crops of whitened images stay whitened.
    """
    state = read_mapping(run.path / DATA_FILE)
    with _damaged(f"{run.path / DATA_FILE} is"):
        info = DatasetInfo.from_state(state["info"])
        target_state = state["target_scale"]
        target_scaler = AffineScaler.from_state(target_state) if target_state else None
    try:
        experiment = compile_config(load(run.config, Config, REGISTRIES).value, info)
    except CompileError as error:
        raise RunFolderError(f"{run.config} does not fit {DATA_FILE}: {error}") from error
    scaler = stored_scaler(run)
    if scaler is not None and scaler.inputs.keys() != info.inputs.keys():
        raise RunFolderError(f"{run.path / DATA_FILE} is damaged: its scaler is of other inputs")
    delimiter = getattr(experiment.config.data.source, "delimiter", ",")
    samples = read_new_samples(path, info, scaler, delimiter)
    outputs = trained_model(run, experiment).predict(samples.inputs, experiment.output)
    outputs = experiment.final_outputs(outputs)
    if experiment.task == "reconstruction":
        unscaled = to_source_units(outputs, info, scaler)
        return experiment, outputs if unscaled is None else unscaled
    if target_scaler is not None:
        outputs = target_scaler.inverse(outputs)
    return experiment, outputs
