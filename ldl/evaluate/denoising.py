"""What denoising is worth to a reader of the images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from ldl import metrics
from ldl.arrays import Array, Shape
from ldl.config.tree import Item
from ldl.engine.layers.activation import Tanh
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.reshape import Flatten
from ldl.evaluate.context import (
    ClassifierSettings,
    Context,
    Judged,
    PartName,
    Task,
    judge,
    labels,
    number,
)
from ldl.evaluate.files import write_arrays, write_contingency
from ldl.evaluate.network import NetworkInfo
from ldl.evaluate.pictures import NO_PICTURES, spread
from ldl.evaluate.reconstruction import UNITS, kl_or_note, reconstructs, sheet
from ldl.fields import LayerList, Positive, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo


CLASSIFIER = (Item(Flatten()), Item(Linear(64)), Item(Tanh()), Item(Linear()))


@dataclass(frozen=True)
class Denoising:
    """Accuracy of one classifier on original, noisy and denoised samples, and their distances.

    The classifier is trained on the clean training samples alone, and sees the judged part only to
    be scored. Distances from the original are the mean square error and the KL divergence in nats,
    as `reconstruction` defines them. Leaves `contingency/original.csv`, `noisy.csv` and
    `denoised.csv`, and where the inputs are images `plots/denoising.npz`: original, noisy, denoised
    and squared error by pixel of about ten samples.
    """

    classifier: Annotated[Any, LayerList()] = CLASSIFIER
    epochs: Size = 100
    batch_size: Size = 32
    learning_rate: Positive = 0.001
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a network that gives its one input back."""
        return reconstructs(info, task, "denoising")

    def read(self, info: DatasetInfo, network: NetworkInfo) -> Shape:
        """The classifier reads the inputs."""
        return info.inputs["x"]

    def run(self, context: Context) -> dict[str, Any]:
        """Three accuracies, and the distances of noisy and denoised samples from the original."""
        judged = judge(self, context, self.part)
        info, part = context.dataset.info, judged.part
        clean, noisy = part.clean["x"], part.inputs["x"]
        denoised = context.predict(part.inputs).reshape(clean.shape)
        notes = list(judged.notes)
        if noisy is clean:
            notes.append("the data has no noise: noisy and original are the same")
        accuracy = self._accuracy(
            context, judged, {"original": clean, "noisy": noisy, "denoised": denoised}, notes
        )
        if info.image is None:
            notes.append(NO_PICTURES)
        else:
            chosen = spread(part.targets, judged.samples)
            shown = sheet(info, part, chosen, noisy=noisy, denoised=denoised)
            write_arrays(judged.plot("denoising", "npz"), **shown)
        shown = {"noisy": noisy, "denoised": denoised}
        return {
            "part": judged.name,
            "samples": judged.samples,
            "accuracy": accuracy,
            "mse": {name: number(metrics.mse(clean, x)) for name, x in shown.items()},
            "kl_divergence": kl_or_note(clean, shown, notes),
            "units": UNITS,
            "notes": notes,
        }

    def _accuracy(
        self, context: Context, judged: Judged, shown: dict[str, Array], notes: list[str]
    ) -> dict[str, float | None] | None:
        target, train = context.dataset.info.target, context.dataset.train
        if target.kind != "classes" or train.targets is None or judged.part.targets is None:
            notes.append("the data has no classes: no classifier, no accuracies")
            return None
        classify = reader(self, context)
        true = labels(judged.part)
        accuracy = {}
        for name, x in shown.items():
            predicted = classify(x)
            counts = metrics.contingency(true, predicted, len(target.names))
            write_contingency(judged.matrix(name), counts, target.names)
            accuracy[name] = number(metrics.accuracy(true, predicted))
        return accuracy


class OwnClassifier(Protocol):
    """The settings of an evaluation that trains a classifier."""

    @property
    def classifier(self) -> Any: ...
    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...


def reader(own: OwnClassifier, context: Context) -> Callable[[Array], Array]:
    """A classifier of clean inputs, trained on the clean training samples alone."""
    train, target = context.dataset.train, context.dataset.info.target
    settings = ClassifierSettings(own.epochs, own.batch_size, own.learning_rate)
    return context.train_classifier(
        own.classifier, train.clean["x"], labels(train), len(target.names), settings
    )
