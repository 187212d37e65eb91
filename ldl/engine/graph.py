"""The layer graph: order, shapes and weights of a network; everything that can be wrong is here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ldl.arrays import Array
from ldl.engine.layer import Layer, LayerPlan, ParameterSpec, TensorSpec
from ldl.engine.layers.shape_checks import words
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
    """A loss on (prediction, target), and its weight in the sum that is trained on."""

    name: str
    layer: Loss
    inputs: tuple[str, str]
    weight: float = 1.0


@dataclass
class Graph:
    """Layers in an order in which each comes after what it reads, with all shapes known.

    A value is named by the input or place that gives it. A layer object that stands at several
    places shares its weights, which carry the first place's name. Raises GraphError with every
    fault: a repeated or unknown name, a cycle, a shape that does not fit.
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
        places: list[Node | LossNode] = [*self.nodes, *self.losses]
        faults = _name_faults(self.inputs, places)
        self.order = _sorted(self.inputs, places, faults)
        first: dict[int, str] = {}
        for place in self.order:
            self.owners[place.name] = first.setdefault(id(place.layer), place.name)
            self._plan(place, faults)
        if faults:
            raise GraphError(faults)

    def _plan(self, place: Node | LossNode, faults: list[tuple[str, str]]) -> None:
        """Plan one place, unless what it reads could not be planned."""
        if any(name not in self.specs for name in place.inputs):
            return
        try:
            plan = place.layer.plan(tuple(self.specs[name] for name in place.inputs))
        except ShapeError as error:
            faults.append((place.name, str(error)))
            return
        owner = self.plans.get(self.owners[place.name])
        if owner and {k: w.shape for k, w in owner.w.items()} != {
            k: w.shape for k, w in plan.w.items()
        }:
            theirs, ours = (
                ", ".join(f"{k} {words(w.shape)}" for k, w in p.w.items()) for p in (owner, plan)
            )
            where = self.owners[place.name]
            faults.append((place.name, f"shares {theirs} of {where}, but needs {ours} here"))
            return
        self.plans[place.name] = plan
        self.specs[place.name] = TensorSpec(plan.y)

    @property
    def weights(self) -> dict[str, ParameterSpec]:
        """Every trained array by its full name, `place.weight`, in the order of the graph."""
        return {
            f"{place.name}.{key}": weight
            for place in self.order
            if self.owners[place.name] == place.name
            for key, weight in self.plans[place.name].w.items()
        }

    @property
    def data_parallel(self) -> bool:
        """Whether a batch can be divided without changing what is computed."""
        return all(place.layer.data_parallel for place in self.order)

    @property
    def state(self) -> dict[str, Array]:
        """Starting values of what is kept but not trained, by full name."""
        return {
            f"{place.name}.{key}": array
            for place in self.order
            if self.owners[place.name] == place.name
            for key, array in self.plans[place.name].state.items()
        }

    def needed(self, values: Iterable[str]) -> list[Node | LossNode]:
        """The places, in order, that have to run to give `values`."""
        wanted = set(values)
        kept = []
        for place in reversed(self.order):
            if place.name in wanted:
                kept.append(place)
                wanted.update(place.inputs)
        return kept[::-1]


def _name_faults(
    inputs: Mapping[str, TensorSpec], places: Sequence[Node | LossNode]
) -> list[tuple[str, str]]:
    """Names given twice, and names that nothing gives."""
    faults: list[tuple[str, str]] = []
    known = set(inputs)
    others = {place.name for place in places if isinstance(place, Node)}
    losses = {place.name for place in places if isinstance(place, LossNode)} - others
    for place in places:
        if place.name in known:
            faults.append((place.name, f"the name {place.name} is taken already"))
        known.add(place.name)
    for place in places:
        for name in place.inputs:
            if name in losses:
                faults.append((place.name, f"reads {name}, a loss, which only the training reads"))
            elif name not in known:
                valid = ", ".join(sorted(known - losses - {place.name}))
                faults.append((place.name, f"reads {name}, which nothing gives; there are {valid}"))
    return faults


def _sorted(
    inputs: Mapping[str, TensorSpec],
    places: Sequence[Node | LossNode],
    faults: list[tuple[str, str]],
) -> list[Node | LossNode]:
    """Places after what they read, otherwise as given; each cycle is added to `faults`.

    What lies on a cycle is left out, so that it cannot be planned, nor what reads it. Depth-first,
    without recursion. Source: Tarjan, Edge-disjoint spanning trees and depth-first search, 1976.
    """
    by_name = {place.name: place for place in reversed(places)}  # of two with one name the first
    done: set[str] = set(inputs)
    order: list[Node | LossNode] = []
    for root in places:
        path: list[str] = [root.name] if root.name not in done else []
        while path:
            place = by_name[path[-1]]
            waiting = [n for n in place.inputs if n not in done and n in by_name]
            if not waiting:
                done.add(path.pop())
                order.append(place)
            elif waiting[0] in path:
                circle = [*path[path.index(waiting[0]) :], waiting[0]]
                faults.append((place.name, "a cycle: " + " → ".join(reversed(circle))))
                done.update(path)
                path = []
            else:
                path.append(waiting[0])
    return order
