"""What a network says of every point in the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ldl.evaluate.context import Context, PartName, Task, feature_names, judge, labels
from ldl.evaluate.files import write_arrays
from ldl.fields import Range

if TYPE_CHECKING:
    from ldl.data.info import Info

Array = NDArray[Any]
_MARGIN = 0.08


@dataclass(frozen=True)
class DecisionRegions:
    """The network's answer on a square grid of points around inputs of two numbers.

    The grid has `resolution` lines a side and reaches 8 % beyond the points on either side.
    Leaves `plots/decision_regions.npz`: `x` and `y`, the grid's lines; `classes` and `confidence`
    (y, x) of a classifier, or `values` (y, x) of a regression's first target; the judged part's
    `points` (n, 2) and their `labels` (n,); the class or target `names` and those of the two
    `features`.
    """

    resolution: Annotated[int, Range(2, 2000)] = 200
    part: PartName = "test"

    def fault(self, info: Info, task: Task) -> str | None:
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
        x, y = (self._lines(points[:, axis]) for axis in (0, 1))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        outputs = context.predict({name: grid})
        answer = _classes(context, outputs) if context.task == "classification" else {}
        answer = answer or {"values": outputs.reshape(len(grid), -1)[:, 0]}
        lines = context.dataset.in_units(name, np.stack([x, y], axis=1))
        x, y = lines[:, 0], lines[:, 1]
        write_arrays(
            context.folder / "plots" / judged.file("decision_regions", "npz"),
            x=x,
            y=y,
            points=context.dataset.in_units(name, points),
            labels=labels(judged.part).reshape(len(points), -1)[:, 0],
            names=np.array(info.target.names),
            features=np.array(feature_names(info, 2)),
            **{key: value.reshape(len(y), len(x)) for key, value in answer.items()},
        )
        limits = {"x1": [float(x[0]), float(x[-1])], "x2": [float(y[0]), float(y[-1])]}
        return {"part": judged.name, "limits": limits, "notes": list(judged.notes)}

    def _lines(self, values: Array) -> Array:
        low, high = float(values.min()), float(values.max())
        margin = _MARGIN * (high - low) or 1.0
        return np.linspace(low - margin, high + margin, self.resolution, dtype=np.float32)


def _classes(context: Context, outputs: Array) -> dict[str, Array]:
    probabilities = context.probabilities(outputs)
    confidence = probabilities.max(axis=1).astype(np.float32)
    return {"classes": probabilities.argmax(axis=1), "confidence": confidence}
