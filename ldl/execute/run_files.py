"""The files that a new run folder starts with, besides its configuration."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from ldl.data import Dataset
from ldl.execute.preparation import PreparedExperiment
from ldl.execute.saved_run import DATA_FILE, SCALER_FILE
from ldl.execute.seen_samples import INPUTS_DIGEST_KEY, SEEN_SAMPLES_FILE
from ldl.execute.transfer import INITIAL_WEIGHTS_FILE
from ldl.runs import to_json
from ldl.runs.evaluation_counts import DIGEST_KEY, SPLIT_FILE, samples_digest
from ldl.runs.tensors import tensor_files


def data_files(dataset: Dataset) -> dict[str, bytes]:
    """data.json, split.npz and the arrays of the input scaler, by file name.

    split.npz holds the source's sample indices (n,) of each split, counted from 0.
    """
    scaler, target_scaler = dataset.scaler, dataset.target_scaler
    state = {
        "info": dataset.info.state(),
        "scaler": scaler.state() if scaler else None,
        "target_scale": target_scaler.state() if target_scaler else None,
    }
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    indices: dict[str, Any] = {
        name: split.sample_indices
        for name, split in splits.items()
        if split and split.sample_indices is not None
    }
    split_file = io.BytesIO()
    np.savez_compressed(split_file, **indices)
    return {
        DATA_FILE: to_json(state),
        SPLIT_FILE: split_file.getvalue(),
        **tensor_files(SCALER_FILE, scaler.arrays() if scaler else {}),
    }


def initial_files(
    prepared: PreparedExperiment, dataset: Dataset, environment: Mapping[str, Any]
) -> dict[str, bytes]:
    """The pretrained weights, what they have seen, and environment.json, by file name.

    `environment` is that of the process, from `collect_environment`; seed, data and threads of the
    run are added here.
    """
    config, parallelism = prepared.experiment.config, prepared.experiment.parallelism
    run_environment = {
        "seed": config.seed,
        "data_sha256": dataset.sha256,
        INPUTS_DIGEST_KEY: dataset.inputs_sha256,
        "threads": {
            "asked": config.train.threads,
            "parts_of_a_batch": parallelism.shards,
            "blas": parallelism.blas_threads,
        },
    }
    if dataset.test is not None and dataset.test.sample_indices is not None:
        rows = dataset.test.sample_indices
        run_environment[DIGEST_KEY] = samples_digest(dataset.sha256, rows)
    weights = tensor_files(INITIAL_WEIGHTS_FILE, prepared.weights)
    weights |= tensor_files(SEEN_SAMPLES_FILE, prepared.seen.arrays())
    return {**weights, "environment.json": to_json({**environment, **run_environment})}
