"""What an evaluation is given, and which part of the data it judges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from ldl.arrays import Array, Shape
from ldl.errors import DataError
from ldl.evaluate.network import NetworkInfo, SettingProblem
from ldl.evaluate.network import Task as Task

if TYPE_CHECKING:
    from ldl.data.dataset import Dataset, DatasetInfo, Split

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
    classes: Callable[[Array], Array]
    """Outputs (n, …) to class indices (n,), as training counts them."""
    probabilities: Callable[[Array], Array]
    """Outputs (n, …) to class probabilities (n, C)."""
    probability_note: Callable[[Array], str | None]
    """What has to be said of these."""
    folder: Path
    """The run folder; an evaluation writes below it."""
    seed: int
    train_classifier: Callable[
        [Any, Array, Array, int, ClassifierSettings], Callable[[Array], Array]
    ]
    """(layers, inputs (n, …), labels (n,), classes, settings) to inputs → class indices (n,)."""
    network: NetworkInfo
    values: Callable[[str, Mapping[str, Array]], Array]
    """(name of a value, inputs) to that value (n, …), in evaluation mode."""
    weights: Mapping[str, Array]
    """Every trained array by its full name, `linear1.weight`."""
    decoder: Callable[[str], Callable[[Array], Array] | None]
    """The way from a value to the output; None where the output needs more than that value."""
    retrain: Callable[..., Context]
    """Rows of the source to train on, to validate on and to judge, or None, and perhaps another
    `loss` or `optimizer` in a mapping: the network of the configuration trained anew on them, and
    its data. Raises RunError where it diverges."""
    drive: Callable[[int], dict[str, float]]
    """Steps to the largest difference of any weight from the training loop's, by other ways."""
    turn: int = 1
    """2, 3, … where the same evaluation of the same part stands in the list again."""

    def file(self, part: PartName, stem: str, suffix: str) -> str:
        """`stem.suffix` for the test part, `stem-train.suffix` for another, `stem-2` if again."""
        ending = ("" if part == "test" else f"-{part}") + ("" if self.turn < 2 else f"-{self.turn}")
        return f"{stem}{ending}.{suffix}"


class Evaluation(Protocol):
    """A judgement of a trained network: results that JSON can hold, and data files for plots."""

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Why this cannot judge such data and such a task, or None; asked before any training."""

    def run(self, context: Context) -> dict[str, Any]:
        """The results; writes below `context.folder`. Raises DataError where `problem` speaks."""


@runtime_checkable
class LooksInside(Protocol):
    """An evaluation of more than the output: it knows which networks it does not fit."""

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """What does not fit, by setting ("" for the whole); asked before any training."""


@runtime_checkable
class Counts(Protocol):
    """An evaluation that needs a number of samples."""

    def size_problem(self, info: DatasetInfo, sizes: Mapping[str, int]) -> str | None:
        """What is too few, by the sizes of the parts; asked before any training."""


@runtime_checkable
class Changes(Protocol):
    """An evaluation that trains the network anew with other settings."""

    def changes(self) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        """Each with the setting of the evaluation that it comes from."""


@runtime_checkable
class Classifies(Protocol):
    """An evaluation that trains a classifier of its own where the data has classes."""

    @property
    def classifier(self) -> Any:
        """Its layers."""

    def read(self, info: DatasetInfo, network: NetworkInfo) -> Shape | None:
        """The shape of a sample that the classifier reads; None where the network lacks it."""


@dataclass(frozen=True)
class Judged:
    """The part that is judged: its name, its data and what a reader should know of the choice."""

    name: PartName
    part: Split
    notes: tuple[str, ...]
    context: Context

    @property
    def samples(self) -> int:
        return len(next(iter(self.part.inputs.values())))

    def file(self, stem: str, suffix: str) -> str:
        """`stem.suffix` for the test part, `stem-train.suffix` for another one."""
        return self.context.file(self.name, stem, suffix)

    def plot(self, stem: str, suffix: str) -> Path:
        """Where a picture's numbers go."""
        return self.context.folder / "plots" / self.file(stem, suffix)

    def matrix(self, stem: str) -> Path:
        """Where a contingency matrix goes."""
        return self.context.folder / "contingency" / self.file(stem, "csv")


def judge(evaluation: Evaluation, context: Context, wanted: PartName) -> Judged:
    """The wanted part, or the next of test, validation, train that there is.

    Raises DataError where the evaluation does not fit the data or the task.
    """
    info, found = context.dataset.info, at_hand(context.dataset, wanted)
    fault = evaluation.problem(info, context.task)
    if not fault and isinstance(evaluation, LooksInside):
        fault = "; ".join(
            message for _, message in evaluation.network_problems(info, context.network)
        )
    if fault or found is None:
        raise DataError(fault or "there is no sample to judge")
    missed = f"there is no {wanted} part: judged on the {found} part"
    notes = () if found == wanted else (missed,)
    return Judged(found, getattr(context.dataset, found), notes, context)


def at_hand(dataset: Dataset, wanted: PartName) -> PartName | None:
    """The wanted part, or the next of test, validation, train that holds a sample."""
    for name in PARTS[PARTS.index(wanted) :]:
        part: Split | None = getattr(dataset, name)
        if part is not None and len(part):
            return name
    return None


def labels(part: Split) -> Array:
    """The part's targets; DataError where it has none."""
    if part.targets is None:
        raise DataError("the data has no targets to judge by")
    return part.targets


def feature_names(info: DatasetInfo, size: int) -> list[str]:
    """What the data calls its `size` input values, or x where there is one, x1, x2, … otherwise."""
    if len(info.features) == size:
        return list(info.features)
    return ["x"] if size == 1 else [f"x{i + 1}" for i in range(size)]


def number(value: float) -> float | None:
    """A float that JSON can hold: None in place of NaN and the infinities."""
    return float(value) if math.isfinite(value) else None
