"""The files that a new run folder starts with, besides its configuration."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.data import Dataset
from ldl.execute.preparation import PreparedExperiment
from ldl.execute.saved_run import DATA_FILE, SCALER_FILE
from ldl.execute.transfer import INITIAL_WEIGHTS_FILE
from ldl.runs import to_json
from ldl.runs.tensors import serialize


def data_files(dataset: Dataset) -> dict[str, bytes]:
    """data.json, split.npz and the arrays of the input scaler, by file name."""
    return {
        DATA_FILE: to_json(_data_state(dataset)),
        "split.npz": _split_file(dataset),
        **_tensor_files(SCALER_FILE, dataset.scaler.arrays() if dataset.scaler else {}),
    }


def initial_files(
    prepared: PreparedExperiment, dataset: Dataset, environment: Mapping[str, Any]
) -> dict[str, bytes]:
    """The pretrained weights and environment.json, by file name.

    `environment` is that of the process, from `collect_environment`; seed, data and threads of the
    run are added here.
    """
    experiment = prepared.experiment
    parallelism = experiment.parallelism
    run_environment = {
        "seed": experiment.config.seed,
        "data_sha256": dataset.sha256,
        "threads": {
            "asked": experiment.config.train.threads,
            "parts_of_a_batch": parallelism.shards,
            "blas": parallelism.blas_threads,
        },
    }
    weights = _tensor_files(INITIAL_WEIGHTS_FILE, prepared.weights)
    return {**weights, "environment.json": to_json({**environment, **run_environment})}


def _data_state(dataset: Dataset) -> dict[str, Any]:
    """The shapes, names and fitted scalers of the data, which `predict` reads."""
    return {
        "info": dataset.info.state(),
        "scaler": dataset.scaler.state() if dataset.scaler else None,
        "target_scale": dataset.target_scaler.state() if dataset.target_scaler else None,
    }


def _split_file(dataset: Dataset) -> bytes:
    """An npz file with the source's sample indices (n,) of each part, counted from 0."""
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    indices: dict[str, Any] = {
        name: part.sample_indices
        for name, part in parts.items()
        if part and part.sample_indices is not None
    }
    content = io.BytesIO()
    np.savez_compressed(content, **indices)
    return content.getvalue()


def _tensor_files(name: str, arrays: Mapping[str, Array]) -> dict[str, bytes]:
    """A safetensors file and its SHA-256, by file name; empty without arrays."""
    if not arrays:
        return {}
    data = serialize(arrays)
    line = f"{hashlib.sha256(data).hexdigest()}  {name}\n"
    return {name: data, f"{name}.sha256": line.encode()}
