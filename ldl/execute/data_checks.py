"""Checks of loaded data against the losses and layers that read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ldl.compile import Experiment, PathProblem
from ldl.data import Dataset
from ldl.engine.graph import LossNode
from ldl.engine.layers.activation import Sigmoid
from ldl.engine.layers.embedding import Embedding
from ldl.engine.losses import Bce

LARGE_TARGET = 100.0


def data_warnings(experiment: Experiment, dataset: Dataset) -> list[str]:
    """Warnings on data that is allowed but unlikely to be intended."""
    warnings = _duplicate_warnings(experiment, dataset)
    values = dataset.train.targets
    if experiment.task == "regression" and dataset.target_scaler is None and values is not None:
        largest = float(np.abs(values).max())
        if largest > LARGE_TARGET:
            hint = "`data.scale_targets: standard` usually trains better, in the same units"
            warnings.append(f"the targets go up to {largest:g}: {hint}")
    layers = {node.name: node.layer for node in experiment.graph.nodes}
    for loss, low, high in _targets_beyond_0_to_1(experiment, dataset):
        if isinstance(layers.get(loss.inputs[0]), Sigmoid):
            warnings.append(
                f"{loss.inputs[0]} gives 0 to 1, but its targets go from {low:.3g} to {high:.3g}: "
                "scale them with minmax, or end with another layer"
            )
    return warnings


def _duplicate_warnings(experiment: Experiment, dataset: Dataset) -> list[str]:
    """A warning on samples of the test and validation splits that were trained on as well."""
    if not dataset.shared:
        return []
    split, official = experiment.config.data.split, dataset.info.official_test
    text = f"{sample_counts(dataset.shared, dataset)} are equal to training samples, so figures on "
    text += "them are too good"
    if split.duplicates == "warn" and (split.pooled or not official):
        text += "; `data.split.duplicates: together` keeps equal samples in one split"
    return [text]


def sample_counts(counts: Mapping[str, int], dataset: Dataset) -> str:
    """Numbers of samples by split as text: `178 of 359 test samples`."""
    return " and ".join(
        f"{count} of {len(getattr(dataset, name))} {name} samples" for name, count in counts.items()
    )


def data_problems(experiment: Experiment, dataset: Dataset) -> list[PathProblem]:
    """Values of the data that a loss or a layer cannot take."""
    return [*_target_problems(experiment, dataset), *_index_problems(experiment, dataset)]


def _targets_beyond_0_to_1(
    experiment: Experiment, dataset: Dataset
) -> Iterator[tuple[LossNode, float, float]]:
    """(loss, lowest, highest target) for each loss with float targets outside 0 to 1."""
    arrays = experiment.arrays(dataset.train, dataset.target_scaler)
    for loss in experiment.graph.losses:
        target = arrays[loss.inputs[1]]
        if target.dtype.kind != "i":
            low, high = float(target.min()), float(target.max())
            if low < 0.0 or high > 1.0:
                yield loss, low, high


def _target_problems(experiment: Experiment, dataset: Dataset) -> Iterator[PathProblem]:
    """Targets of binary cross-entropy outside 0 to 1."""
    for loss, low, high in _targets_beyond_0_to_1(experiment, dataset):
        if isinstance(loss.layer, Bce):
            is_labels = experiment.targets.get(loss.inputs[1]) == "labels"
            setting = "data.scale_targets" if is_labels else "data.scale"
            message = f"bce takes targets from 0 to 1, and these go from {low:g} to {high:g}"
            yield ("loss",), f"{message}; use `{setting}: minmax`"


def _index_problems(experiment: Experiment, dataset: Dataset) -> Iterator[PathProblem]:
    """Values of the data that an embedding has no row for."""
    splits = [split for split in (dataset.train, dataset.validation, dataset.test) if split]
    for node in experiment.graph.nodes:
        name, layer = node.inputs[0], node.layer
        if not isinstance(layer, Embedding) or name not in dataset.train.inputs:
            continue
        values = [split.inputs[name] for split in splits]
        low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
        is_whole = all(np.array_equal(v, np.rint(v)) for v in values)
        if low < 0.0 or high > layer.entries - 1 or not is_whole:
            message = f"embedding takes whole numbers from 0 to {layer.entries - 1}, and these go "
            message += f"{'' if is_whole else 'fractions '}from {low:g} to {high:g}"
            hint = "" if is_whole else "; `data.scale` and `noise` leave none whole"
            yield experiment.origins[node.name], message + hint
