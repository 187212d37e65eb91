"""The evaluation `classification`: accuracy, log loss, metrics by class, wrong predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo
from ldl.evaluate.context import (
    EvaluatedSplit,
    Evaluation,
    EvaluationContext,
    SplitSetting,
    Task,
    feature_names,
    labels,
)
from ldl.evaluate.result_files import write_arrays, write_contingency, write_table
from ldl.evaluate.sample_images import sample_images
from ldl.fields import Count, Doc

_MAX_FEATURES = 64  # in the table of wrong predictions


@dataclass(frozen=True)
class Classification(Evaluation):
    """Accuracy, log loss in nats, precision, recall and F₁ of each class and their averages.

    The averages are over classes that occur: `macro` counts each once, `weighted` by the number of
    its samples, as scikit-learn's `average`.

    Writes `contingency/classification.csv` (rows true, columns predicted) and the `mistakes` most
    confident wrong predictions: `plots/mistakes.npz` for images, else `plots/mistakes.csv`.
    A class that is never predicted has precision 0.
    """

    split: SplitSetting = "test"
    mistakes: Annotated[Count, Doc("how many wrong predictions are shown, at most")] = 24

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The task needs to be classification, the data needs classes."""
        if task != "classification" or info.target.kind != "classes":
            return f"classification evaluates classifiers; this network's task is {task}"
        return None

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """Accuracy, log loss, the metrics of each class and their averages."""
        evaluated = self.select_split(context, self.split)
        true = labels(evaluated.split)
        outputs = context.predict(evaluated.split.inputs)
        probabilities, note = context.probabilities(outputs), context.probability_note(outputs)
        predicted = context.classes(outputs)
        names = context.dataset.info.target.names
        counts = metrics.contingency_matrix(true, predicted, len(names))
        write_contingency(evaluated.contingency("classification"), counts, names)
        wrong = self._most_confident_wrong(true, predicted, probabilities)
        _write_wrong_predictions(evaluated, wrong, predicted, probabilities)
        results = {
            "accuracy": metrics.accuracy(true, predicted),
            "log_loss": metrics.log_loss(true, probabilities),
            **_class_metrics(counts, names),
            "units": {"log_loss": "nats"},
        }
        notes = [*evaluated.notes, *([f"log_loss: {note}"] if note else [])]
        return evaluated.results(results, notes)

    def _most_confident_wrong(self, true: Array, predicted: Array, probabilities: Array) -> Array:
        """Indices of the wrong predictions, the most confident first."""
        wrong = np.flatnonzero(true != predicted)
        confidence = probabilities[wrong, predicted[wrong]]
        return wrong[np.argsort(-confidence, kind="stable")][: self.mistakes]


def _class_metrics(counts: Array, names: tuple[str, ...]) -> dict[str, Any]:
    precision, recall = metrics.precision_recall(counts)
    scores = {"precision": precision, "recall": recall, "f1": metrics.f1(precision, recall)}
    support = counts.sum(axis=1)
    classes = {
        name: {**{key: float(v[i]) for key, v in scores.items()}, "support": int(support[i])}
        for i, name in enumerate(names)
    }
    # As in scikit-learn, classes that are neither present nor predicted do not count.
    occurring = counts.sum(axis=0) + support > 0
    macro = {key: float(v[occurring].mean()) for key, v in scores.items()}
    weighted = {key: float(v.dot(support) / support.sum()) for key, v in scores.items()}
    return {"macro": macro, "weighted": weighted, "classes": classes}


def _write_wrong_predictions(
    evaluated: EvaluatedSplit, wrong: Array, predicted: Array, probabilities: Array
) -> None:
    """Write the samples `wrong`: their images, or a table of their features."""
    dataset, split = evaluated.context.dataset, evaluated.split
    info, indices = dataset.info, split.sample_indices
    names = np.array(info.target.names)
    columns = {
        "sample": wrong if indices is None else indices[wrong],
        "true": names[labels(split)[wrong]],
        "predicted": names[predicted[wrong]],
        "confidence": probabilities[wrong, predicted[wrong]].astype(np.float32),
    }
    x = split.inputs.get("x")
    if info.image is not None and x is not None:
        images = sample_images(x[wrong], info)
        write_arrays(evaluated.plot("mistakes", "npz"), images=images, **columns)
        return
    header, values = list(columns), [column.tolist() for column in columns.values()]
    if x is not None and x[0].size <= _MAX_FEATURES:
        header += feature_names(info, x[0].size)
        features = dataset.to_source_units("x", x[wrong])
        values += features.reshape(len(wrong), x[0].size).T.tolist()
    write_table(evaluated.plot("mistakes", "csv"), header, zip(*values, strict=True))
