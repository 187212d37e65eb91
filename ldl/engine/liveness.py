"""How long each buffer of a graph has to live, and which buffers can be one: planning alone.

Time runs 0 … n−1 forward and n … 2n−1 backward, the backward of the place that runs at time t
being at 2n−1−t. A buffer lives from its first write to its last read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ldl.engine.graph import Graph, LossNode, Node


@dataclass(frozen=True)
class Slot:
    """An input slot's gradient: whose it is, and whether this is the first write to it."""

    value: str
    first: bool


def sources(place: Node | LossNode) -> tuple[str, ...]:
    """The values of a place that gradients flow to: of a loss, not the target."""
    return place.inputs[:1] if isinstance(place, LossNode) else place.inputs


class Liveness:
    """What runs for some outputs and losses, what needs gradients, and until when values last."""

    def __init__(
        self,
        graph: Graph,
        outputs: Sequence[str],
        gradients: bool,
        input_gradients: bool = False,
        frozen: Collection[str] = (),
    ) -> None:
        self.graph, self.outputs, self.frozen = graph, tuple(outputs), frozen
        self.order = graph.needed(outputs)
        self.nodes = {place.name: place for place in self.order}
        self.when = {place.name: t for t, place in enumerate(self.order)}
        self.end = 2 * len(self.order) - 1
        self.graded = self._graded(input_gradients) if gradients else set()
        self.fused = self._absorbed()
        skipped = set(self.fused.values())
        self.backward_order = [
            p for p in reversed(self.order) if p.name in self.graded and p.name not in skipped
        ]
        self.slots = self._slots()

    def backward_time(self, name: str) -> int:
        """When the backward of a place runs."""
        return self.end - self.when[name]

    def _graded(self, input_gradients: bool) -> set[str]:
        """Values between a weight that moves (or, if asked, an input) and a loss."""
        inputs = self.graph.inputs.items()
        moving = {name for name, spec in inputs if input_gradients and not spec.integer}
        for place in self.order:
            if self._trains(place) or moving.intersection(sources(place)):
                moving.add(place.name)
        wanted = {place.name for place in self.order if isinstance(place, LossNode)}
        for place in reversed(self.order):
            if place.name in wanted:
                wanted.update(sources(place))
        return moving & wanted

    def _trains(self, place: Node | LossNode) -> bool:
        """Whether a place has a weight that is not frozen."""
        owner = self.graph.owners[place.name]
        return any(f"{owner}.{key}" not in self.frozen for key in self.graph.plans[place.name].w)

    def _absorbed(self) -> dict[str, str]:
        """Loss → the activation whose backward it takes over, being the only one to grade it."""
        found = {}
        for loss in self.order:
            if not isinstance(loss, LossNode) or loss.name not in self.graded:
                continue
            producer = self.nodes.get(loss.inputs[0])
            readers = [p.name for p in self.order if loss.inputs[0] in sources(p)]
            if producer and type(producer.layer) is loss.layer.fuses and readers == [loss.name]:
                found[loss.name] = producer.name
        return found

    def _slots(self) -> dict[str, list[Slot | None]]:
        """For each place with a backward, where the gradient of each of its inputs goes."""
        written: set[str] = set()
        slots: dict[str, list[Slot | None]] = {}
        for place in self.backward_order:
            reads = sources(self.nodes[self.fused.get(place.name, place.name)])
            row: list[Slot | None] = []
            for value in reads:
                row.append(Slot(value, value not in written) if value in self.graded else None)
                written.add(value)
            slots[place.name] = row
        return slots

    def value_until(self, name: str) -> int:
        """The time of the last read of a value; −1 where nobody reads it."""
        if name in self.outputs:
            return self.end
        until = -1
        for place in self.order:
            late = place.name in self.graded
            if name in place.inputs:
                late_read = late and "x" in place.layer.backward_reads
                time = self.backward_time(place.name) if late_read else self.when[place.name]
                until = max(until, time)
            if name == place.name and late and "y" in place.layer.backward_reads:
                until = max(until, self.backward_time(name))
        return until

    def gradient_until(self, name: str) -> int:
        """The time of the last read of a gradient: by its producer, or by the caller."""
        return self.backward_time(name) if name in self.nodes else self.end

    def samples_last(self) -> set[str]:
        """The hidden values (N, F) that lie in memory as (F, N).

        So a row of ones beneath them adds a bias within the product, and of a linear layer's three
        products the one that BLAS is slow at, both operands with the summed axis last, is ∂w
        and not ∂x, where it costs a third less.
        """
        free = {
            place.name
            for place in self.order
            if place.layer.order != "first" and len(self.graph.specs[place.name].shape) == 1
        }
        for place in self.order:
            if place.layer.order == "first":
                free -= set(place.inputs)
        free -= set(self.outputs)
        around = [{p.name, *p.inputs} for p in self.order if p.layer.order == "same"]
        while broken := [values for values in around if values & free and not values <= free]:
            free = free.difference(*broken)
        return free

    def shared_values(self) -> dict[str, str]:
        """Value → the value whose memory it takes, itself where it gets its own.

        A view always takes its input's memory. An `in_place` layer writes over its input where
        nobody, forward or backward, reads any value in that memory later, and where it does not
        read that memory as another input too. Inputs of the graph are never written over.
        """
        root = {name: name for name in self.graph.inputs}
        members = {name: [name] for name in root}
        for t, place in enumerate(self.order):
            source = root[place.inputs[0]]
            again = source in (root[name] for name in place.inputs[1:])
            free = (
                not again
                and source not in self.graph.inputs
                and all(self.value_until(member) <= t for member in members[source])
            )
            if not (place.layer.view or (place.layer.in_place and free)):
                source = place.name
            root[place.name] = source
            members.setdefault(source, []).append(place.name)
        return root
