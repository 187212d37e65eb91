"""How well classes are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.evaluate.context import (
    Context,
    Judged,
    PartName,
    Task,
    feature_names,
    judge,
    labels,
    number,
)
from ldl.evaluate.files import write_arrays, write_contingency, write_table
from ldl.evaluate.pictures import images
from ldl.fields import Count

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

_WIDEST = 64


@dataclass(frozen=True)
class Classification:
    """Accuracy, log loss in nats, precision, recall and F₁ a class and their means over classes.

    Leaves `contingency/classification.csv` (rows true, columns predicted) and the most confident
    `mistakes`: `plots/mistakes.npz` where the inputs are images, `plots/mistakes.csv` otherwise.
    A class that is never predicted has precision 0.
    """

    part: PartName = "test"
    mistakes: Count = 24

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a classifier and classes."""
        if task != "classification" or info.target.kind != "classes":
            return f"classification judges classes; this network's task is {task}"
        return None

    def run(self, context: Context) -> dict[str, Any]:
        """Accuracy, log loss, the figures of each class and their macro averages."""
        judged = judge(self, context, self.part)
        true = labels(judged.part)
        outputs = context.predict(judged.part.inputs)
        probabilities, note = context.probabilities(outputs), context.probability_note(outputs)
        predicted = context.classes(outputs)
        names = context.dataset.info.target.names
        counts = metrics.contingency(true, predicted, len(names))
        table = judged.file("classification", "csv")
        write_contingency(context.folder / "contingency" / table, counts, names)
        wrong = self._worst(true, predicted, probabilities)
        _write_mistakes(context, judged, wrong, predicted, probabilities)
        return {
            "part": judged.name,
            "samples": len(true),
            "accuracy": number(metrics.accuracy(true, predicted)),
            "log_loss": number(metrics.log_loss(true, probabilities)),
            **_by_class(counts, names),
            "units": {"log_loss": "nats"},
            "notes": [*judged.notes, *([f"log_loss: {note}"] if note else [])],
        }

    def _worst(self, true: Array, predicted: Array, probabilities: Array) -> Array:
        wrong = np.flatnonzero(true != predicted)
        confidence = probabilities[wrong, predicted[wrong]]
        return wrong[np.argsort(-confidence, kind="stable")][: self.mistakes]


def _by_class(counts: Array, names: tuple[str, ...]) -> dict[str, Any]:
    precision, recall = metrics.precision_recall(counts)
    scores = {"precision": precision, "recall": recall, "f1": metrics.f1(precision, recall)}
    support = counts.sum(axis=1)
    classes = {
        name: {**{key: float(v[i]) for key, v in scores.items()}, "support": int(support[i])}
        for i, name in enumerate(names)
    }
    seen = counts.sum(axis=0) + support > 0  # as scikit-learn: in neither, it does not count
    macro = {key: float(v[seen].mean()) for key, v in scores.items()}
    return {"macro": macro, "classes": classes}


def _write_mistakes(
    context: Context, judged: Judged, wrong: Array, predicted: Array, probabilities: Array
) -> None:
    info, plots = context.dataset.info, context.folder / "plots"
    names = np.array(info.target.names)
    columns = {
        "sample": wrong
        if judged.part.sample_indices is None
        else judged.part.sample_indices[wrong],
        "true": names[labels(judged.part)[wrong]],
        "predicted": names[predicted[wrong]],
        "confidence": probabilities[wrong, predicted[wrong]].astype(np.float32),
    }
    x = judged.part.inputs.get("x")
    if info.image is not None and x is not None:
        pictures = images(x[wrong], info)
        write_arrays(plots / judged.file("mistakes", "npz"), images=pictures, **columns)
        return
    header, values = list(columns), [column.tolist() for column in columns.values()]
    if x is not None and x[0].size <= _WIDEST:
        header += feature_names(info, x[0].size)
        seen = context.dataset.to_source_units("x", x[wrong])
        values += seen.reshape(len(wrong), x[0].size).T.tolist()
    write_table(plots / judged.file("mistakes", "csv"), header, zip(*values, strict=True))
