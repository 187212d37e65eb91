"""What a network says of every point in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl.arrays import Array
from ldl.evaluate.context import Context, PartName, Task, feature_names, judge, labels
from ldl.evaluate.files import write_arrays
from ldl.evaluate.hyperplanes import segments
from ldl.fields import Doc, Range

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

_MARGIN = 0.08


@dataclass(frozen=True)
class DecisionRegions:
    """The network's answer on a square grid of points around inputs of two numbers.

    The grid has `resolution` lines a side and reaches 8 % beyond the points on either side.
    Leaves `plots/decision_regions.npz`: `x` and `y`, the grid's lines; `classes` and `confidence`
    (y, x) of a classifier, or `values` (y, x) of a regression's first target; the judged part's
    `points` (n, 2), their `labels` (n,) and a classifier's `predicted` classes (n,); `lines`
    (l, 2, 2), the ends of those on which a unit of a first linear layer is 0; the class or target
    `names` and those of the two `features`.
    """

    resolution: Annotated[int, Range(2, 2000)] = 200
    hyperplanes: Annotated[bool, Doc("draw the lines of a first linear layer")] = True
    part: PartName = "test"

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a single input of two numbers, and classes or values."""
        if task == "reconstruction":
            return "decision_regions judges classifiers and regressions, not reconstructions"
        if list(info.inputs.values()) != [(2,)]:
            shapes = ", ".join(f"{name} {shape}" for name, shape in info.inputs.items())
            return f"decision_regions needs one input of two numbers; this data has {shapes}"
        return None

    def run(self, context: Context) -> dict[str, Any]:
        """The part and the grid's limits: [low, high] of either input."""
        judged = judge(self, context, self.part)
        info = context.dataset.info
        ((name, points),) = judged.part.inputs.items()
        x, y = (lines_around(points[:, axis], self.resolution) for axis in (0, 1))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        outputs = context.predict({name: grid})
        answer = _classes(context, outputs) if context.task == "classification" else {}
        answer = answer or {"values": outputs.reshape(len(grid), -1)[:, 0]}
        more = {"lines": self._hyperplanes(context, name, x, y)}
        if "classes" in answer:
            more["predicted"] = context.classes(context.predict(judged.part.inputs))
        lines = context.dataset.to_source_units(name, np.stack([x, y], axis=1))
        x, y = lines[:, 0], lines[:, 1]
        write_arrays(
            judged.plot("decision_regions", "npz"),
            x=x,
            y=y,
            points=context.dataset.to_source_units(name, points),
            labels=labels(judged.part).reshape(len(points), -1)[:, 0],
            names=np.array(info.target.names),
            features=np.array(feature_names(info, 2)),
            **{key: value.reshape(len(y), len(x)) for key, value in answer.items()},
            **more,
        )
        limits = {"x1": [float(x[0]), float(x[-1])], "x2": [float(y[0]), float(y[-1])]}
        count = len(more["lines"])
        return {
            "part": judged.name,
            "limits": limits,
            "hyperplanes": count,
            "notes": list(judged.notes),
        }

    def _hyperplanes(self, context: Context, name: str, x: Array, y: Array) -> Array:
        """The lines of the first layer, in the data's own units; none where it is not linear."""
        first = context.network.first
        if not self.hyperplanes or first is None or (first.kind, first.input) != ("linear", name):
            return np.zeros((0, 2, 2))
        weight = context.weights[f"{first.name}.weight"]
        bias = context.weights.get(f"{first.name}.bias", np.zeros(weight.shape[1]))
        found = segments(weight, bias, (x[0], x[-1]), (y[0], y[-1]))
        return context.dataset.to_source_units(name, found.reshape(-1, 2)).reshape(found.shape)


def lines_around(values: Array, resolution: int) -> Array:
    """The grid's lines on one axis: they reach a little beyond the values."""
    low, high = float(values.min()), float(values.max())
    margin = _MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, resolution, dtype=np.float32)


def _classes(context: Context, outputs: Array) -> dict[str, Array]:
    confidence = context.probabilities(outputs).max(axis=1).astype(np.float32)
    return {"classes": context.classes(outputs), "confidence": confidence}
