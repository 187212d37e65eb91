"""How well values are met."""

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
from ldl.evaluate.files import write_table

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo


@dataclass(frozen=True)
class Regression:
    """R², mean absolute error, root mean square error and largest error, in the targets' units.

    Leaves `plots/fit.csv`: a row a sample and target with the true and the predicted value and,
    where the input is a single number, that too in the second column, sorted by it.
    """

    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a regression and values."""
        if task != "regression" or info.target.kind != "values":
            return f"regression judges values; this network's task is {task}"
        return None

    def run(self, context: Context) -> dict[str, Any]:
        """The errors over all targets and, where there are several, of each."""
        judged = judge(self, context, self.part)
        true = labels(judged.part).reshape(judged.samples, -1)
        predicted = context.predict(judged.part.inputs).reshape(true.shape)
        names = context.dataset.info.target.names
        _write_fit(context, judged, true, predicted)
        results: dict[str, Any] = {"part": judged.name, "samples": len(true)}
        results |= _errors(true, predicted)
        if len(names) > 1:
            results["targets"] = {
                name: _errors(true[:, i], predicted[:, i]) for i, name in enumerate(names)
            }
        units = dict.fromkeys(("mae", "rmse", "max_error"), "the target's")
        return results | {"units": units, "notes": list(judged.notes)}


def _errors(true: Array, predicted: Array) -> dict[str, float | None]:
    measures = (metrics.r2, metrics.mae, metrics.rmse, metrics.max_error)
    return {measure.__name__: number(measure(true, predicted)) for measure in measures}


def _write_fit(context: Context, judged: Judged, true: Array, predicted: Array) -> None:
    dataset = context.dataset
    inputs = [dataset.to_source_units(name, x) for name, x in judged.part.inputs.items()]
    single = len(inputs) == 1 and inputs[0][0].size == 1
    x = inputs[0].reshape(-1) if single else np.arange(len(true))
    column = feature_names(context.dataset.info, 1) if single else []
    order = np.argsort(x, kind="stable")
    rows = (
        [name, *([float(x[n])] if single else []), float(true[n, k]), float(predicted[n, k])]
        for k, name in enumerate(context.dataset.info.target.names)
        for n in order
    )
    header = ["target", *column, "true", "predicted"]
    write_table(context.folder / "plots" / judged.file("fit", "csv"), header, rows)
