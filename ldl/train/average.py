"""Averaged weights at the end of a training, beside the last ones: both are saved and evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.compile.experiment import Experiment
from ldl.data import Dataset
from ldl.engine.layers.batch_norm import BatchNorm
from ldl.train.loop import TrainLoop
from ldl.train.validation import validate

NOTES = {  # by `train.keep`
    "best": "model.safetensors has the weights of the best epoch, average.safetensors the average",
    "last": "model.safetensors has the last weights, average.safetensors the average",
    "average": "model.safetensors and average.safetensors both have the averaged weights",
}


@dataclass(frozen=True)
class AverageResult:
    """The averaged weights by name, and `results`: metrics of the last and of the averaged ones."""

    arrays: Mapping[str, Array]
    results: Mapping[str, Any]


def evaluate_average(
    loop: TrainLoop, experiment: Experiment, dataset: Dataset, epoch: int
) -> AverageResult | None:
    """The averaged weights after `epoch`, beside the last ones; None if none were averaged.

    The metrics are those of the validation split, else of the training split: the test split is for
    the weights that are kept. Running statistics are those of the averaged weights: see
    `recompute_running_stats`. The model keeps its weights.
    """
    settings = loop.options.average
    if settings is None or loop.average is None or not loop.average_count:
        return None
    parameters, split = loop.model.parameters, "validation" if dataset.validation else "train"
    samples = getattr(dataset, split)
    inputs = experiment.arrays(samples, dataset.target_scaler)
    last = {name: array.copy() for name, array in parameters.arrays().items()}
    last_metrics = validate(loop.model, experiment, inputs)
    np.copyto(loop.theta, loop.average)
    recompute_running_stats(loop, epoch)
    metrics = validate(loop.model, experiment, inputs)
    arrays = {name: array.copy() for name, array in parameters.arrays().items()}
    parameters.load(last)
    notes = [NOTES[experiment.config.train.keep]]
    if split == "validation" and metrics["loss"] > last_metrics["loss"]:
        losses = f"loss {metrics['loss']:.4g} against {last_metrics['loss']:.4g}"
        notes.append(
            f"on the validation split the average is worse than the last weights: {losses}"
        )
    results = {
        "part": split,
        "samples": len(samples),
        "averaged": loop.average_count,
        "last": last_metrics,
        "average": metrics,
        "units": {"averaged": "steps" if settings.per_step else "epochs"},
        "notes": notes,
    }
    return AverageResult(arrays, results)


def recompute_running_stats(loop: TrainLoop, epoch: int) -> None:
    """The running statistics of every batch_norm: equally weighted means of the batches of `epoch`.

    As PyTorch's update_bn: the statistics of a training belong to other weights than its average.
    A layer without a momentum, and one that sees single values only, keeps its statistics.
    """
    model, totals, counts = loop.model, dict[str, Array](), dict[str, int]()
    graph, state = model.graph, model.parameters.state
    norms = [
        (n, n.layer) for n in graph.nodes if isinstance(n.layer, BatchNorm) and n.layer.momentum
    ]
    if not norms:
        return
    kept = {name: array.copy() for name, array in state.items()}

    def clear() -> None:
        for array in state.values():
            array.fill(0.0)

    for samples in loop.forward_batches(epoch, clear):
        shares: dict[str, float] = {}  # of the batch in the running statistics, which began at 0
        for node, layer in norms:
            owner = graph.owners[node.name]
            if samples * int(np.prod(graph.specs[node.name].shape[:-1])) > 1:
                old = shares.get(owner, 0.0)
                shares[owner] = old + layer.momentum * (1.0 - old)
        for owner, share in shares.items():
            counts[owner] = counts.get(owner, 0) + 1
            for key in ("running_mean", "running_var"):
                name = f"{owner}.{key}"
                totals[name] = totals.get(name, 0.0) + state[name].astype(np.float64) / share
    for name, array in state.items():
        owner = name.rpartition(".")[0]
        array[...] = totals[name] / counts[owner] if owner in counts else kept[name]
