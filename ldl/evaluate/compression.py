"""How small a code is, and what comes back from it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.evaluate import jpeg, pca
from ldl.evaluate.codes import pictures
from ldl.evaluate.context import Context, Judged, PartName, Task, judge, number
from ldl.evaluate.files import write_arrays
from ldl.evaluate.network import NetworkInfo, SettingProblem, unknown_place
from ldl.evaluate.pictures import NO_PICTURES, spread
from ldl.evaluate.reconstruction import UNITS, kl_or_note, reconstructs, sheet
from ldl.fields import Share

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

NUMBER = 4  # bytes of a float32
_NO_JPEG = "JPEG takes pictures of one or three channels: none beside these"


@dataclass(frozen=True)
class Compression:
    """rate = numbers of the code / numbers of the input; mean square error and KL divergence.

    Beside the network stand principal components, as many as the code has numbers, fitted on the
    training part, and for images JPEG at the quality whose bytes a picture come nearest to the
    code's: float32 numbers, 4 bytes each. An input has 1 byte a number if it is an image, else 4.
    JPEG's pictures share one file's headers; a quality of 1 means that it cannot go lower.
    Distances from the clean input are as `reconstruction` defines them.
    Leaves `plots/compression.npz` for images: originals, codes as pictures (a square or the
    rectangle nearest to one), reconstructions, squared errors, PCA's and JPEG's.
    Source: Hinton and Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks,
    2006, who hold autoencoders against PCA; Wallace, The JPEG Still Picture Compression Standard,
    1991.
    """

    place: str = "code"
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a network that gives its one input back."""
        return reconstructs(info, task, "compression")

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs the place."""
        return unknown_place(self.place, network)

    def run(self, context: Context) -> dict[str, Any]:
        """The sizes, and the distances of the network's, PCA's and JPEG's pictures."""
        judged = judge(self, context, self.part)
        info, part, notes = context.dataset.info, judged.part, list(judged.notes)
        clean = part.clean["x"]
        count = prod(context.network.shapes[self.place])
        shown = {"network": context.predict(part.inputs).reshape(clean.shape)}
        train = context.dataset.train.clean["x"]
        shown["pca"], variance, components = pca.rebuild(train, part.inputs["x"], count, notes)
        others: dict[str, Any] = {"pca": {"components": components, "variance": number(variance)}}
        if info.image is None:
            notes.append(NO_PICTURES)
        elif info.image[-1] in (1, 3):
            shown["jpeg"], size, quality = _jpeg(context, part.inputs["x"], NUMBER * count)
            others["jpeg"] = {"bytes": number(size), "quality": quality}
        else:
            notes.append(_NO_JPEG)
        if info.image is not None:
            self._write(judged, shown)
        return {
            "part": judged.name,
            "samples": judged.samples,
            "place": self.place,
            **_sizes(info, count),
            "mse": {name: number(metrics.mse(clean, x)) for name, x in shown.items()},
            "kl_divergence": kl_or_note(clean, shown, notes),
            **others,
            "units": UNITS,
            "notes": notes,
        }

    def _write(self, judged: Judged, shown: dict[str, Array]) -> None:
        """The sheet; its error is the network's."""
        context, part = judged.context, judged.part
        chosen = spread(part.targets, judged.samples)
        few = {name: x[chosen] for name, x in part.inputs.items()}
        others = {name: x for name, x in shown.items() if name != "network"}
        rows = sheet(context.dataset.info, part, chosen, **others, reconstruction=shown["network"])
        code = pictures(context.values(self.place, few))
        write_arrays(judged.plot("compression", "npz"), **rows, code=code)


def _sizes(info: DatasetInfo, count: int) -> dict[str, Any]:
    whole = prod(info.inputs["x"])
    before = whole * (1 if info.image is not None else NUMBER)
    rates: dict[str, Share] = {"rate": count / whole, "rate_of_bytes": NUMBER * count / before}
    return {
        **rates,
        "numbers": {"input": whole, "code": count},
        "bytes": {"input": before, "code": NUMBER * count},
    }


def _jpeg(context: Context, x: Array, wanted: float) -> tuple[Array, float, int]:
    """Inputs through JPEG: the range of the training part becomes 0 to 255 and back."""
    low, high = (float(np.min(limit)) for limit in _range(context))
    width = (high - low) or 1.0
    image = context.dataset.info.image
    assert image is not None
    levels = np.clip((x - low) / width, 0, 1).reshape(len(x), *image)
    read, size, quality = jpeg.at_size((levels * 255).round().astype(np.uint8), wanted)
    return (low + width * read.astype(np.float32) / 255).reshape(x.shape), size, quality


def _range(context: Context) -> tuple[Array, Array]:
    train = context.dataset.train.clean["x"]
    return train.min(), train.max()
