"""The evaluation `activations`: the values of one node for a few samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo
from ldl.evaluate.context import (
    Evaluation,
    EvaluationContext,
    NetworkInfo,
    SettingProblem,
    SplitSetting,
    unknown_node,
)
from ldl.evaluate.result_files import write_arrays
from ldl.evaluate.sample_images import sample_class_names, sample_images, spread_over_classes
from ldl.fields import Alias, Doc, Size

MAX_CHANNELS = 16


@dataclass(frozen=True)
class Activations(Evaluation):
    """z = f(x) (n, …), the values of one node for a few samples, one of each class if possible.

    Without `node`, the node is the activation that follows the first layer with weights, or that
    layer itself. Channels of images are shown as maps (at most sixteen), signals with a row for
    each channel, vectors with a row for each sample. Over the evaluated split: mean, standard
    deviation, the share of zeros, and how many units (channels) are constant.
    Writes `plots/activations.npz`.
    """

    node: Annotated[str | None, Doc("the name of a node"), Alias("place")] = None
    samples: Annotated[Size, Doc("how many are shown")] = 10
    split: SplitSetting = "test"

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """The network needs the node, or a layer with weights."""
        if self.node is not None:
            return unknown_node(self.node, network)
        return (
            []
            if network.first_layer
            else [("", "activations: no layer has weights: name a `node`")]
        )

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """Statistics of the values over the evaluated split."""
        evaluated = self.select_split(context, self.split)
        info, split, first = context.dataset.info, evaluated.split, context.network.first_layer
        node = self.node or (first.activated if first else "")
        z = context.node_values(node, split.inputs)
        indices = spread_over_classes(split.targets, evaluated.samples, self.samples)
        arrays = {
            "values": _plottable(z[indices]),
            "labels": sample_class_names(split, info, indices),
        }
        if info.image is not None:
            arrays["images"] = sample_images(split.inputs["x"][indices], info)
        write_arrays(evaluated.plot("activations", "npz"), place=np.array(node), **arrays)
        flat = z.reshape(-1, z.shape[-1]) if z.ndim > 1 else z[:, None]
        results = {
            "place": node,
            "shape": list(z.shape[1:]),
            "mean": flat.mean(dtype=np.float64),
            "sd": flat.std(dtype=np.float64),
            "zeros": (flat == 0).mean(),
            "constant_units": int((flat.max(axis=0) == flat.min(axis=0)).sum()),
        }
        return evaluated.results(results)


def _plottable(z: Array) -> Array:
    """Values (n, …) as maps (n, c, h, w), signals (n, c, l) or vectors (n, f)."""
    if z.ndim == 4:
        return np.ascontiguousarray(z[..., :MAX_CHANNELS].transpose(0, 3, 1, 2))
    if z.ndim == 3:
        return np.ascontiguousarray(z.transpose(0, 2, 1))
    return z.reshape(len(z), -1)
