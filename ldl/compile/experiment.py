"""A configuration turned into what can be trained: the graph, its losses and their arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ldl.arrays import Array
from ldl.compile.compile_checks import (
    MISSING_UNITS,
    PathProblem,
    class_faults,
    graph_faults,
    size_faults,
    training_faults,
)
from ldl.compile.experiment_config import Config, EncoderDecoder, LossTerm
from ldl.compile.freeze import freeze_faults, frozen_weights
from ldl.compile.graph_builder import LAYER_NAMES, UNKNOWN, Expander, GraphBuilder, NetworkError
from ldl.compile.parallelism import Parallelism, choose_parallelism
from ldl.config import suggest
from ldl.config.tree import KeyPath
from ldl.data import AffineScaler, DatasetInfo, Split, split_sizes
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.linear import Linear
from ldl.engine.losses import LOSSES, Bce, BceWithLogits, CrossEntropy, Hinge, Loss, Mse
from ldl.errors import GraphError

LOSS_NAMES: dict[type[Layer], str] = {loss: name for name, loss in LOSSES.items()}
OPERATION_NAMES: dict[type[Layer], str] = {**LAYER_NAMES, **LOSS_NAMES}
Task = Literal["classification", "regression", "reconstruction"]
DEFAULT_BATCH = 32


class CompileError(Exception):
    """All that is wrong with a network: pairs of a place in the configuration and a sentence."""

    def __init__(self, problems: Sequence[PathProblem]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Experiment:
    """A checked configuration and the graph that it describes.

    `targets` maps each target input of the graph to "labels", to an extra target of the data or
    to the data input that it repeats; `output` and `code` name the values that are judged.
    """

    config: Config
    info: DatasetInfo
    graph: Graph
    task: Task
    output: str
    code: str | None
    targets: Mapping[str, str]
    origins: Mapping[str, KeyPath]

    def arrays(self, part: Split, scale: AffineScaler | None = None) -> dict[str, Array]:
        """The arrays of a part, by the graph's input names; reconstruction targets are clean.

        `scale` is that of the values to learn.
        """
        arrays = dict(part.inputs)
        for name, source in self.targets.items():
            if source == "labels":
                assert part.targets is not None
                arrays[name] = scale.transform(part.targets) if scale else part.targets
            else:
                arrays[name] = (part.clean if source in self.info.inputs else part.extra_targets)[
                    source
                ]
        return arrays

    @property
    def input_targets(self) -> dict[str, str]:
        """Those of `targets` that repeat an input of the data."""
        return {name: source for name, source in self.targets.items() if source in self.info.inputs}

    @property
    def batch_size(self) -> int:
        """Samples a step, but for a smaller last batch; gd and `full` take all there are."""
        size = self.config.train.batch_size
        most = split_sizes(self.config.data.split, self.info).train
        if size == "full" or self.config.optimizer.full_batch:
            return most
        return min(DEFAULT_BATCH if size is None else size, most)

    @property
    def parallelism(self) -> Parallelism:
        """How a step is divided among threads."""
        return choose_parallelism(self.graph, self.batch_size, self.config.train.threads)

    @property
    def label_input(self) -> str:
        """The graph's input that takes the data's labels."""
        return next(name for name, source in self.targets.items() if source == "labels")

    @property
    def frozen(self) -> frozenset[str]:
        """The weights that stay as they are."""
        return frozen_weights(self.config.train.freeze, self.graph)

    def predicted_classes(self, outputs: Array) -> Array:
        """Outputs (n, C) to class indices (n,): the largest; one value is class 1 above ½.

        Above 0 if it is a logit.
        """
        if outputs.shape[1] == 1:
            return np.greater(outputs[:, 0], self.main_loss.decision_threshold).astype(np.int64)
        winners: Array = np.argmax(outputs, axis=1)
        return winners

    def final_outputs(self, outputs: Array) -> Array:
        """Outputs as the task means them: of a reconstruction by bce_with_logits probabilities."""
        if self.task == "reconstruction" and self.main_loss.input_kind == "binary_logits":
            return _sigmoid(outputs)
        return outputs

    def probabilities(self, outputs: Array) -> Array:
        """Outputs (n, C) to class probabilities (n, C), rows summing to 1.

        Logits and log-probabilities go through softmax, those of bce_with_logits and single ones
        through the sigmoid; one value p becomes (1 − p, p).
        """
        takes = self.main_loss.input_kind
        if takes == "binary_logits" or (takes == "logits" and outputs.shape[1] == 1):
            outputs = _sigmoid(outputs)
        if outputs.shape[1] == 1:
            p = np.clip(outputs, 0.0, 1.0)
            return np.concatenate([1.0 - p, p], axis=1)
        if takes in ("logits", "log_probabilities"):
            scores = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        else:
            scores = np.maximum(outputs, 1e-12)
        shares: Array = np.divide(scores, scores.sum(axis=1, keepdims=True))
        return shares

    def probability_note(self, outputs: Array) -> str | None:
        """What `probabilities` makes of outputs (n, C) that are none; None where they are."""
        if isinstance(self.main_loss, Hinge):
            return "hinge gives scores, no probabilities: these are made of them by softmax"
        if self.main_loss.input_kind != "probabilities":
            return None
        off = np.abs(outputs.sum(axis=1) - 1.0).max() if outputs.shape[1] > 1 else 0.0
        if off < 1e-3 and outputs.min() >= 0.0 and outputs.max() <= 1.0:
            return None
        made = "cut off below 0 and divided by their sum"
        return f"the outputs are no probabilities: these are made of them, {made}"

    @property
    def main_loss(self) -> Loss:
        """The first loss, which says what the output means."""
        return self.graph.losses[0].layer


def compile_config(config: Config, info: DatasetInfo) -> Experiment:
    """The graph of a configuration on data described by `info`. Raises CompileError."""
    inputs = {name: TensorSpec(shape) for name, shape in info.inputs.items()}
    network = GraphBuilder(inputs, Expander(config.blocks))
    network.add(config.network)
    faults: list[PathProblem] = [(error.path, error.message) for error in network.problems]
    targets: dict[str, str] = {}
    losses, lost = _losses(config, info, network, inputs, targets)
    faults += lost
    places = _sized(network.places, losses, inputs, info)
    try:
        graph = Graph(inputs, places, losses)
    except GraphError as error:
        found = [_located(name, reason, network, losses) for name, reason in error.problems]
        faults += [fault for fault in found if not (lost and MISSING_UNITS in fault[1])]
    else:
        if not faults:
            faults += graph_faults(graph, network, info)
            faults += freeze_faults(config.train.freeze, graph)
    task = task_of(config, info)
    faults += training_faults(config, task)
    if faults:
        raise CompileError(list(dict.fromkeys(faults)))
    code = network.values.get("code") if isinstance(config.network, EncoderDecoder) else None
    output = losses[0].inputs[0]
    experiment = Experiment(config, info, graph, task, output, code, targets, network.origins)
    faults = size_faults(graph, experiment.batch_size, network)
    if faults:
        raise CompileError(faults)
    return experiment


def task_of(config: Config, info: DatasetInfo) -> Task:
    """What the first loss teaches, which is also what its output is judged by."""
    first = next((term.target for term in _terms(config, info)), None)
    if (first or default_target(config)) == "inputs":
        return "reconstruction"
    return "regression" if info.target.kind == "values" else "classification"


def _losses(
    config: Config,
    info: DatasetInfo,
    network: GraphBuilder,
    inputs: dict[str, TensorSpec],
    targets: dict[str, str],
) -> tuple[list[LossNode], list[PathProblem]]:
    """The losses in the graph, and what is wrong with the others."""
    losses: list[LossNode] = []
    terms = _terms(config, info)
    faults: list[PathProblem] = [] if terms else [(("loss",), "there is no loss in this list")]
    for i, term in enumerate(terms):
        try:
            loss = _loss(i, term, config, info, network, inputs, targets)
            if UNKNOWN not in loss.inputs:
                losses.append(loss)
        except NetworkError as error:
            faults.append((error.path, error.message))
    return losses, faults


def default_target(config: Config) -> Literal["labels", "inputs"]:
    """What a network without further words learns: an autoencoder its inputs, others labels."""
    if config.data.target is not None:
        return config.data.target
    return "inputs" if isinstance(config.network, EncoderDecoder) else "labels"


def _terms(config: Config, info: DatasetInfo) -> list[LossTerm]:
    """The loss terms as written, or the usual loss of the task."""
    if config.loss is not None:
        return config.loss if isinstance(config.loss, list) else [config.loss]
    classes = default_target(config) == "labels" and info.target.kind == "classes"
    return [LossTerm(CrossEntropy() if classes else Mse())]


def _loss(
    number: int, term: LossTerm, config: Config, info: DatasetInfo, network: GraphBuilder,
    inputs: dict[str, TensorSpec], targets: dict[str, str],
) -> LossNode:  # fmt: skip
    """A loss in the graph; its target becomes an input."""
    path: KeyPath = ("loss", number) if isinstance(config.loss, list) else ("loss",)
    value = network.output if term.from_ is None else network.find(term.from_, (*path, "from"))
    kind = term.target or default_target(config)
    if kind == "inputs":
        if len(info.inputs) > 1:
            raise NetworkError(path, "the data has several inputs, so none can be the target")
        source = next(iter(info.inputs))
        spec = TensorSpec(info.inputs[source])
        if config.data.noise is None:
            return LossNode(
                _loss_name(number, term), replace(term.loss), (value, source), term.weight
            )
    else:
        source = kind
        if kind != "labels" and kind not in info.extra_targets:
            known = suggest.spelling_hint(
                kind, ["labels", "inputs", *info.extra_targets], "there are"
            )
            raise NetworkError((*path, "target"), f"no target is named {kind}: {known}")
        if kind != "labels" and number == 0:
            reason = "the first loss says how the network is judged, by labels or inputs"
            raise NetworkError((*path, "target"), f"{reason}: {kind} belongs to a later one")
        chosen = info.target_named(source)
        if chosen.kind == "none":
            raise NetworkError(path, "the data has no labels; `data.target: inputs` learns inputs")
        for place, reason in class_faults(term.loss, chosen, config.data.source, path):
            raise NetworkError(place, reason)
        weights = getattr(term.loss, "class_weights", None)
        if chosen.kind == "classes" and weights is not None and len(weights) != chosen.size:
            at = (*path, LOSS_NAMES[type(term.loss)], "class_weights")
            raise NetworkError(at, f"{len(weights)} weights for {chosen.size} classes")
        spec = TensorSpec((), True) if chosen.kind == "classes" else TensorSpec((chosen.size,))
    target = f"target.{source}"
    inputs[target], targets[target] = spec, source
    return LossNode(_loss_name(number, term), replace(term.loss), (value, target), term.weight)


def _loss_name(number: int, term: LossTerm) -> str:
    """loss.mse, or loss.mse2 for the second term."""
    return f"loss.{LOSS_NAMES[type(term.loss)]}" + (str(number + 1) if number else "")


def _sized(
    places: Sequence[Node],
    losses: Sequence[LossNode],
    inputs: Mapping[str, TensorSpec],
    info: DatasetInfo,
) -> list[Node]:
    """Places with the size of the targets where the last linear layer leaves its units out."""
    by_name = {place.name: place for place in places}
    sized: dict[int, Layer] = {}
    for loss in losses:
        place = by_name.get(loss.inputs[0])
        while place is not None and isinstance(place.layer, Activation):
            place = by_name.get(place.inputs[0])
        if place is not None and isinstance(place.layer, Linear) and place.layer.units is None:
            units = _target_size(loss.layer, loss.inputs[1], inputs, info)
            sized.setdefault(id(place.layer), replace(place.layer, units=units))
    return [replace(place, layer=sized.get(id(place.layer), place.layer)) for place in places]


def _target_size(
    loss: Loss, target: str, inputs: Mapping[str, TensorSpec], info: DatasetInfo
) -> int:
    """Outputs that fit the target: of two classes bce and hinge want one, the others one each."""
    spec = inputs[target]
    if not spec.integer:
        return spec.shape[-1] if spec.shape else 1
    classes = info.target_named(target.removeprefix("target.")).size
    single = isinstance(loss, Bce | BceWithLogits | Hinge)
    return 1 if single and classes == 2 else classes


def _located(
    name: str, reason: str, network: GraphBuilder, losses: Sequence[LossNode]
) -> PathProblem:
    """A fault of the graph at the configuration's line; that of a loss at the judged layer's."""
    for loss in losses:
        if loss.name == name:
            path = network.origins.get(loss.inputs[0], ("loss",))
            return path, f"{name.removeprefix('loss.')}: {reason} ({loss.inputs[0]})"
    return network.origins[name], f"{network.kinds[name]} ({name}): {reason}"


def _sigmoid(logits: Array) -> Array:
    """1 / (1 + exp(−x)), which cannot overflow so."""
    values: Array = 0.5 + 0.5 * np.tanh(0.5 * logits)
    return values
