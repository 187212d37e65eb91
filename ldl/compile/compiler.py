"""Compiles a configuration into an Experiment, or reports all problems of its network."""

from __future__ import annotations

from collections.abc import Sequence

from ldl.compile.compile_checks import (
    MISSING_UNITS,
    PathProblem,
    graph_problems,
    size_problems,
    training_problems,
)
from ldl.compile.expander import REPORTED, Expander
from ldl.compile.experiment import Experiment
from ldl.compile.experiment_config import Config, EncoderDecoder
from ldl.compile.freeze import freeze_problems
from ldl.compile.graph_builder import GraphBuilder
from ldl.compile.loss_nodes import LossBuilder, set_output_units, task_of
from ldl.data import DatasetInfo
from ldl.engine.graph import Graph, LossNode
from ldl.engine.layer import TensorSpec
from ldl.errors import GraphError


class CompileError(Exception):
    """All problems of a network, as (key path, message) pairs."""

    def __init__(self, problems: Sequence[PathProblem]) -> None:
        super().__init__("; ".join(message for _, message in problems))
        self.problems = tuple(problems)


def compile_config(config: Config, info: DatasetInfo) -> Experiment:
    """The experiment of a configuration on data described by `info`. Raises CompileError."""
    input_specs = {name: TensorSpec(shape) for name, shape in info.inputs.items()}
    network = GraphBuilder(input_specs, Expander(config.blocks))
    network.add_network(config.network)
    losses = LossBuilder(config, info, network)
    losses.add_all()
    problems = [(error.path, error.message) for error in network.problems] + losses.problems
    inputs = {**input_specs, **losses.target_specs}
    nodes = set_output_units(network.nodes, losses.nodes, inputs, info)
    try:
        graph = Graph(inputs, nodes, losses.nodes)
    except GraphError as error:
        located = [_locate(name, reason, network, losses.nodes) for name, reason in error.problems]
        # An output layer gets its units from a loss, so that they are missing where the loss is.
        problems += [p for p in located if not (losses.problems and MISSING_UNITS in p[1])]
    else:
        if not problems:
            problems += graph_problems(graph, network.origins, info)
            problems += freeze_problems(config.train.freeze, graph)
    task = task_of(config, info)
    problems += training_problems(config, task)
    if problems:
        raise CompileError([p for p in dict.fromkeys(problems) if p[1] != REPORTED])
    code = network.values.get("code") if isinstance(config.network, EncoderDecoder) else None
    output = losses.nodes[0].inputs[0]
    experiment = Experiment(
        config, info, graph, task, output, code, losses.targets, network.origins
    )
    problems = size_problems(graph, experiment.batch_size, network.origins)
    if problems:
        raise CompileError(problems)
    return experiment


def _locate(
    name: str, reason: str, network: GraphBuilder, losses: Sequence[LossNode]
) -> PathProblem:
    """A problem of a node with its key path; that of a loss is at the layer that it reads."""
    for loss in losses:
        if loss.name == name:
            path = network.origins.get(loss.inputs[0], ("loss",))
            return path, f"{name.removeprefix('loss.')}: {reason} ({loss.inputs[0]})"
    return network.origins[name], f"{network.layer_names[name]} ({name}): {reason}"
