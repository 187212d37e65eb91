"""Loss nodes and their targets, the task that they imply, and the size of the output layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ldl.compile.compile_checks import PathProblem, target_problem
from ldl.compile.expander import NetworkError
from ldl.compile.experiment_config import Config, EncoderDecoder, LossTerm
from ldl.compile.graph_builder import UNKNOWN, GraphBuilder
from ldl.compile.registries import LOSS_NAMES
from ldl.config.suggest import spelling_hint
from ldl.config.tree import KeyPath
from ldl.data import DatasetInfo, Target
from ldl.engine.graph import LossNode, Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers.activation import Activation, Identity
from ldl.engine.layers.linear import Linear
from ldl.engine.losses import Bce, BceWithLogits, CrossEntropy, Hinge, Loss, Mse

Task = Literal["classification", "regression", "reconstruction"]


def task_of(config: Config, info: DatasetInfo) -> Task:
    """What the first loss trains, which also decides how the output is evaluated."""
    target = next((term.target for term in _loss_terms(config, info)), None)
    if (target or default_target(config)) == "inputs":
        return "reconstruction"
    return "regression" if info.target.kind == "values" else "classification"


def default_target(config: Config) -> Literal["labels", "inputs"]:
    """The target of a loss that names none: the inputs for an autoencoder, else the labels."""
    if config.data.target is not None:
        return config.data.target
    return "inputs" if isinstance(config.network, EncoderDecoder) else "labels"


def _loss_terms(config: Config, info: DatasetInfo) -> list[LossTerm]:
    """The loss terms as written, or the usual loss of the task."""
    if config.loss is not None:
        return config.loss if isinstance(config.loss, list) else [config.loss]
    classes = default_target(config) == "labels" and info.target.kind == "classes"
    return [LossTerm(CrossEntropy() if classes else Mse())]


@dataclass
class LossBuilder:
    """Collects the loss nodes of a configuration.

    `target_specs` are the inputs that the graph gets for targets; `targets` maps each of them to
    "labels", to an extra target of the data or to the data input that it repeats.
    """

    config: Config
    info: DatasetInfo
    network: GraphBuilder
    nodes: list[LossNode] = field(default_factory=list)
    target_specs: dict[str, TensorSpec] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    problems: list[PathProblem] = field(default_factory=list)

    def add_all(self) -> None:
        """Add the nodes of all loss terms, and their problems."""
        terms = _loss_terms(self.config, self.info)
        if not terms:
            self.problems.append((("loss",), "there is no loss in this list"))
        for number, term in enumerate(terms):
            try:
                node = self._node(number, term)
            except NetworkError as error:
                self.problems.append((error.path, error.message))
            else:
                if UNKNOWN not in node.inputs:
                    self.nodes.append(node)

    def _node(self, number: int, term: LossTerm) -> LossNode:
        """The node of a loss term; its target becomes an input of the graph."""
        path: KeyPath = ("loss", number) if isinstance(self.config.loss, list) else ("loss",)
        value = self.network.output
        if term.from_ is not None:
            value = self.network.find_value(term.from_, (*path, "from"))
        name = f"loss.{LOSS_NAMES[type(term.loss)]}" + (str(number + 1) if number else "")
        source = term.target or default_target(self.config)
        if source == "inputs":
            source, spec = self._input_target(path)
            if self.config.data.noise is None:
                return LossNode(name, replace(term.loss), (value, source), term.weight)
        else:
            target = self._data_target(source, number, path)
            self._check_loss(term.loss, target, path)
            is_classes = target.kind == "classes"
            spec = TensorSpec((), True) if is_classes else TensorSpec((target.size,))
        target_input = f"target.{source}"
        self.target_specs[target_input], self.targets[target_input] = spec, source
        return LossNode(name, replace(term.loss), (value, target_input), term.weight)

    def _input_target(self, path: KeyPath) -> tuple[str, TensorSpec]:
        """The one input of the data, which a reconstruction has as its target."""
        if len(self.info.inputs) > 1:
            raise NetworkError(path, "the data has several inputs, so none can be the target")
        source = next(iter(self.info.inputs))
        return source, TensorSpec(self.info.inputs[source])

    def _data_target(self, source: str, number: int, path: KeyPath) -> Target:
        """The labels or an extra target of the data. Raises NetworkError."""
        if source != "labels" and source not in self.info.extra_targets:
            names = ["labels", "inputs", *self.info.extra_targets]
            hint = spelling_hint(source, names, "there are")
            raise NetworkError((*path, "target"), f"no target is named {source}; {hint}")
        if source != "labels" and number == 0:
            reason = "the first loss says how the network is evaluated, by labels or inputs"
            raise NetworkError((*path, "target"), f"{reason}: {source} belongs to a later one")
        target = self.info.target_named(source)
        if target.kind == "none":
            raise NetworkError(path, "the data has no labels; `data.target: inputs` learns inputs")
        return target

    def _check_loss(self, loss: Loss, target: Target, path: KeyPath) -> None:
        """Raises NetworkError where the loss does not fit its target."""
        problem = target_problem(loss, target, self.config.data.source, path)
        if problem is not None:
            raise NetworkError(*problem)
        weights = getattr(loss, "class_weights", None)
        if target.kind == "classes" and weights is not None and len(weights) != target.size:
            setting = (*path, LOSS_NAMES[type(loss)], "class_weights")
            raise NetworkError(setting, f"{len(weights)} weights for {target.size} classes")


def set_output_units(
    nodes: Sequence[Node],
    losses: Sequence[LossNode],
    inputs: Mapping[str, TensorSpec],
    info: DatasetInfo,
) -> list[Node]:
    """The nodes, with the units of an output layer that has none taken from its target."""
    by_name = {node.name: node for node in nodes}
    sized_layers: dict[int, Layer] = {}
    for loss in losses:
        node = by_name.get(loss.inputs[0])
        while node is not None and isinstance(node.layer, Activation | Identity):
            node = by_name.get(node.inputs[0])
        if node is not None and isinstance(node.layer, Linear) and node.layer.units is None:
            units = _target_size(loss.layer, loss.inputs[1], inputs, info)
            sized_layers.setdefault(id(node.layer), replace(node.layer, units=units))
    return [replace(node, layer=sized_layers.get(id(node.layer), node.layer)) for node in nodes]


def _target_size(
    loss: Loss, target: str, inputs: Mapping[str, TensorSpec], info: DatasetInfo
) -> int:
    """The number of outputs: one a class, but a single one for two classes of bce or hinge."""
    spec = inputs[target]
    if not spec.integer:
        return spec.shape[-1] if spec.shape else 1
    classes = info.target_named(target.removeprefix("target.")).size
    single = isinstance(loss, Bce | BceWithLogits | Hinge)
    return 1 if single and classes == 2 else classes
