"""The evaluation `folds`: cross-validation, how metrics vary with the training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array
from ldl.data.data_spec import SplitSpec
from ldl.data.dataset import DatasetInfo, Split
from ldl.data.split import random_split, split_sizes
from ldl.errors import DataError
from ldl.evaluate.context import (
    SPLIT_NAMES,
    Evaluation,
    EvaluationContext,
    SplitName,
    SplitSetting,
    Task,
    json_values,
    labels,
)
from ldl.evaluate.latents import sample_stream
from ldl.evaluate.reconstruction import UNITS, reconstruction_errors, reconstruction_problem
from ldl.evaluate.regression import ERROR_UNITS, regression_metrics
from ldl.evaluate.result_files import write_table
from ldl.fields import Doc, Range

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Folds(Evaluation):
    """mean ± √(1/(k−1) · Σᵢ (sᵢ − mean)²) of a metric s over k folds: cross-validation.

    The samples are divided into k folds in the classes' proportions. For each fold the network is
    trained again, with the run's configuration and seed, without that fold, and evaluated on it;
    `data.split.seed` draws the folds.
    Where the run has a validation split, the same share of each training is held out for early
    stopping and the choice of the best epoch, so that a fold is never seen. `split` says which
    samples are divided: all of the run's for `test`, those of the training and validation splits
    for `validation`, those of the training split for `train`.
    Metrics are accuracy and log loss of a classifier, R² and errors of a regression, mean squared
    error and KL divergence of an autoencoder, as their own evaluations define them. k trainings
    take k times as long. Writes `plots/folds.csv`.
    Source: Stone, Cross-Validatory Choice and Assessment of Statistical Predictions, 1974.
    """

    k: Annotated[int, Range(2, 1000), Doc("number of folds")] = 5
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """An autoencoder needs a single input."""
        return reconstruction_problem(info, task, "folds") if task == "reconstruction" else None

    def size_problem(self, info: DatasetInfo, split: SplitSpec) -> str | None:
        """Each fold needs a sample."""
        sizes = split_sizes(split, info)
        samples = sum(sizes[: sizes._fields.index(self.split) + 1])
        return f"folds: {self.k} folds of {samples} samples" if samples < self.k else None

    def divided_splits(self) -> Sequence[SplitName]:
        """Training, validation and test split, as far as `split`."""
        return SPLIT_NAMES[SPLIT_NAMES.index(self.split) :]

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """Mean and standard deviation of each metric, and the metrics of each fold."""
        self.select_split(context, self.split)  # raises where the evaluation does not apply
        samples = self._samples(context)
        count = len(samples.indices)
        if count < self.k:
            raise DataError(f"folds: {self.k} folds of {count} samples")
        rng = sample_stream(context, "folds", self.k, self.split)
        rows = samples.divide([len(fold) for fold in np.array_split(samples.indices, self.k)], rng)
        notes: list[str] = []
        folds = _cross_validate(context, samples, rows, rng, notes)
        summary = {name: _summary([fold[name] for fold in folds]) for name in folds[0]}
        self._write_table(context, folds, summary, [len(fold) for fold in rows])
        results = {"part": self.split, "samples": count, "k": self.k, **summary}
        units = UNITS if context.task == "reconstruction" else {"log_loss": "nats"}
        units = {name: unit for name, unit in (ERROR_UNITS | units).items() if name in summary}
        return {**results, "folds": folds, "units": units, "notes": list(dict.fromkeys(notes))}

    def _samples(self, context: EvaluationContext) -> _Samples:
        """The samples to divide."""
        data = context.dataset
        by_name = {"train": data.train, "validation": data.validation, "test": data.test}
        names = [name for name in by_name if name in self.divided_splits()]
        splits = [split for name in names if (split := by_name[name]) is not None and len(split)]
        indices = [split.sample_indices for split in splits if split.sample_indices is not None]
        if len(indices) < len(splits):
            raise DataError("folds: the samples of this data have no indices to divide them by")
        has_classes = data.info.target.kind == "classes"
        classes = np.concatenate([labels(split) for split in splits]) if has_classes else None
        rows = np.concatenate(indices)
        return _Samples(rows, classes, None if data.groups is None else data.groups[rows])

    def _write_table(
        self,
        context: EvaluationContext,
        folds: list[Metrics],
        summary: dict[str, Metrics],
        sizes: list[int],
    ) -> None:
        """Write a row for each fold, then one for the means and one for the deviations."""
        path = context.folder / "plots" / context.file_name(self.split, "folds", "csv")
        rows: list[list[object]] = [
            [i + 1, size, *fold.values()]
            for i, (fold, size) in enumerate(zip(folds, sizes, strict=True))
        ]
        rows += [[key, "", *(values[key] for values in summary.values())] for key in ("mean", "sd")]
        write_table(path, ["fold", "samples", *folds[0]], rows)


@dataclass(frozen=True)
class _Samples:
    """Indices of samples (n,), their classes, and the groups that stay together; None without."""

    indices: Array
    classes: Array | None
    groups: Array | None

    def select(self, rows: Array) -> _Samples:
        """These of the samples."""
        classes, groups = (None if a is None else a[rows] for a in (self.classes, self.groups))
        return _Samples(self.indices[rows], classes, groups)

    def divide(self, sizes: list[int], rng: np.random.Generator) -> list[Array]:
        """Rows of the samples in random splits of these sizes."""
        return random_split(len(self.indices), sizes, self.classes, rng, self.groups)


def _cross_validate(
    context: EvaluationContext,
    samples: _Samples,
    folds: list[Array],
    rng: np.random.Generator,
    notes: list[str],
) -> list[Metrics]:
    """The metrics on each fold of a network that was trained without it."""
    share = _validation_share(context)
    results: list[Metrics] = []
    for i, fold in enumerate(folds):
        remaining = samples.select(np.concatenate(folds[:i] + folds[i + 1 :]))
        size = len(remaining.indices)
        count = round(share * size)
        training, held_out = (
            remaining.indices[rows] for rows in remaining.divide([size - count, count], rng)
        )
        evaluated = samples.indices[fold]
        retrained = context.retrain(training, held_out if count else None, evaluated)
        results.append(task_metrics(retrained, notes))
    return results


def _validation_share(context: EvaluationContext) -> float:
    """The validation split's share of the samples that are not in the test split."""
    validation = context.dataset.validation
    if validation is None or not len(validation):
        return 0.0
    return len(validation) / (len(validation) + len(context.dataset.train))


def task_metrics(
    context: EvaluationContext, notes: list[str], split_name: SplitName = "test"
) -> Metrics:
    """The metrics of the network's task on a split that exists."""
    split: Split | None = getattr(context.dataset, split_name)
    assert split is not None
    outputs = context.predict(split.inputs)
    results: Metrics
    if context.task == "reconstruction":
        clean = split.clean["x"]
        results = reconstruction_errors(clean, outputs.reshape(clean.shape), notes)
    elif context.task == "classification":
        true, probabilities = labels(split), context.probabilities(outputs)
        results = {
            "accuracy": metrics.accuracy(true, context.classes(outputs)),
            "log_loss": metrics.log_loss(true, probabilities),
        }
    else:
        true = labels(split).reshape(len(outputs), -1)
        results = {**regression_metrics(true, outputs.reshape(true.shape))}
    return {name: json_values(value) for name, value in results.items()}


def _summary(values: list[float | None]) -> Metrics:
    finite = np.array([value for value in values if value is not None])
    return {
        "mean": float(finite.mean()) if len(finite) else None,
        "sd": float(finite.std(ddof=1)) if len(finite) > 1 else None,
    }
