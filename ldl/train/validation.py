"""Metrics of the validation samples after an epoch, and the monitor of the best epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.compile.experiment import Experiment
from ldl.compile.experiment_config import EarlyStopping
from ldl.engine.model import EVALUATION_BATCH, Model, batches

TASK_METRICS = {"classification": "accuracy", "regression": "r2"}


def validate(
    model: Model, experiment: Experiment, arrays: Mapping[str, Array], terms: Sequence[str] = ()
) -> dict[str, float]:
    """`loss`, and by the task `accuracy` or `r2`, of `arrays`, {graph input: (n, …)}.

    `terms` names the weighted losses of a network with several, whose means are added under these
    names. The network runs in evaluation mode.
    """
    output = experiment.output
    count = len(next(iter(arrays.values())))
    outputs = np.empty((count, *experiment.graph.specs[output].shape), np.float32)
    loss, term_sums = 0.0, [0.0] * len(terms)
    with np.errstate(all="ignore"):
        for start, stop in batches(count, EVALUATION_BATCH):
            executor = model.evaluation_executor(stop - start, (output,))
            for name, array in executor.inputs.items():
                np.copyto(array, arrays[name][start:stop])
            executor.forward()
            loss += executor.loss() * (stop - start)
            if terms:
                pairs = zip(term_sums, executor.losses(), strict=True)
                term_sums = [total + term * (stop - start) for total, term in pairs]
            outputs[start:stop] = executor.values[output]
    results = {"loss": loss / count}
    results |= {name: total / count for name, total in zip(terms, term_sums, strict=True)}
    if experiment.task == "classification":
        true = arrays[experiment.label_input]
        results["accuracy"] = metrics.accuracy(true, experiment.predicted_classes(outputs))
    elif experiment.task == "regression" and count > 1:
        results["r2"] = metrics.r2(arrays[experiment.label_input], outputs)
    return results


@dataclass
class MetricMonitor:
    """The best epoch by one column of metrics.csv; `sign` is −1 where a larger value is better."""

    column: str
    sign: float = 1.0
    min_delta: float = 0.0
    epoch: int = 0
    value: float | None = None
    waited: int = 0  # epochs since the best one

    def update(self, epoch: int, value: float | None) -> bool:
        """Whether this epoch beats the best by more than `min_delta`; if so, remember it."""
        if value is None:
            return False
        better = self.value is None or self.sign * (self.value - value) > self.min_delta
        if better:
            self.epoch, self.value, self.waited = epoch, value, 0
        else:
            self.waited += 1
        return better


def metric_monitor(stopping: EarlyStopping | None, has_validation: bool) -> MetricMonitor:
    """The monitor of the best epoch, by a validation metric, or without one the training loss."""
    split = "validation" if has_validation else "train"
    if stopping is None:
        return MetricMonitor(f"{split}_loss")
    sign = -1.0 if stopping.monitor == "accuracy" else 1.0
    return MetricMonitor(f"{split}_{stopping.monitor}", sign, stopping.min_delta)
