"""Liveness analysis of a graph: until when each value is read, and which values share memory.

Time runs 0 … n−1 forward and n … 2n−1 backward: the backward of the node that runs at time t is at
2n−1−t. A buffer lives from its first write to its last read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ldl.engine.graph import Graph, LossNode, Node


@dataclass(frozen=True)
class InputGradient:
    """The gradient that a node writes for an input: of which value, and whether it comes first."""

    value: str
    first: bool


def differentiable_inputs(node: Node | LossNode) -> tuple[str, ...]:
    """The values that gradients of a node flow to: of a loss, not the target."""
    return node.inputs[:1] if isinstance(node, LossNode) else node.inputs


class Liveness:
    """What has to run for some outputs and losses, what needs gradients, how long values live."""

    def __init__(
        self,
        graph: Graph,
        outputs: Sequence[str],
        gradients: bool,
        input_gradients: bool = False,
        frozen: Collection[str] = (),
    ) -> None:
        self.graph, self.outputs, self.frozen = graph, tuple(outputs), frozen
        self.order = graph.ancestors(outputs)
        self.nodes = {node.name: node for node in self.order}
        self.time = {node.name: t for t, node in enumerate(self.order)}
        self.end = 2 * len(self.order) - 1
        self.requires_grad = self._requires_grad(input_gradients) if gradients else set()
        self.fused = self._fused()
        skipped = set(self.fused.values())
        self.backward_order = [
            node
            for node in reversed(self.order)
            if node.name in self.requires_grad and node.name not in skipped
        ]
        self.input_gradients = self._input_gradients()
        self._last_reads = self._find_last_reads()

    def backward_time(self, name: str) -> int:
        """The time at which the backward of a node runs."""
        return self.end - self.time[name]

    def _requires_grad(self, input_gradients: bool) -> set[str]:
        """Values between a trainable weight (or, if asked for, an input) and a loss."""
        inputs = self.graph.inputs.items()
        dependent = {name for name, spec in inputs if input_gradients and not spec.integer}
        for node in self.order:
            if self._is_trainable(node) or dependent.intersection(differentiable_inputs(node)):
                dependent.add(node.name)
        towards_loss = {node.name for node in self.order if isinstance(node, LossNode)}
        for node in reversed(self.order):
            if node.name in towards_loss:
                towards_loss.update(differentiable_inputs(node))
        return dependent & towards_loss

    def _is_trainable(self, node: Node | LossNode) -> bool:
        """Whether a node has a weight that is not frozen."""
        owner = self.graph.owners[node.name]
        return any(f"{owner}.{key}" not in self.frozen for key in self.graph.plans[node.name].w)

    def _fused(self) -> dict[str, str]:
        """Loss → the activation before it whose backward it takes over, being its only reader."""
        fused = {}
        for loss in self.order:
            if not isinstance(loss, LossNode) or loss.name not in self.requires_grad:
                continue
            prediction = loss.inputs[0]
            activation = self.nodes.get(prediction)
            readers = [n.name for n in self.order if prediction in differentiable_inputs(n)]
            if activation and type(activation.layer) is loss.layer.fuses and readers == [loss.name]:
                fused[loss.name] = activation.name
        return fused

    def _input_gradients(self) -> dict[str, list[InputGradient | None]]:
        """For each node with a backward, the gradient that it writes for each of its inputs."""
        written: set[str] = set()
        targets: dict[str, list[InputGradient | None]] = {}
        for node in self.backward_order:
            source = self.nodes[self.fused.get(node.name, node.name)]
            row: list[InputGradient | None] = []
            for value in differentiable_inputs(source):
                needed = value in self.requires_grad
                row.append(InputGradient(value, value not in written) if needed else None)
                written.add(value)
            targets[node.name] = row
        return targets

    def last_read(self, name: str) -> int:
        """The time of the last read of a value; −1 where nothing reads it."""
        return self._last_reads.get(name, -1)

    def _find_last_reads(self) -> dict[str, int]:
        """The time of the last read of each value that is read."""
        last: dict[str, int] = {}
        for node in self.order:
            forward, backward = self.time[node.name], self.backward_time(node.name)
            reads = node.layer.backward_reads if node.name in self.requires_grad else ()
            for name in node.inputs:
                last[name] = max(last.get(name, -1), backward if "x" in reads else forward)
            if "y" in reads:
                last[node.name] = max(last.get(node.name, -1), backward)
        return last | dict.fromkeys(self.outputs, self.end)

    def last_gradient_read(self, name: str) -> int:
        """The time of the last read of a gradient: by its producer, or by the caller."""
        return self.backward_time(name) if name in self.nodes else self.end

    def feature_major(self) -> set[str]:
        """The hidden values (N, F) that lie in memory as (F, N).

        A row of ones beneath them then adds a bias within the product. And of a linear layer's
        three products it is ∂w, and not ∂x, in which both operands have the summed axis last,
        which is slow in BLAS; there it costs a third less.
        """
        free = {
            node.name
            for node in self.order
            if node.layer.layout != "sample_major" and len(self.graph.specs[node.name].shape) == 1
        }
        for node in self.order:
            if node.layer.layout == "sample_major":
                free -= set(node.inputs)
        free -= set(self.outputs)
        uniform = [{n.name, *n.inputs} for n in self.order if n.layer.layout == "uniform"]
        while mixed := [values for values in uniform if values & free and not values <= free]:
            free = free.difference(*mixed)
        return free

    def shared_values(self) -> dict[str, str]:
        """Value → the value whose memory it takes, itself where it has its own.

        A view always takes its input's memory. An `in_place` layer writes over its input if no
        later forward or backward reads any value in that memory, and if the layer does not read
        the same memory as another input. Inputs of the graph are never overwritten.
        """
        root = {name: name for name in self.graph.inputs}
        last: dict[str, int] = {}  # the last read of any value in the memory of a root
        for time, node in enumerate(self.order):
            source = root[node.inputs[0]]
            read_twice = source in (root[name] for name in node.inputs[1:])
            free = not read_twice and source not in self.graph.inputs and last[source] <= time
            if not (node.layer.view or (node.layer.in_place and free)):
                source = node.name
            root[node.name] = source
            last[source] = max(last.get(source, -1), self.last_read(node.name))
        return root
