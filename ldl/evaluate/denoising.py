"""The evaluation `denoising`: how well a classifier reads original, noisy and denoised samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from ldl import metrics
from ldl.arrays import Array, Shape
from ldl.config.tree import Item
from ldl.data.dataset import DatasetInfo
from ldl.engine.layers.activation import Tanh
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.reshape import Flatten
from ldl.evaluate.context import (
    ClassifierSettings,
    EvaluatedSplit,
    Evaluation,
    EvaluationContext,
    NetworkInfo,
    SplitSetting,
    Task,
    labels,
)
from ldl.evaluate.reconstruction import UNITS, kl_divergences, reconstruction_problem
from ldl.evaluate.result_files import write_arrays, write_contingency
from ldl.evaluate.sample_images import NO_IMAGES, comparison_images, spread_over_classes
from ldl.fields import Doc, LayerList, Positive, Size

CLASSIFIER = (Item(Flatten()), Item(Linear(64)), Item(Tanh()), Item(Linear()))


@dataclass(frozen=True)
class Denoising(Evaluation):
    """Accuracy of one classifier on original, noisy and denoised samples, and their distances.

    The classifier is trained on the clean samples of the training split alone. Distances from the
    original are the mean squared error and the KL divergence in nats, as `reconstruction` defines
    them. Writes `contingency/original.csv`, `noisy.csv` and `denoised.csv`, and where the inputs
    are images `plots/denoising.npz`: original, noisy, denoised and squared error by pixel of about
    ten samples.
    """

    classifier: Annotated[Any, LayerList(), Doc("the classifier's layers")] = CLASSIFIER
    epochs: Annotated[Size, Doc("epochs of the classifier's training")] = 100
    batch_size: Size = 32
    learning_rate: Annotated[Positive, Doc("of Adam, which trains the classifier")] = 0.001
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The network needs to reconstruct its single input."""
        return reconstruction_problem(info, task, "denoising")

    def classifier_layers(self, info: DatasetInfo, network: NetworkInfo) -> tuple[Any, Shape]:
        """The classifier reads the inputs."""
        return self.classifier, info.inputs["x"]

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """Three accuracies, and the distances of noisy and denoised samples from the original."""
        evaluated = self.select_split(context, self.split)
        info, split, notes = context.dataset.info, evaluated.split, list(evaluated.notes)
        clean, noisy = split.clean["x"], split.inputs["x"]
        denoised = context.predict(split.inputs).reshape(clean.shape)
        if noisy is clean:
            notes.append("the data has no noise: noisy and original are the same")
        samples = {"original": clean, "noisy": noisy, "denoised": denoised}
        accuracy = self._accuracy(evaluated, samples, notes)
        if info.image is None:
            notes.append(NO_IMAGES)
        else:
            indices = spread_over_classes(split.targets, evaluated.samples)
            images = comparison_images(info, split, indices, noisy=noisy, denoised=denoised)
            write_arrays(evaluated.plot("denoising", "npz"), **images)
        outputs = {"noisy": noisy, "denoised": denoised}
        results = {
            "accuracy": accuracy,
            "mse": {name: metrics.mse(clean, x) for name, x in outputs.items()},
            "kl_divergence": kl_divergences(clean, outputs, notes),
            "units": UNITS,
        }
        return evaluated.results(results, notes)

    def _accuracy(
        self, evaluated: EvaluatedSplit, samples: dict[str, Array], notes: list[str]
    ) -> dict[str, float | None] | None:
        """The classifier's accuracy on each of `samples`; None where there are no classes."""
        dataset = evaluated.context.dataset
        target = dataset.info.target
        targets = (dataset.train.targets, evaluated.split.targets)
        if target.kind != "classes" or any(array is None for array in targets):
            notes.append("the data has no classes: no classifier, no accuracies")
            return None
        classify = input_classifier(self, evaluated.context)
        true = labels(evaluated.split)
        accuracy: dict[str, float | None] = {}
        for name, x in samples.items():
            predicted = classify(x)
            counts = metrics.contingency_matrix(true, predicted, len(target.names))
            write_contingency(evaluated.contingency(name), counts, target.names)
            accuracy[name] = metrics.accuracy(true, predicted)
        return accuracy


def input_classifier(evaluation: Any, context: EvaluationContext) -> Callable[[Array], Array]:
    """The evaluation's own classifier, trained on the clean samples of the training split.

    `evaluation` has the settings classifier, epochs, batch_size and learning_rate. Gives the
    function from inputs (n, …) to class indices (n,).
    """
    train, target = context.dataset.train, context.dataset.info.target
    settings = ClassifierSettings(
        evaluation.epochs, evaluation.batch_size, evaluation.learning_rate
    )
    return context.train_classifier(
        evaluation.classifier, train.clean["x"], labels(train), len(target.names), settings
    )
