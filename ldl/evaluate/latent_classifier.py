"""The evaluation `latent_classifier`: a classifier that reads a network's inner values."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array, Shape
from ldl.data.dataset import DatasetInfo
from ldl.evaluate.context import (
    ClassifierSettings,
    EvaluationContext,
    NetworkInfo,
    NodeEvaluation,
    SplitSetting,
    Task,
    labels,
)
from ldl.evaluate.denoising import CLASSIFIER
from ldl.evaluate.latents import latents
from ldl.evaluate.result_files import write_contingency
from ldl.fields import Alias, Doc, LayerList, Positive, Size


@dataclass(frozen=True)
class LatentClassifier(NodeEvaluation):
    """accuracy = 1/N · Σₙ [predicted from zₙ = true class], z (n, d) the values of one node.

    A classifier with d inputs and an output for each class is trained with Adam on the training
    split's values, each of the d standardised by its mean and deviation there. The network
    itself does not change. Writes `contingency/latent_classifier.csv`.
    Source: Alain and Bengio, Understanding intermediate layers using linear classifier probes,
    2016, with any classifier.
    """

    classifier: Annotated[Any, LayerList(), Doc("the classifier's layers")] = CLASSIFIER
    node: Annotated[str, Doc("the name of the node whose values it reads"), Alias("place")] = "code"
    epochs: Annotated[Size, Doc("epochs of the classifier's training")] = 100
    batch_size: Size = 32
    learning_rate: Annotated[Positive, Doc("of Adam, which trains the classifier")] = 0.001
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The data needs classes."""
        if info.target.kind != "classes":
            return "latent_classifier needs data with classes"
        return None

    def classifier_layers(
        self, info: DatasetInfo, network: NetworkInfo
    ) -> tuple[Any, Shape] | None:
        """The classifier reads all values of the node."""
        shape = network.shapes.get(self.node)
        return None if shape is None else (self.classifier, (prod(shape),))

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The accuracy on the evaluated split, and on the training split for comparison."""
        evaluated = self.select_split(context, self.split)
        train, names = context.dataset.train, context.dataset.info.target.names
        train_latents = latents(context, self.node, train)
        mean, deviation = train_latents.mean(axis=0), train_latents.std(axis=0)
        constant = deviation < 1e-6 * max(1.0, float(deviation.max()))
        deviation[constant] = 1.0

        def standardise(z: Array) -> Array:
            return np.ascontiguousarray((z - mean) / deviation, np.float32)

        settings = ClassifierSettings(self.epochs, self.batch_size, self.learning_rate)
        inputs = standardise(train_latents)
        classify = context.train_classifier(
            self.classifier, inputs, labels(train), len(names), settings
        )
        true = labels(evaluated.split)
        predicted = classify(standardise(latents(context, self.node, evaluated.split)))
        counts = metrics.contingency_matrix(true, predicted, len(names))
        write_contingency(evaluated.contingency("latent_classifier"), counts, names)
        results = {
            "place": self.node,
            "numbers": train_latents.shape[1],
            "accuracy": metrics.accuracy(true, predicted),
            "train_accuracy": metrics.accuracy(labels(train), classify(inputs)),
        }
        return evaluated.results(results)
