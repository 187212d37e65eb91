"""What the first layer looks for."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl.errors import DataError
from ldl.evaluate.context import Context, Task, number
from ldl.evaluate.files import write_arrays
from ldl.evaluate.network import First, NetworkInfo, SettingProblem
from ldl.fields import Doc, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

NO_FILTERS = "filters shows a first layer that is linear on images or a convolution"


@dataclass(frozen=True)
class Filters:
    """wₒ, the weights of each unit o of the first layer, as a picture of what it responds to most.

    Of a linear layer on images a picture as large as they are, of a convolution its kernel, one row
    high in one dimension. Units stand in order; `norm` is the mean length ‖wₒ‖, and `dead` counts
    those shorter than a thousandth of the longest. Leaves `plots/filters.npz`.
    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998; Zeiler and
    Fergus, Visualizing and Understanding Convolutional Networks, 2014.
    """

    count: Annotated[Size, Doc("at most so many are shown")] = 64

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Judges any data and task."""
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs a first layer whose weights are pictures."""
        if _shape(info, network.first) is None:
            kind = "none" if network.first is None else f"{network.first.name}"
            return [("", f"{NO_FILTERS}; the first one here is {kind}")]
        return []

    def run(self, context: Context) -> dict[str, Any]:
        """How many units there are, and how strong they are."""
        info, first = context.dataset.info, context.network.first
        shape = _shape(info, first)
        if first is None or shape is None:
            raise DataError(self.network_problems(info, context.network)[0][1])
        weight = context.weights[f"{first.name}.weight"]
        pictures = weight.reshape(-1, weight.shape[-1]).T.reshape(-1, *shape)
        norms = np.sqrt(np.square(pictures.astype(np.float64)).sum(axis=(1, 2, 3)))
        path = context.folder / "plots" / context.file("test", "filters", "npz")
        write_arrays(
            path,
            filters=pictures[: self.count],
            layer=np.array(first.name),
            total=np.array(len(pictures)),
        )
        return {
            "part": "test",
            "layer": first.name,
            "count": len(pictures),
            "shape": list(shape),
            "norm": number(float(norms.mean())),
            "dead": int((norms < 1e-3 * norms.max()).sum()),
            "notes": [],
        }


def _shape(info: DatasetInfo, first: First | None) -> tuple[int, int, int] | None:
    """The height, width and channels of a unit's weights, where that is a picture."""
    if first is None:
        return None
    if first.kind == "conv2d":
        return first.weight[0], first.weight[1], first.weight[2]
    if first.kind == "conv1d":
        return 1, first.weight[0], first.weight[1]
    sees = info.image if first.input == "x" else None
    if first.kind == "linear" and sees is not None and prod(sees) == first.weight[0]:
        return sees
    return None
