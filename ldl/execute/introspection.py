"""The inside of a network, for evaluations: its values by name, and the way from one to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ldl.arrays import Array
from ldl.compile import Experiment
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.conv import Conv1d, Conv2d
from ldl.engine.layers.linear import Linear
from ldl.engine.model import Model
from ldl.evaluate.context import FirstLayer, FirstLayerKind, NetworkInfo

CODE = "code"  # what an autoencoder's innermost value is called, whatever layer gives it
FIRST_KINDS: dict[type, FirstLayerKind] = {Linear: "linear", Conv1d: "conv1d", Conv2d: "conv2d"}


def network_info(experiment: Experiment) -> NetworkInfo:
    """What evaluations may know before any training."""
    graph, info = experiment.graph, experiment.info
    places = [place.name for place in graph.order if isinstance(place, Node)]
    shapes = {name: graph.specs[name].shape for name in (*info.inputs, *places)}
    if experiment.code is not None:
        shapes.setdefault(CODE, graph.specs[experiment.code].shape)
    return NetworkInfo(shapes, _first(graph), experiment.task, _is_chain(experiment))


def _is_chain(experiment: Experiment) -> bool:
    """Whether each place reads the one before it alone, and each sample is treated by itself.

    And a step looks at one place only, not along a line.
    """
    graph, before = experiment.graph, None
    for place in graph.order:
        plan = graph.plans[place.name]
        first = before is None and place.inputs[0] in graph.inputs
        if (not first and place.inputs[0] != before) or place.layer.view or plan.state:
            return False
        before = place.name
    steps = not experiment.config.optimizer.needs_closure
    return steps and graph.data_parallel and len(graph.losses) == 1


def value_reader(
    experiment: Experiment, model: Model
) -> Callable[[str, Mapping[str, Array]], Array]:
    """(name, inputs) to that value."""

    def value(name: str, inputs: Mapping[str, Array]) -> Array:
        return inputs[name] if name in inputs else model.predict(inputs, _place(experiment, name))

    return value


def decoder_from(
    experiment: Experiment, model: Model
) -> Callable[[str], Callable[[Array], Array] | None]:
    """A value's name to what leads from it to the output, where nothing else is needed."""

    def way(name: str) -> Callable[[Array], Array] | None:
        graph, start = experiment.graph, _place(experiment, name)
        wanted, kept = {experiment.output}, []
        for place in reversed(graph.order):
            if isinstance(place, Node) and place.name in wanted and place.name != start:
                kept.append(place)
                wanted.update(place.inputs)
        if start not in wanted or wanted & set(graph.inputs) - {start}:
            return None
        rest = Model(Graph({start: graph.specs[start]}, kept[::-1]))
        arrays = model.parameters.arrays()
        rest.parameters.load(
            {name: arrays[_owner(graph, name)] for name in rest.parameters.arrays()}
        )
        return lambda x: experiment.final_outputs(rest.predict({start: x}, experiment.output))

    return way


def _place(experiment: Experiment, name: str) -> str:
    """The value that a name stands for: `code` may be another name of a layer's value."""
    if name == CODE and name not in experiment.graph.specs and experiment.code is not None:
        return experiment.code
    return name


def _owner(graph: Graph, name: str) -> str:
    """`place.weight` as the whole graph calls it: shared weights bear their first place's name."""
    place, _, key = name.rpartition(".")
    return f"{graph.owners[place]}.{key}"


def _first(graph: Graph) -> FirstLayer | None:
    """The first layer with a matrix of weights."""
    leading = next((p.name for p in graph.order if graph.plans[p.name].w), None)
    by_name = {place.name: place for place in graph.order}
    for place in graph.order:
        weight = graph.plans[place.name].w.get("weight")
        if isinstance(place, LossNode) or weight is None:
            continue
        source = place.inputs[0]
        while source in by_name and by_name[source].layer.view:
            source = by_name[source].inputs[0]
        kind = FIRST_KINDS.get(type(place.layer), "other")
        return FirstLayer(
            place.name,
            kind,
            source if source in graph.inputs else None,
            weight.shape,
            _activated(graph, leading or place.name),
        )
    return None


def _activated(graph: Graph, name: str) -> str:
    """The activation that alone reads a value, else that value."""
    readers = [place for place in graph.order if name in place.inputs]
    if len(readers) == 1 and isinstance(readers[0].layer, Activation):
        return readers[0].name
    return name
