"""What a layer answers to a few samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl.arrays import Array
from ldl.evaluate.context import Context, PartName, Task, judge, number
from ldl.evaluate.files import write_arrays
from ldl.evaluate.network import NetworkInfo, SettingProblem, unknown_place
from ldl.evaluate.pictures import class_names, images, spread
from ldl.fields import Doc, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

MAPS = 16


@dataclass(frozen=True)
class Activations:
    """z = f(x) (n, …), the values of one place for a few samples, one a class where there are any.

    Left without `place`, it is the activation that follows the first layer with weights, or that
    layer itself. Channels of pictures are shown as maps (sixteen at most), signals with a row a
    channel, vectors with a row a sample. Over the judged part: mean, standard deviation, the share
    of zeros, and how many units (channels) never change.
    Leaves `plots/activations.npz`.
    """

    place: Annotated[str | None, Doc("the name of a value")] = None
    samples: Size = 10
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Judges any data and task."""
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs the place, or a layer with weights."""
        if self.place is not None:
            return unknown_place(self.place, network)
        return [] if network.first else [("", "activations: no layer has weights: name a `place`")]

    def run(self, context: Context) -> dict[str, Any]:
        """The figures over the judged part."""
        judged = judge(self, context, self.part)
        info, part, first = context.dataset.info, judged.part, context.network.first
        place = self.place or (first.activated if first else "")
        z = context.values(place, part.inputs)
        chosen = spread(part.targets, judged.samples, self.samples)
        shown = {"values": _shown(z[chosen]), "labels": class_names(part, info, chosen)}
        if info.image is not None:
            shown["images"] = images(part.inputs["x"][chosen], info)
        write_arrays(judged.plot("activations", "npz"), place=np.array(place), **shown)
        flat = z.reshape(-1, z.shape[-1]) if z.ndim > 1 else z[:, None]
        return {
            "part": judged.name,
            "samples": judged.samples,
            "place": place,
            "shape": list(z.shape[1:]),
            "mean": number(float(flat.mean(dtype=np.float64))),
            "sd": number(float(flat.std(dtype=np.float64))),
            "zeros": number(float((flat == 0).mean())),
            "constant_units": int((flat.max(axis=0) == flat.min(axis=0)).sum()),
            "notes": list(judged.notes),
        }


def _shown(z: Array) -> Array:
    """Maps (n, c, h, w), signals (n, c, l) or vectors (n, f)."""
    if z.ndim == 4:
        return np.ascontiguousarray(z[..., :MAPS].transpose(0, 3, 1, 2))
    if z.ndim == 3:
        return np.ascontiguousarray(z.transpose(0, 2, 1))
    return z.reshape(len(z), -1)
