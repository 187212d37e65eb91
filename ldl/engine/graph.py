"""The layer graph: order, shapes and weights of a network, and the problems of its structure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ldl.arrays import Array, Shape
from ldl.cycles import depth_first
from ldl.engine.layer import Layer, LayerPlan, ParameterSpec, TensorSpec
from ldl.engine.layers.shape_checks import format_shape
from ldl.engine.losses import Loss
from ldl.errors import GraphError, ShapeError


@dataclass(frozen=True)
class Node:
    """One use of a layer: its name in the graph and the names of the values that it reads."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class LossNode:
    """A loss on (prediction, target), and its weight in the sum that training minimises."""

    name: str
    layer: Loss
    inputs: tuple[str, str]
    weight: float = 1.0


@dataclass
class Graph:
    """Layers in an order in which each comes after its inputs, with all shapes known.

    A value bears the name of the input or node that gives it. A layer object that stands at
    several nodes shares its weights, which bear the first node's name. Raises GraphError with
    every problem: a repeated or unknown name, a cycle, a shape that does not fit.
    """

    inputs: Mapping[str, TensorSpec]
    nodes: Sequence[Node]
    losses: Sequence[LossNode] = ()
    order: list[Node | LossNode] = field(init=False)
    plans: dict[str, LayerPlan] = field(init=False, default_factory=dict)
    specs: dict[str, TensorSpec] = field(init=False)
    owners: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.specs = dict(self.inputs)
        nodes: list[Node | LossNode] = [*self.nodes, *self.losses]
        problems = _name_problems(self.inputs, nodes)
        self.order = _sorted(self.inputs, nodes, problems)
        first: dict[int, str] = {}
        for node in self.order:
            self.owners[node.name] = first.setdefault(id(node.layer), node.name)
            self._plan(node, problems)
        if problems:
            raise GraphError(problems)

    def _plan(self, node: Node | LossNode, problems: list[tuple[str, str]]) -> None:
        """Plan one node, unless one of its inputs could not be planned."""
        if any(name not in self.specs for name in node.inputs):
            return
        try:
            plan = node.layer.plan(tuple(self.specs[name] for name in node.inputs))
        except ShapeError as error:
            problems.append((node.name, str(error)))
            return
        owner = self.owners[node.name]
        shared = self.plans.get(owner)
        if shared and _shapes(shared) != _shapes(plan):
            weights, needed = (
                ", ".join(f"{key} {format_shape(shape)}" for key, shape in _shapes(p).items())
                for p in (shared, plan)
            )
            problems.append((node.name, f"shares {weights} of {owner}, but needs {needed} here"))
            return
        self.plans[node.name] = plan
        self.specs[node.name] = TensorSpec(plan.y)

    @property
    def _owner_nodes(self) -> list[Node | LossNode]:
        """The nodes that name their layer's weights."""
        return [node for node in self.order if self.owners[node.name] == node.name]

    @property
    def weights(self) -> dict[str, ParameterSpec]:
        """Every trained array by its full name, `node.weight`, in the order of the graph."""
        return {
            f"{node.name}.{key}": spec
            for node in self._owner_nodes
            for key, spec in self.plans[node.name].w.items()
        }

    @property
    def state(self) -> dict[str, Array]:
        """Initial values of what is kept but not trained, by full name."""
        return {
            f"{node.name}.{key}": array
            for node in self._owner_nodes
            for key, array in self.plans[node.name].state.items()
        }

    @property
    def data_parallel(self) -> bool:
        """Whether shards of a batch give the same result as the batch in one piece."""
        return all(node.layer.data_parallel for node in self.order)

    def ancestors(self, values: Iterable[str]) -> list[Node | LossNode]:
        """The nodes, in order, that have to run to give `values`."""
        needed = set(values)
        nodes = []
        for node in reversed(self.order):
            if node.name in needed:
                nodes.append(node)
                needed.update(node.inputs)
        return nodes[::-1]


def _shapes(plan: LayerPlan) -> dict[str, Shape]:
    """The shape of each weight of a plan."""
    return {key: spec.shape for key, spec in plan.w.items()}


def _name_problems(
    inputs: Mapping[str, TensorSpec], nodes: Sequence[Node | LossNode]
) -> list[tuple[str, str]]:
    """Names used twice, and names that nothing gives."""
    problems: list[tuple[str, str]] = []
    known = set(inputs)
    losses = {node.name for node in nodes if isinstance(node, LossNode)}
    losses -= {node.name for node in nodes if isinstance(node, Node)}
    for node in nodes:
        if node.name in known:
            problems.append((node.name, f"the name {node.name} is taken already"))
        known.add(node.name)
    for node in nodes:
        for name in node.inputs:
            if name in losses:
                message = f"reads {name}, a loss, which only the training reads"
                problems.append((node.name, message))
            elif name not in known:
                valid = ", ".join(sorted(known - losses - {node.name}))
                message = f"reads {name}, which nothing gives; there are {valid}"
                problems.append((node.name, message))
    return problems


def _sorted(
    inputs: Mapping[str, TensorSpec],
    nodes: Sequence[Node | LossNode],
    problems: list[tuple[str, str]],
) -> list[Node | LossNode]:
    """Nodes after their inputs, otherwise in the given order; each cycle is added to `problems`.

    Nodes on a cycle are left out, so that neither they nor their consumers are planned.
    """
    by_name = {node.name: node for node in reversed(nodes)}  # the first of two with one name
    reads = {node.name: by_name[node.name].inputs for node in nodes if node.name not in inputs}
    names, cycles = depth_first(reads)
    problems += [(cycle[-2], "a cycle: " + " → ".join(reversed(cycle))) for cycle in cycles]
    on_cycle = {name for cycle in cycles for name in cycle}
    return [by_name[name] for name in names if name not in on_cycle]
