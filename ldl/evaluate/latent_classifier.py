"""What a classifier makes of a network's inner values."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array, Shape
from ldl.evaluate.codes import codes
from ldl.evaluate.context import (
    ClassifierSettings,
    Context,
    PartName,
    Task,
    judge,
    labels,
    number,
)
from ldl.evaluate.denoising import CLASSIFIER
from ldl.evaluate.files import write_contingency
from ldl.evaluate.network import NetworkInfo, SettingProblem, unknown_place
from ldl.fields import LayerList, Positive, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo


@dataclass(frozen=True)
class LatentClassifier:
    """accuracy = 1/N · Σₙ [class read from zₙ = true class], z (n, d) the values of one place.

    A classifier of its own reads them, with d inputs and an output a class, trained with Adam on
    the training part's values, each of the d standardised by that part's mean and deviation. The
    trained network itself stays as it is. Leaves `contingency/latent_classifier.csv`.
    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes,
    2016, with any classifier.
    """

    classifier: Annotated[Any, LayerList()] = CLASSIFIER
    place: str = "code"
    epochs: Size = 100
    batch_size: Size = 32
    learning_rate: Positive = 0.001
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs classes."""
        if info.target.kind != "classes":
            return "latent_classifier needs data with classes"
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Needs the place."""
        return unknown_place(self.place, network)

    def read(self, info: DatasetInfo, network: NetworkInfo) -> Shape | None:
        """All numbers of the place."""
        shape = network.shapes.get(self.place)
        return None if shape is None else (prod(shape),)

    def run(self, context: Context) -> dict[str, Any]:
        """The accuracy on the judged part, and on the training part for comparison."""
        judged = judge(self, context, self.part)
        train, names = context.dataset.train, context.dataset.info.target.names
        seen = codes(context, self.place, train)
        mean, deviation = seen.mean(axis=0), seen.std(axis=0)
        deviation[deviation < 1e-6 * max(1.0, float(deviation.max()))] = 1.0  # it never varies

        def standard(z: Array) -> Array:
            return np.ascontiguousarray((z - mean) / deviation, np.float32)

        settings = ClassifierSettings(self.epochs, self.batch_size, self.learning_rate)
        classify = context.train_classifier(
            self.classifier, standard(seen), labels(train), len(names), settings
        )
        true = labels(judged.part)
        predicted = classify(standard(codes(context, self.place, judged.part)))
        counts = metrics.contingency(true, predicted, len(names))
        write_contingency(judged.matrix("latent_classifier"), counts, names)
        return {
            "part": judged.name,
            "samples": judged.samples,
            "place": self.place,
            "numbers": seen.shape[1],
            "accuracy": number(metrics.accuracy(true, predicted)),
            "train_accuracy": number(metrics.accuracy(labels(train), classify(standard(seen)))),
            "notes": list(judged.notes),
        }
