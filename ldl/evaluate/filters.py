"""The evaluation `filters`: the weights of the first layer as images."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np

from ldl.data.dataset import DatasetInfo
from ldl.errors import DataError
from ldl.evaluate.context import (
    Evaluation,
    EvaluationContext,
    FirstLayer,
    NetworkInfo,
    SettingProblem,
)
from ldl.evaluate.result_files import write_arrays
from ldl.fields import Doc, Size

NO_FILTERS = "filters shows a first layer that is linear on images or a convolution"


@dataclass(frozen=True)
class Filters(Evaluation):
    """wₒ, the weights of each unit o of the first layer: an image of the input it responds to most.

    For a linear layer on images they have the size of the image, for a convolution that of the
    kernel, in one dimension with a height of one. Units keep their order; `norm` is the mean
    length ‖wₒ‖, and `dead` counts those shorter than a thousandth of the longest. Writes
    `plots/filters.npz`.
    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998; Zeiler and
    Fergus, Visualizing and Understanding Convolutional Networks, 2014.
    """

    count: Annotated[Size, Doc("how many are shown, at most")] = 64

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """The network needs a first layer whose weights have the shape of an image."""
        if _filter_shape(info, network.first_layer) is None:
            kind = "none" if network.first_layer is None else f"{network.first_layer.name}"
            return [("", f"{NO_FILTERS}; the first one here is {kind}")]
        return []

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The number of units, and the length of their weights."""
        info, first = context.dataset.info, context.network.first_layer
        shape = _filter_shape(info, first)
        if first is None or shape is None:
            raise DataError(self.network_problems(info, context.network)[0][1])
        weight = context.weights[f"{first.name}.weight"]
        filters = weight.reshape(-1, weight.shape[-1]).T.reshape(-1, *shape)
        norms = np.sqrt(np.square(filters.astype(np.float64)).sum(axis=(1, 2, 3)))
        write_arrays(
            context.folder / "plots" / context.file_name("test", "filters", "npz"),
            filters=filters[: self.count],
            layer=np.array(first.name),
            total=np.array(len(filters)),
        )
        return {
            "part": "test",
            "layer": first.name,
            "count": len(filters),
            "shape": list(shape),
            "norm": float(norms.mean()),
            "dead": int((norms < 1e-3 * norms.max()).sum()),
            "notes": [],
        }


def _filter_shape(info: DatasetInfo, first: FirstLayer | None) -> tuple[int, int, int] | None:
    """Height, width and channels of a unit's weights; None where they are no image."""
    if first is None:
        return None
    if first.kind == "conv2d":
        return first.weight[0], first.weight[1], first.weight[2]
    if first.kind == "conv1d":
        return 1, first.weight[0], first.weight[1]
    image = info.image if first.input == "x" else None
    if first.kind == "linear" and image is not None and prod(image) == first.weight[0]:
        return image
    return None
