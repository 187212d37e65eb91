"""What an evaluation is given, and which part of the data it judges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from numpy.typing import NDArray

from ldl.errors import DataError

if TYPE_CHECKING:
    from ldl.data.info import Dataset, Info, Part

Array = NDArray[Any]
Task = Literal["classification", "regression", "reconstruction"]
PartName = Literal["test", "validation", "train"]
PARTS: tuple[PartName, ...] = ("test", "validation", "train")


@dataclass(frozen=True)
class ClassifierSettings:
    """How an evaluation's own classifier is trained."""

    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Context:
    """A trained network and its data, as an evaluation sees them."""

    dataset: Dataset
    task: Task
    predict: Callable[[Mapping[str, Array]], Array]
    """Inputs {name: (n, …)} to outputs (n, …), float32, in evaluation mode."""
    probabilities: Callable[[Array], Array]
    """Outputs (n, …) to class probabilities (n, C)."""
    folder: Path
    """The run folder; an evaluation writes below it."""
    seed: int
    train_classifier: Callable[
        [Any, Array, Array, int, ClassifierSettings], Callable[[Array], Array]
    ]
    """(layers, inputs (n, …), labels (n,), classes, settings) to inputs → class indices (n,)."""


class Evaluation(Protocol):
    """A judgement of a trained network: results that JSON can hold, and data files for plots."""

    def fault(self, info: Info, task: Task) -> str | None:
        """Why this cannot judge such data and such a task, or None; asked before any training."""

    def run(self, context: Context) -> dict[str, Any]:
        """The results; writes below `context.folder`. Raises DataError where `fault` speaks."""


@dataclass(frozen=True)
class Judged:
    """The part that is judged: its name, its data and what a reader should know of the choice."""

    name: PartName
    part: Part
    notes: tuple[str, ...]

    @property
    def samples(self) -> int:
        return len(next(iter(self.part.inputs.values())))

    def file(self, stem: str, suffix: str) -> str:
        """`stem.suffix` for the test part, `stem-train.suffix` for another one."""
        return f"{stem}{'' if self.name == 'test' else '-' + self.name}.{suffix}"


def judge(evaluation: Evaluation, context: Context, wanted: PartName) -> Judged:
    """The wanted part, or the next of test, validation, train that there is.

    Raises DataError where the evaluation does not fit the data or the task.
    """
    fault = evaluation.fault(context.dataset.info, context.task)
    if fault:
        raise DataError(fault)
    for name in PARTS[PARTS.index(wanted) :]:
        part: Part | None = getattr(context.dataset, name)
        if part is not None and len(next(iter(part.inputs.values()))):
            missed = f"there is no {wanted} part: judged on the {name} part"
            return Judged(name, part, () if name == wanted else (missed,))
    raise DataError("there is no sample to judge")


def labels(part: Part) -> Array:
    """The part's targets; DataError where it has none."""
    if part.targets is None:
        raise DataError("the data has no targets to judge by")
    return part.targets


def feature_names(info: Info, size: int) -> list[str]:
    """What the data calls its `size` input values, or x where there is one, x1, x2, … otherwise."""
    if len(info.features) == size:
        return list(info.features)
    return ["x"] if size == 1 else [f"x{i + 1}" for i in range(size)]


def number(value: float) -> float | None:
    """A float that JSON can hold: None in place of NaN and the infinities."""
    return float(value) if math.isfinite(value) else None
