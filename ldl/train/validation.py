"""The figures of a held-out part after an epoch, in one pass over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.compile.experiment import Experiment
from ldl.engine.model import EVALUATION_BATCH, Model, batches

FIGURES = {"classification": "accuracy", "regression": "r2"}


def validate(
    model: Model, experiment: Experiment, arrays: Mapping[str, Array], terms: Sequence[str] = ()
) -> dict[str, float]:
    """The loss, and by the task the accuracy or R², of a part's arrays, in eval mode.

    `terms` names the shares of several losses that are wanted too.
    """
    output = experiment.output
    count = len(next(iter(arrays.values())))
    outputs = np.empty((count, *experiment.graph.specs[output].shape), np.float32)
    loss, shares = 0.0, [0.0] * len(terms)
    with np.errstate(all="ignore"):
        for start, stop in batches(count, EVALUATION_BATCH):
            binding = model.evaluation_executor(stop - start, (output,))
            for name, array in binding.inputs.items():
                np.copyto(array, arrays[name][start:stop])
            binding.forward()
            loss += binding.loss() * (stop - start)
            if terms:
                found = zip(shares, binding.losses(), strict=True)
                shares = [share + term * (stop - start) for share, term in found]
            outputs[start:stop] = binding.values[output]
    figures = {"loss": loss / count}
    figures |= {name: share / count for name, share in zip(terms, shares, strict=True)}
    if experiment.task == "classification":
        truth = arrays[experiment.label_input]
        figures["accuracy"] = metrics.accuracy(truth, experiment.classes(outputs))
    elif experiment.task == "regression" and count > 1:
        figures["r2"] = metrics.r2(arrays[experiment.label_input], outputs)
    return figures
