"""The evaluation `reconstruction`: the errors of an autoencoder's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo
from ldl.evaluate.context import Evaluation, EvaluationContext, SplitSetting, Task
from ldl.evaluate.result_files import write_arrays
from ldl.evaluate.sample_images import NO_IMAGES, comparison_images, spread_over_classes

NEGATIVE = "the inputs have negative values, which no distribution has: no KL divergence"
UNITS = {"kl_divergence": "nats"}
_MAX_NEGATIVE_SHARE = 0.01


@dataclass(frozen=True)
class Reconstruction(Evaluation):
    """Mean squared error, and KL(original ‖ reconstruction) in nats, of the clean inputs.

    The mean squared error is over samples and their values. For the divergence each sample x
    becomes a distribution over its own pixels, p = (max(x, 0) + ε) / Σ (max(x, 0) + ε) with
    ε = 1/255, one grey level of an eight-bit image; Σ p·ln(p/q) is averaged over samples.
    Where more than 1 % of the originals' absolute sum is negative, as after standard scaling, the
    divergence has no meaning and is left out.
    Writes `plots/reconstruction.npz`: about ten originals, reconstructions and squared errors by
    pixel, one of each class where there are classes.
    """

    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The network needs to reconstruct its single input."""
        return reconstruction_problem(info, task, "reconstruction")

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The two errors; writes the images where the inputs are images."""
        evaluated = self.select_split(context, self.split)
        info, split, notes = context.dataset.info, evaluated.split, list(evaluated.notes)
        clean = split.clean["x"]
        outputs = context.predict(split.inputs).reshape(clean.shape)
        if info.image is None:
            notes.append(NO_IMAGES)
        else:
            indices = spread_over_classes(split.targets, evaluated.samples)
            images = comparison_images(info, split, indices, reconstruction=outputs)
            write_arrays(evaluated.plot("reconstruction", "npz"), **images)
        results = {**reconstruction_errors(clean, outputs, notes), "units": UNITS}
        return evaluated.results(results, notes)


def reconstruction_problem(info: DatasetInfo, task: Task, name: str) -> str | None:
    """Why the evaluation `name` cannot compare outputs with inputs, or None."""
    if task != "reconstruction":
        return f"{name} needs a network that reconstructs its input; this one's task is {task}"
    if set(info.inputs) != {"x"}:
        return f"{name} needs a single input; this data has {', '.join(info.inputs)}"
    return None


def reconstruction_errors(
    clean: Array, outputs: Array, notes: list[str]
) -> dict[str, float | None]:
    """`mse` and `kl_divergence` of outputs shaped like the clean inputs."""
    divergence = kl_divergences(clean, {"kl_divergence": outputs}, notes)
    return {"mse": metrics.mse(clean, outputs), **divergence}


def kl_divergences(
    clean: Array, outputs: dict[str, Array], notes: list[str]
) -> dict[str, float | None]:
    """KL(clean ‖ output) of each; None, with a note, where the clean inputs are negative.

    Values a little below 0, which come of scaling fitted on other samples, count as 0.
    """
    if -np.minimum(clean, 0).sum() > _MAX_NEGATIVE_SHARE * np.abs(clean).sum():
        notes.append(NEGATIVE)
        return dict.fromkeys(outputs)
    return {name: metrics.kl_divergence(clean, x) for name, x in outputs.items()}
