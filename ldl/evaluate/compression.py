"""The evaluation `compression`: the size of a code, and the errors after decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo
from ldl.evaluate import jpeg
from ldl.evaluate.context import (
    EvaluatedSplit,
    EvaluationContext,
    NodeEvaluation,
    SplitSetting,
    Task,
)
from ldl.evaluate.latents import pca_reconstruction
from ldl.evaluate.reconstruction import UNITS, kl_divergences, reconstruction_problem
from ldl.evaluate.result_files import write_arrays
from ldl.evaluate.sample_images import (
    NO_IMAGES,
    comparison_images,
    latent_images,
    spread_over_classes,
)
from ldl.fields import Alias, Doc, Share

FLOAT_BYTES = 4  # of a float32
_NO_JPEG = "JPEG takes images of one or three channels: not compared with it"


@dataclass(frozen=True)
class Compression(NodeEvaluation):
    """rate = values of the code / values of the input; mean squared error and KL divergence.

    The network is compared with principal components, as many as the code has values, fitted on
    the training split, and for images with JPEG at the quality whose bytes per image come nearest
    to the code's: float32, 4 bytes a value. An input has 1 byte a value if it is an image, else 4.
    JPEG's images share the headers of one file; a quality of 1 means that it cannot go lower.
    Errors are distances from the clean input, as `reconstruction` defines them.
    Writes `plots/compression.npz` for images: originals, codes as images (a square or the
    rectangle nearest to one), reconstructions, squared errors, those of PCA and JPEG.
    Source: Hinton and Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks,
    2006, who compare autoencoders with PCA; Wallace, The JPEG Still Picture Compression Standard,
    1991.
    """

    node: Annotated[str, Doc("the name of the node that is the code"), Alias("place")] = "code"
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The network needs to reconstruct its single input."""
        return reconstruction_problem(info, task, "compression")

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The sizes, and the errors of network, PCA and JPEG."""
        evaluated = self.select_split(context, self.split)
        info, split, notes = context.dataset.info, evaluated.split, list(evaluated.notes)
        clean, x = split.clean["x"], split.inputs["x"]
        count = prod(context.network.shapes[self.node])
        outputs = {"network": context.predict(split.inputs).reshape(clean.shape)}
        train = context.dataset.train.clean["x"]
        outputs["pca"], variance, components = pca_reconstruction(train, x, count, notes)
        pca = {"components": components, "variance": variance}
        details: dict[str, Any] = {"pca": pca}
        if info.image is None:
            notes.append(NO_IMAGES)
        elif info.image[-1] in (1, 3):
            outputs["jpeg"], size, quality = _jpeg(context, x, FLOAT_BYTES * count)
            details["jpeg"] = {"bytes": size, "quality": quality}
        else:
            notes.append(_NO_JPEG)
        if info.image is not None:
            self._write_images(evaluated, outputs)
        results = {
            "place": self.node,
            **_sizes(info, count),
            "mse": {name: metrics.mse(clean, y) for name, y in outputs.items()},
            "kl_divergence": kl_divergences(clean, outputs, notes),
            **details,
            "units": UNITS,
        }
        return evaluated.results(results, notes)

    def _write_images(self, evaluated: EvaluatedSplit, outputs: dict[str, Array]) -> None:
        """Write images of a few samples, their codes and the network's errors."""
        context, split = evaluated.context, evaluated.split
        indices = spread_over_classes(split.targets, evaluated.samples)
        inputs = {name: x[indices] for name, x in split.inputs.items()}
        columns = {name: x for name, x in outputs.items() if name != "network"}
        columns["reconstruction"] = outputs["network"]
        images = comparison_images(context.dataset.info, split, indices, **columns)
        code = latent_images(context.node_values(self.node, inputs))
        write_arrays(evaluated.plot("compression", "npz"), **images, code=code)


def _sizes(info: DatasetInfo, count: int) -> dict[str, Any]:
    """Values and bytes of an input and of a code of `count` values, and their ratios."""
    input_count = prod(info.inputs["x"])
    input_bytes = input_count * (1 if info.image is not None else FLOAT_BYTES)
    code_bytes = FLOAT_BYTES * count
    rates: dict[str, Share] = {
        "rate": count / input_count,
        "rate_of_bytes": code_bytes / input_bytes,
    }
    return {
        **rates,
        "numbers": {"input": input_count, "code": count},
        "bytes": {"input": input_bytes, "code": code_bytes},
    }


def _jpeg(context: EvaluationContext, x: Array, target_bytes: float) -> tuple[Array, float, int]:
    """Inputs x (n, …) after JPEG, the bytes per image, and the quality.

    The range of the training split is mapped to 0 … 255 and back.
    """
    train = context.dataset.train.clean["x"]
    low, high = float(train.min()), float(train.max())
    width = (high - low) or 1.0
    image = context.dataset.info.image
    assert image is not None
    levels = np.clip((x - low) / width, 0, 1).reshape(len(x), *image)
    pixels = (levels * 255).round().astype(np.uint8)
    decoded, size, quality = jpeg.compress(pixels, target_bytes)
    return (low + width * decoded.astype(np.float32) / 255).reshape(x.shape), size, quality
