"""The interface of evaluations, and the network and the data that they receive."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from ldl.arrays import Array, Shape
from ldl.config import suggest
from ldl.data.data_spec import SplitSpec
from ldl.data.dataset import Dataset, DatasetInfo, Split
from ldl.errors import DataError
from ldl.fields import Alias, Doc

SplitName = Literal["test", "validation", "train"]
Task = Literal["classification", "regression", "reconstruction"]
FirstLayerKind = Literal["linear", "conv1d", "conv2d", "other"]
SettingProblem = tuple[str, str]  # a setting of the evaluation ("": all of it), and what is wrong
SplitSetting = Annotated[SplitName, Doc("the split that is evaluated"), Alias("part")]
SPLIT_NAMES: tuple[SplitName, ...] = ("test", "validation", "train")


@dataclass(frozen=True)
class FirstLayer:
    """The first layer that has a weight matrix or kernel.

    `activated` is the node of the activation that follows the first layer with weights of any
    kind, or that layer itself.
    """

    name: str
    kind: FirstLayerKind
    input: str | None  # the data's input that it reads, through nothing but reshapes
    weight: Shape
    activated: str


@dataclass(frozen=True)
class NetworkInfo:
    """The structure of a network, known before it is trained.

    `shapes` holds the shape of one sample's value by node: inputs, layers, and `code` in an
    autoencoder.
    """

    shapes: Mapping[str, Shape] = field(default_factory=dict)
    first_layer: FirstLayer | None = None
    task: Task = "classification"
    is_chain: bool = False  # layers in sequence, one loss, no random draws, no layer mixes samples


@dataclass(frozen=True)
class ClassifierSettings:
    """How an evaluation trains a classifier of its own."""

    epochs: int
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class EvaluationContext:
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
    """Outputs (n, …) to a note on how their probabilities were computed, or None."""
    folder: Path
    """The run folder; an evaluation writes below it."""
    seed: int
    split_seed: int
    """Of `data.split`: it draws what is evaluated."""
    train_classifier: Callable[
        [Any, Array, Array, int, ClassifierSettings], Callable[[Array], Array]
    ]
    """(layers, inputs (n, …), labels (n,), classes, settings) to inputs → class indices (n,)."""
    network: NetworkInfo
    node_values: Callable[[str, Mapping[str, Array]], Array]
    """(node, inputs) to the node's value (n, …), in evaluation mode."""
    weights: Mapping[str, Array]
    """Every trained array by its full name, `linear1.weight`."""
    decoder: Callable[[str], Callable[[Array], Array] | None]
    """A node to the function from its value to the output; None if that needs other nodes too."""
    retrain: Callable[..., EvaluationContext]
    """(training, validation or None, evaluated samples or None, changes) to the network of the
    configuration trained again on these samples of the source, given by their indices. `changes`
    may name another `loss` or `optimizer`. Raises RunError where the training diverges."""
    check_consistency: Callable[[int], dict[str, float]]
    """Steps to {implementation: max |difference| of a weight from the training loop's}."""
    occurrence: int = 1
    """2, 3, … where an evaluation of the same split occurs again in the list."""

    def file_name(self, split_name: SplitName, stem: str, suffix: str) -> str:
        """`stem.suffix` for the test split, `stem-train.suffix`, `stem-2.suffix` if repeated."""
        ending = "" if split_name == "test" else f"-{split_name}"
        ending += "" if self.occurrence < 2 else f"-{self.occurrence}"
        return f"{stem}{ending}.{suffix}"


@dataclass(frozen=True)
class EvaluatedSplit:
    """The split that an evaluation measures, and notes on how it was chosen."""

    name: SplitName
    split: Split
    notes: tuple[str, ...]
    context: EvaluationContext

    @property
    def samples(self) -> int:
        """The number of samples."""
        return len(self.split)

    def plot(self, stem: str, suffix: str) -> Path:
        """The path of a plot's data."""
        return self.context.folder / "plots" / self.context.file_name(self.name, stem, suffix)

    def results(self, metrics: dict[str, Any], notes: list[str] | None = None) -> dict[str, Any]:
        """The results of `run`: split, size, `metrics`, and `notes`, by default the split's."""
        notes = list(self.notes) if notes is None else notes
        results = {"part": self.name, "samples": self.samples, **metrics, "notes": notes}
        return {name: json_values(value) for name, value in results.items()}

    def contingency(self, stem: str) -> Path:
        """The path of a contingency matrix."""
        file_name = self.context.file_name(self.name, stem, "csv")
        return self.context.folder / "contingency" / file_name


class Evaluation:
    """Measures a trained network; EVALUATIONS holds frozen dataclasses that derive from it.

    All methods but `run` are called before any training and say what would make `run` fail; the
    defaults suit any data and network.
    """

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Why the evaluation does not apply to such data or such a task, or None."""
        return None

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """Why the evaluation does not apply to such a network."""
        return []

    def size_problem(self, info: DatasetInfo, split: SplitSpec) -> str | None:
        """Why the data has too few samples once it is split, or None."""
        return None

    def divided_splits(self) -> Sequence[SplitName]:
        """The splits whose samples `run` divides anew, to train on some and evaluate on others."""
        return ()

    def config_changes(self) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
        """The changes with which `run` trains again, each after the path of its setting."""
        return []

    def classifier_layers(
        self, info: DatasetInfo, network: NetworkInfo
    ) -> tuple[Any, Shape] | None:
        """The layers and the input shape of a classifier that `run` trains where there are classes.

        None without such a classifier, or where the network lacks the node that it reads.
        """
        return None

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """The results, which JSON can hold; writes data files of plots into the run folder.

        Raises DataError where one of the other methods names a problem.
        """
        raise NotImplementedError

    def select_split(self, context: EvaluationContext, name: SplitName) -> EvaluatedSplit:
        """The named split, or the next of test, validation, train that has samples.

        Raises DataError where the evaluation does not apply, or no split is left.
        """
        info, available = context.dataset.info, available_split(context.dataset, name)
        problem = self.data_problem(info, context.task)
        if not problem:
            problems = self.network_problems(info, context.network)
            problem = "; ".join(message for _, message in problems)
        if problem or available is None:
            raise DataError(problem or "there is no sample to evaluate")
        note = f"there is no {name} split: evaluated on the {available} split"
        notes = () if available == name else (note,)
        return EvaluatedSplit(available, getattr(context.dataset, available), notes, context)


class NodeEvaluation(Evaluation):
    """An evaluation of the node that its setting `node` names."""

    node: str

    def network_problems(self, info: DatasetInfo, network: NetworkInfo) -> list[SettingProblem]:
        """The network needs the node."""
        return unknown_node(self.node, network)


def available_split(dataset: Dataset, name: SplitName) -> SplitName | None:
    """`name`, or the next of test, validation, train that has samples; None without any."""
    for candidate in SPLIT_NAMES[SPLIT_NAMES.index(name) :]:
        split: Split | None = getattr(dataset, candidate)
        if split is not None and len(split):
            return candidate
    return None


def unknown_node(name: str, network: NetworkInfo, setting: str = "node") -> list[SettingProblem]:
    """The problem of a `setting` that names a node which the network does not have."""
    if name in network.shapes:
        return []
    hint = suggest.spelling_hint(name, list(network.shapes), "there are")
    if name == "code":
        hint += "; a value is called `code` by `as: code`, or in encoder and decoder"
    return [(setting, f"no value is named {name}; {hint}")]


def labels(split: Split) -> Array:
    """The split's targets. Raises DataError where it has none."""
    if split.targets is None:
        raise DataError("the data has no targets to compare predictions with")
    return split.targets


def feature_names(info: DatasetInfo, size: int) -> list[str]:
    """The data's names of its `size` input values; without such x, or x1, x2, …"""
    if len(info.features) == size:
        return list(info.features)
    return ["x"] if size == 1 else [f"x{i + 1}" for i in range(size)]


def json_values(results: Any) -> Any:
    """Results that JSON can hold: Python floats, None in place of NaN and the infinities."""
    if isinstance(results, dict):
        return {key: json_values(value) for key, value in results.items()}
    if isinstance(results, list | tuple):
        return [json_values(value) for value in results]
    if isinstance(results, float | np.floating):
        return float(results) if np.isfinite(results) else None
    return results
