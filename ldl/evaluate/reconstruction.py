"""How much of the input comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.evaluate.context import Context, PartName, Task, judge, number
from ldl.evaluate.files import write_arrays
from ldl.evaluate.pictures import NO_PICTURES, class_names, heat_maps, images, spread

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo, Split

NEGATIVE = "the inputs have negative values, which no distribution has: no KL divergence"
_STRAY = 0.01
UNITS = {"kl_divergence": "nats"}


@dataclass(frozen=True)
class Reconstruction:
    """Mean square error, and KL(original ‖ reconstruction) in nats, of the clean inputs.

    The mean square error is over samples and their values. For the divergence each sample x
    becomes a distribution over its own pixels, p = (max(x, 0) + ε) / Σ (max(x, 0) + ε) with
    ε = 1/255, one grey level of an eight-bit image; Σ p·ln(p/q) is averaged over samples.
    Where more than 1 % of the originals' absolute sum is negative, as after standard scaling, the
    divergence has no meaning and is left out.
    Leaves `plots/reconstruction.npz`: about ten originals, reconstructions and squared errors by
    pixel, one a class where there are classes.
    """

    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a network that gives its one input back."""
        return reconstructs(info, task, "reconstruction")

    def run(self, context: Context) -> dict[str, Any]:
        """The two errors; and the pictures where the inputs are images."""
        judged = judge(self, context, self.part)
        info, part = context.dataset.info, judged.part
        clean = part.clean["x"]
        rebuilt = context.predict(part.inputs).reshape(clean.shape)
        notes = list(judged.notes)
        if info.image is None:
            notes.append(NO_PICTURES)
        else:
            file = judged.plot("reconstruction", "npz")
            chosen = spread(part.targets, judged.samples)
            write_arrays(file, **sheet(info, part, chosen, reconstruction=rebuilt))
        divergence = kl_or_note(clean, {"kl_divergence": rebuilt}, notes)
        return {
            "part": judged.name,
            "samples": judged.samples,
            "mse": number(metrics.mse(clean, rebuilt)),
            **divergence,
            "units": UNITS,
            "notes": notes,
        }


def reconstructs(info: DatasetInfo, task: Task, name: str) -> str | None:
    """Why `name` cannot hold the outputs against the inputs, or None."""
    if task != "reconstruction":
        return f"{name} judges networks that give their input back; this one's task is {task}"
    if set(info.inputs) != {"x"}:
        return f"{name} needs a single input; this data has {', '.join(info.inputs)}"
    return None


def kl_or_note(clean: Array, shown: dict[str, Array], notes: list[str]) -> dict[str, float | None]:
    """The divergence of each shown array from the clean one; None and a note if that is negative.

    A value a little below 0 comes of scaling fitted on other samples, and counts as 0.
    """
    if -np.minimum(clean, 0).sum() > _STRAY * np.abs(clean).sum():
        notes.append(NEGATIVE)
        return dict.fromkeys(shown)
    return {name: number(metrics.kl_divergence(clean, x)) for name, x in shown.items()}


def sheet(info: DatasetInfo, part: Split, chosen: Array, **shown: Array) -> dict[str, Array]:
    """Chosen samples as pictures: `original`, each of `shown`, `error` of the last, `labels`."""
    original = images(part.clean["x"][chosen], info)
    pictures = {name: images(x[chosen], info) for name, x in shown.items()}
    last = list(pictures.values())[-1]
    return {
        "original": original,
        **pictures,
        "error": heat_maps(original, last),
        "labels": class_names(part, info, chosen),
        "samples": np.asarray(chosen),
    }
