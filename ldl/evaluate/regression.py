"""The evaluation `regression`: errors of predicted values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
from ldl.evaluate.result_files import write_table

ERROR_UNITS = dict.fromkeys(("mae", "rmse", "max_error"), "the target's")


@dataclass(frozen=True)
class Regression(Evaluation):
    """R², mean absolute error, root mean square error and largest error, in the targets' units.

    R² of a single sample is not defined: null in results.json, as NaN in scikit-learn.

    Writes `plots/fit.csv`: a row for each sample and target with the true and the predicted value;
    where the input is a single number, it is the second column and the rows are sorted by it.
    """

    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The task needs to be regression, the data needs values."""
        if task != "regression" or info.target.kind != "values":
            return f"regression evaluates predicted values; this network's task is {task}"
        return None

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The errors over all targets and, where there are several, of each."""
        evaluated = self.select_split(context, self.split)
        true = labels(evaluated.split).reshape(evaluated.samples, -1)
        predicted = context.predict(evaluated.split.inputs).reshape(true.shape)
        names = context.dataset.info.target.names
        _write_predictions(evaluated, true, predicted)
        results: dict[str, Any] = regression_metrics(true, predicted)
        if len(names) > 1:
            results["targets"] = {
                name: regression_metrics(true[:, i], predicted[:, i])
                for i, name in enumerate(names)
            }
        notes = [*evaluated.notes]
        if len(true) < 2:
            notes.append("R² is not defined for a single sample")
        return evaluated.results(results | {"units": ERROR_UNITS}, notes)


def regression_metrics(true: Array, predicted: Array) -> dict[str, float]:
    """R² and errors of two arrays of one shape, in the targets' units."""
    functions = (metrics.r2, metrics.mae, metrics.rmse, metrics.max_error)
    return {function.__name__: function(true, predicted) for function in functions}


def _write_predictions(evaluated: EvaluatedSplit, true: Array, predicted: Array) -> None:
    """Write true and predicted values (n, targets)."""
    dataset = evaluated.context.dataset
    inputs = [dataset.to_source_units(name, x) for name, x in evaluated.split.inputs.items()]
    single = len(inputs) == 1 and inputs[0][0].size == 1
    x = inputs[0].reshape(-1) if single else np.arange(len(true))
    order = np.argsort(x, kind="stable")
    rows = (
        [name, *([float(x[n])] if single else []), float(true[n, k]), float(predicted[n, k])]
        for k, name in enumerate(dataset.info.target.names)
        for n in order
    )
    header = ["target", *(feature_names(dataset.info, 1) if single else []), "true", "predicted"]
    write_table(evaluated.plot("fit", "csv"), header, rows)
