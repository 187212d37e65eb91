"""The evaluation `decision_regions`: a network's outputs over the plane of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

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
from ldl.evaluate.hyperplanes import segments
from ldl.evaluate.result_files import write_arrays
from ldl.fields import Doc, Range

_MARGIN = 0.08  # of the values' range


@dataclass(frozen=True)
class DecisionRegions(Evaluation):
    """The network's outputs on a square grid of points around inputs of two numbers.

    The grid has `resolution` lines on each axis and extends 8 % beyond the samples.
    Writes `plots/decision_regions.npz`: `x` and `y`, the grid's lines; `classes` and `confidence`
    (y, x) of a classifier, or `values` (y, x) of a regression's first target; the evaluated split's
    `points` (n, 2), their `labels` (n,) and a classifier's `predicted` classes (n,); `lines`
    (l, 2, 2), the ends of those on which a unit of a first linear layer is 0; the class or target
    `names` and those of the two `features`.
    """

    resolution: Annotated[int, Range(2, 2000), Doc("lines of the grid on each axis")] = 200
    hyperplanes: Annotated[bool, Doc("draw the lines of a first linear layer")] = True
    split: SplitSetting = "test"

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The data needs a single input of two numbers, and classes or values."""
        if task == "reconstruction":
            return "decision_regions evaluates classifiers and regressions, not reconstructions"
        if list(info.inputs.values()) != [(2,)]:
            shapes = ", ".join(f"{name} {shape}" for name, shape in info.inputs.items())
            return f"decision_regions needs one input of two numbers; this data has {shapes}"
        return None

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The grid's limits, [low, high] of either input, and the number of lines."""
        evaluated = self.select_split(context, self.split)
        dataset, info = context.dataset, context.dataset.info
        ((name, points),) = evaluated.split.inputs.items()
        x, y = (grid_lines(points[:, axis], self.resolution) for axis in (0, 1))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        arrays = _regions(evaluated, name, grid, (len(y), len(x)))
        arrays["lines"] = self._hyperplanes(context, name, x, y)
        x, y = dataset.to_source_units(name, np.stack([x, y], axis=1)).T
        write_arrays(
            evaluated.plot("decision_regions", "npz"),
            x=x,
            y=y,
            points=dataset.to_source_units(name, points),
            labels=labels(evaluated.split).reshape(len(points), -1)[:, 0],
            names=np.array(info.target.names),
            features=np.array(feature_names(info, 2)),
            **arrays,
        )
        limits = {"x1": [float(x[0]), float(x[-1])], "x2": [float(y[0]), float(y[-1])]}
        return {
            "part": evaluated.name,
            "limits": limits,
            "hyperplanes": len(arrays["lines"]),
            "notes": list(evaluated.notes),
        }

    def _hyperplanes(self, context: EvaluationContext, name: str, x: Array, y: Array) -> Array:
        """The lines (l, 2, 2) of a first linear layer, in the data's units; else none."""
        first = context.network.first_layer
        if not self.hyperplanes or first is None or (first.kind, first.input) != ("linear", name):
            return np.zeros((0, 2, 2))
        weight = context.weights[f"{first.name}.weight"]
        bias = context.weights.get(f"{first.name}.bias", np.zeros(weight.shape[1]))
        lines = segments(weight, bias, (x[0], x[-1]), (y[0], y[-1]))
        return context.dataset.to_source_units(name, lines.reshape(-1, 2)).reshape(lines.shape)


def grid_lines(values: Array, resolution: int) -> Array:
    """`resolution` equidistant coordinates, float32, from a little below the values to above."""
    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, resolution, dtype=np.float32)


def _regions(
    evaluated: EvaluatedSplit, name: str, grid: Array, shape: tuple[int, int]
) -> dict[str, Array]:
    """What the network gives on the grid (y·x, 2), each of `shape` (y, x), and for the samples."""
    context = evaluated.context
    outputs = context.predict({name: grid})
    if context.task != "classification":
        return {"values": outputs.reshape(len(grid), -1)[:, 0].reshape(shape)}
    confidence = context.probabilities(outputs).max(axis=1).astype(np.float32)
    return {
        "classes": context.classes(outputs).reshape(shape),
        "confidence": confidence.reshape(shape),
        "predicted": context.classes(context.predict(evaluated.split.inputs)),
    }
