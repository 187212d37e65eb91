"""How much a figure depends on which samples were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl import metrics
from ldl.data.split import random_split
from ldl.errors import DataError
from ldl.evaluate.codes import generator
from ldl.evaluate.context import Context, PartName, Task, judge, labels, number
from ldl.evaluate.files import write_table
from ldl.evaluate.reconstruction import UNITS, kl_or_note, reconstructs
from ldl.fields import Range

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo, Split


@dataclass(frozen=True)
class Folds:
    """mean ± √(1/(k−1) · Σᵢ (sᵢ − mean)²) of a figure s over k folds: cross-validation.

    The samples are divided into k folds, in the classes' proportions; the network is trained anew,
    from the same configuration and seed, k times without one fold, which it is then judged on.
    Where the run has a validation part, the same share of each training is held out in its stead,
    for early stopping and the choice of the best epoch, so that a fold is never seen. `part` says
    which samples take part: all of the run's for `test`, those of the training and validation parts
    for `validation`, those of the training part for `train`.
    A classifier is judged by accuracy and log loss, a regression by R² and errors, an autoencoder
    by mean square error and KL divergence, as their own evaluations define them. k trainings take k
    times as long. Leaves `plots/folds.csv`.
    Source: Stone, Cross-Validatory Choice and Assessment of Statistical Predictions, 1974.
    """

    k: Annotated[int, Range(2, 1000)] = 5
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs figures of the task; an autoencoder needs a single input."""
        return reconstructs(info, task, "folds") if task == "reconstruction" else None

    def size_problem(self, info: DatasetInfo, sizes: Mapping[str, int]) -> str | None:
        """Needs a sample a fold."""
        names = list(sizes)
        samples = sum(sizes[name] for name in names[: names.index(self.part) + 1])
        return f"folds: {self.k} folds of {samples} samples" if samples < self.k else None

    def run(self, context: Context) -> dict[str, Any]:
        """Mean and standard deviation of each figure, and all figures of each fold."""
        judge(self, context, self.part)
        parts = self._parts(context)
        rows = np.concatenate(
            [rows for rows in (part.sample_indices for part in parts) if rows is not None]
        )
        if len(rows) < self.k:
            raise DataError(f"folds: {self.k} folds of {len(rows)} samples")
        known = context.dataset.info.target.kind == "classes"
        classes = np.concatenate([labels(part) for part in parts]) if known else None
        rng = generator(context, "folds", self.k, self.part)
        sizes = [len(each) for each in np.array_split(rows, self.k)]
        folds = random_split(len(rows), sizes, classes, rng)
        held = self._held(context)
        notes: list[str] = []
        found: list[dict[str, float | None]] = []
        for i, fold in enumerate(folds):
            others = np.concatenate(folds[:i] + folds[i + 1 :])
            count = round(held * len(others))
            tags = None if classes is None else classes[others]
            kept, out = random_split(len(others), [len(others) - count, count], tags, rng)
            validation = rows[others[out]] if count else None
            again = context.retrain(rows[others[kept]], validation, rows[fold])
            found.append(figures_of(again, notes))
        figures = {name: _summary([each[name] for each in found]) for name in found[0]}
        self._write(context, found, figures, sizes)
        head = {"part": self.part, "samples": len(rows), "k": self.k, **figures}
        units = UNITS if context.task == "reconstruction" else {"log_loss": "nats"}
        units = dict.fromkeys(("mae", "rmse", "max_error"), "the target's") | units
        own = {name: unit for name, unit in units.items() if name in figures}
        return {**head, "folds": found, "units": own, "notes": list(dict.fromkeys(notes))}

    def _parts(self, context: Context) -> list[Split]:
        """The parts whose samples take part."""
        data = context.dataset
        every = {"train": data.train, "validation": data.validation, "test": data.test}
        chosen = list(every)[: list(every).index(self.part) + 1]
        parts = [part for name in chosen if (part := every[name]) is not None and len(part)]
        if any(part.sample_indices is None for part in parts):
            raise DataError("folds: the samples of this data have no numbers to divide them by")
        return parts

    def _held(self, context: Context) -> float:
        """The share of a training that is held out, as the run has it."""
        held = context.dataset.validation
        if held is None or not len(held):
            return 0.0
        return len(held) / (len(held) + len(context.dataset.train))

    def _write(
        self,
        context: Context,
        found: list[dict[str, float | None]],
        figures: dict[str, dict[str, float | None]],
        sizes: list[int],
    ) -> None:
        """A row a fold, then the means and the deviations."""
        path = context.folder / "plots" / context.file(self.part, "folds", "csv")
        rows: list[list[object]] = [
            [i + 1, size, *each.values()]
            for i, (each, size) in enumerate(zip(found, sizes, strict=True))
        ]
        rows += [[key, "", *(each[key] for each in figures.values())] for key in ("mean", "sd")]
        table = [["" if value is None else value for value in row] for row in rows]
        write_table(path, ["fold", "samples", *found[0]], table)


def figures_of(
    context: Context, notes: list[str], name: PartName = "test"
) -> dict[str, float | None]:
    """A network's figures on a part, by its task."""
    part: Split | None = getattr(context.dataset, name)
    assert part is not None
    outputs = context.predict(part.inputs)
    if context.task == "reconstruction":
        clean = part.clean["x"]
        rebuilt = {"kl_divergence": outputs.reshape(clean.shape)}
        mse = {"mse": number(metrics.mse(clean, rebuilt["kl_divergence"]))}
        return mse | kl_or_note(clean, rebuilt, notes)
    true = labels(part)
    if context.task == "classification":
        probabilities = context.probabilities(outputs)
        return {
            "accuracy": number(metrics.accuracy(true, context.classes(outputs))),
            "log_loss": number(metrics.log_loss(true, probabilities)),
        }
    true = true.reshape(len(true), -1)
    measures = (metrics.r2, metrics.mae, metrics.rmse, metrics.max_error)
    met = outputs.reshape(true.shape)
    return {measure.__name__: number(measure(true, met)) for measure in measures}


def _summary(values: list[float | None]) -> dict[str, float | None]:
    known = np.array([value for value in values if value is not None])
    return {
        "mean": number(float(known.mean())) if len(known) else None,
        "sd": number(float(known.std(ddof=1))) if len(known) > 1 else None,
    }
