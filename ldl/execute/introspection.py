"""The structure of a network for evaluations: named values, first layer, decoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ldl.arrays import Array
from ldl.compile import Experiment
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layers.activation import Activation, Identity
from ldl.engine.layers.conv import Conv1d, Conv2d
from ldl.engine.layers.linear import Linear
from ldl.engine.liveness import differentiable_inputs
from ldl.engine.model import Model
from ldl.evaluate.context import FirstLayer, FirstLayerKind, NetworkInfo

CODE = "code"  # the name of an autoencoder's innermost value, whichever layer computes it
FIRST_KINDS: dict[type, FirstLayerKind] = {Linear: "linear", Conv1d: "conv1d", Conv2d: "conv2d"}


def network_info(experiment: Experiment) -> NetworkInfo:
    """The structure of a network, known before any training."""
    graph, info = experiment.graph, experiment.info
    names = [node.name for node in graph.order if isinstance(node, Node)]
    shapes = {name: graph.specs[name].shape for name in (*info.inputs, *names)}
    if experiment.code is not None:
        shapes.setdefault(CODE, graph.specs[experiment.code].shape)
    return NetworkInfo(shapes, _first_layer(graph), experiment.task, _is_chain(experiment))


def _is_chain(experiment: Experiment) -> bool:
    """Whether the network can be trained layer by layer, without the graph.

    Each node then receives a gradient from the next node only, and no two nodes share weights, so
    no gradients are added up. There is one loss, samples do not interact, and nothing is random.
    The optimizer needs one gradient per step.
    """
    graph, previous = experiment.graph, None
    for node in graph.order:
        hidden = [name for name in differentiable_inputs(node) if name not in graph.inputs]
        is_next = hidden == ([] if previous is None else [previous])
        is_shared = graph.owners[node.name] != node.name
        if not is_next or is_shared or node.layer.view or graph.plans[node.name].state:
            return False
        previous = node.name
    one_gradient = not experiment.config.optimizer.needs_closure
    return one_gradient and graph.data_parallel and len(graph.losses) == 1


def value_reader(
    experiment: Experiment, model: Model
) -> Callable[[str, Mapping[str, Array]], Array]:
    """A function of (name, inputs {name: (n, …)}) that gives that value of the network (n, …)."""

    def read_value(name: str, inputs: Mapping[str, Array]) -> Array:
        if name in inputs:
            return inputs[name]
        return model.predict(inputs, _graph_name(experiment, name))

    return read_value


def decoder_from(
    experiment: Experiment, model: Model
) -> Callable[[str], Callable[[Array], Array] | None]:
    """A function from the name of a value to the decoder from that value (n, …) to the output.

    It gives None where the output needs more than that value.
    """

    def decoder(name: str) -> Callable[[Array], Array] | None:
        graph, start = experiment.graph, _graph_name(experiment, name)
        needed, nodes = {experiment.output}, []
        for node in reversed(graph.order):
            if isinstance(node, Node) and node.name in needed and node.name != start:
                nodes.append(node)
                needed.update(node.inputs)
        if start not in needed or needed & set(graph.inputs) - {start}:
            return None
        submodel = Model(Graph({start: graph.specs[start]}, nodes[::-1]))
        arrays, parameters = model.parameters.arrays(), submodel.parameters
        parameters.load({n: arrays[_owned_name(graph, n)] for n in parameters.arrays()})
        return lambda x: experiment.final_outputs(submodel.predict({start: x}, experiment.output))

    return decoder


def _graph_name(experiment: Experiment, name: str) -> str:
    """The name of a value in the graph: `code` may stand for the value of another layer."""
    if name == CODE and name not in experiment.graph.specs and experiment.code is not None:
        return experiment.code
    return name


def _owned_name(graph: Graph, name: str) -> str:
    """The name of an array in the whole graph: shared weights are named after their first node."""
    node, _, key = name.rpartition(".")
    return f"{graph.owners[node]}.{key}"


def _first_layer(graph: Graph) -> FirstLayer | None:
    """The first layer with a weight matrix."""
    first_trained = next((node.name for node in graph.order if graph.plans[node.name].w), None)
    by_name = {node.name: node for node in graph.order}
    for node in graph.order:
        weight = graph.plans[node.name].w.get("weight")
        if isinstance(node, LossNode) or weight is None:
            continue
        source = node.inputs[0]
        while source in by_name and by_name[source].layer.view:
            source = by_name[source].inputs[0]
        return FirstLayer(
            node.name,
            FIRST_KINDS.get(type(node.layer), "other"),
            source if source in graph.inputs else None,
            weight.shape,
            _activated(graph, first_trained or node.name),
        )
    return None


def _activated(graph: Graph, name: str) -> str:
    """The activation of a value, if that is the only node that reads it; else the value itself."""
    consumers = [node for node in graph.order if name in node.inputs]
    if len(consumers) == 1 and isinstance(consumers[0].layer, Activation | Identity):
        return consumers[0].name
    return name
