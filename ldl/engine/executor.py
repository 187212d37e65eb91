"""A graph bound to a batch size: all memory planned and made, so that a step only computes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.communicator import ALONE, Meeting
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Call, Context, Recorded
from ldl.engine.liveness import Liveness, Slot
from ldl.engine.memory import Request, aligned, carve
from ldl.engine.outer_product import OuterProductUpdate
from ldl.engine.parameters import Parameters

Key = tuple[str, ...]


class _Arena:
    """Buffers wanted, some of them one and the same, then made in one piece of memory."""

    def __init__(self, samples: int, dtype: np.dtype[Any]) -> None:
        self.samples, self.dtype = samples, dtype
        self._requests: list[Request] = []
        self._at: dict[Key, int] = {}
        self._arrays: list[Array] = []
        self.bytes = 0

    def want(self, key: Key, shape: Shape, first: int, last: int, integer: bool = False) -> None:
        """A buffer (N, *shape) that lives from `first` to `last`."""
        self._at[key] = len(self._requests)
        dtype = np.dtype(np.int64) if integer else self.dtype
        self._requests.append(Request((self.samples, *shape), dtype, first, max(first, last)))

    def share(self, key: Key, other: Key, last: int) -> None:
        """`key` is the memory of `other`, which then lives until `last` at least."""
        at = self._at[key] = self._at[other]
        old = self._requests[at]
        self._requests[at] = Request(old.shape, old.dtype, old.first, max(old.last, last))

    def make(self) -> None:
        """Lay everything out and make the arrays."""
        self._arrays, self.bytes = carve(self._requests)

    def __contains__(self, key: Key) -> bool:
        return key in self._at

    def rows(self, key: Key) -> Array:
        """The memory of `key`, asked for with samples last, (F, N) or with a row to spare."""
        return self._arrays[self._at[key]].reshape(-1, self.samples)

    def get(self, key: Key, shape: Shape, samples_last: bool = False) -> Array:
        """The array of `key`, as (N, *shape)."""
        if samples_last:
            return self.rows(key)[: shape[0]].T
        array = self._arrays[self._at[key]]
        wanted = (self.samples, *shape)
        return array if array.shape == wanted else array.reshape(wanted)


class Executor:
    """A graph and its parameters, ready to run on batches of `samples`.

    Fill `inputs`, call `forward`, read `values[name]` for each name in `outputs`. With
    `gradients`, `backward` then completes `parameters.gradient` (and, with `input_gradients`,
    `input_gradients[name]`), but may pass over frozen weights. Losses always stay readable; other
    values share memory.

    Values that overflow become infinite and NaN as IEEE 754 has it; NumPy's warnings about that
    are for the caller to silence with `np.errstate`. `bytes` counts all buffers, weights aside.
    A binding to a part of a batch gets a `meeting` with the others, and memory for its `inputs`.
    With `outer_products`, of a batch of one, the weights of those places get no gradient but a OuterProductUpdate.
    """

    def __init__(
        self,
        graph: Graph,
        parameters: Parameters,
        samples: int,
        outputs: Sequence[str] = (),
        losses: bool = True,
        gradients: bool = False,
        input_gradients: bool = False,
        train: bool = False,
        meeting: Meeting = ALONE,
        inputs: Mapping[str, Array] | None = None,
        outer_products: Collection[str] = (),
    ) -> None:
        self._outer_product_nodes, self.outer_products = outer_products, list[OuterProductUpdate]()
        self.graph, self.parameters, self.samples, self.train = graph, parameters, samples, train
        self._meeting, self._whole = meeting, sum(meeting.samples) or samples
        wanted = [*outputs, *(loss.name for loss in graph.losses if losses)]
        self._lives = Liveness(graph, wanted, gradients, input_gradients, parameters.frozen)
        self._root, self._last = self._lives.shared_values(), self._lives.samples_last()
        self._arena = _Arena(samples, parameters.dtype)
        self._want_values()
        self._want_gradients()
        self._want_scratch()
        self._arena.make()
        self.inputs = inputs or {
            name: aligned((samples, *spec.shape), np.int64 if spec.integer else parameters.dtype)
            for name, spec in graph.inputs.items()
        }
        self.values = {name: self._value(name) for name in (*graph.inputs, *self._lives.nodes)}
        self.input_gradients = {
            name: self._gradient(name) for name in graph.inputs if name in self._lives.graded
        }
        self._sums: dict[str, list[tuple[Array, Array]]] = {}
        self._spare: list[Array] = []
        self.contexts = self._make_nodes()
        self._forward = self._forward_steps()
        self._backward = self._backward_steps()
        self.bytes = self._arena.bytes + sum(array.nbytes for array in self._own_arrays())
        self._losses = [
            (self._loss_weights(loss), self.values[loss.name]) for loss in graph.losses if losses
        ]

    def forward(self) -> None:
        """Compute every value from the inputs."""
        for step in self._forward:
            step()

    def backward(self) -> None:
        """Compute every gradient; forward has run on the same inputs."""
        for step in self._backward:
            step()

    def forward_backward(self) -> None:
        """Forward, then backward."""
        self.forward()
        self.backward()

    def loss(self) -> float:
        """The weighted mean of the losses over the samples of the last forward."""
        return sum(self.losses())

    def losses(self) -> list[float]:
        """The weighted means whose sum `loss` is, in the order of the graph's losses."""
        return [float(weights.dot(values)) for weights, values in self._losses]

    # --- planning ---------------------------------------------------------------------------

    def _want_values(self) -> None:
        """A buffer a value, or a share of another's."""
        lives = self._lives
        for t, place in enumerate(lives.order):
            root, until = self._root[place.name], max(t, lives.value_until(place.name))
            if root == place.name:
                shape = self.graph.specs[root].shape
                spare = (shape[0] + 1,) if root in self._last else shape
                self._arena.want(("y", root), spare, t, until)
            elif root not in self.graph.inputs:
                self._arena.share(("y", place.name), ("y", root), until)

    def _want_gradients(self) -> None:
        """A buffer a gradient; where the layer can, written over the gradient that it reads.

        Whoever writes second to a gradient gets a spare, which is added when it has run.
        """
        lives = self._lives
        for place in lives.backward_order:
            now = lives.backward_time(place.name)
            for i, slot in enumerate(lives.slots[place.name]):
                if slot is None:
                    continue
                key = self._gradient_key(place.name, i, slot)
                until = lives.gradient_until(slot.value) if slot.first else now
                if i == 0 and place.layer.in_place:
                    self._arena.share(key, ("d", place.name), until)
                else:
                    self._arena.want(key, self.graph.specs[slot.value].shape, now, until)

    @staticmethod
    def _gradient_key(place: str, i: int, slot: Slot) -> Key:
        """Where the gradient of input `i` goes: to its place, or to a spare."""
        return ("d", slot.value) if slot.first else ("spare", place, str(i))

    def _want_scratch(self) -> None:
        """Scratch of each node, alive in the passes that use it."""
        lives = self._lives
        for place in lives.order:
            forward = lives.when[place.name]
            backward = lives.backward_time(place.name) if place.name in lives.slots else None
            for key, buffer in self.graph.plans[place.name].tmp.items():
                if buffer.live == "backward" and backward is None:
                    continue
                first = backward if buffer.live == "backward" else forward
                last = forward if buffer.live == "forward" or backward is None else backward
                assert first is not None
                self._arena.want(
                    ("tmp", place.name, key), buffer.shape, first, last, buffer.integer
                )

    def _turned(self, place: Node | LossNode) -> bool:
        """Whether a layer that works value by value does so with samples last, scratch included."""
        return place.layer.order == "same" and place.name in self._last

    # --- making -----------------------------------------------------------------------------

    def _value(self, name: str) -> Array:
        """The array of a value; views of an input are that input's array."""
        root, shape = self._root[name], self.graph.specs[name].shape
        if root in self.graph.inputs:
            array = self.inputs[root]
            return array if name == root else array.reshape(self.samples, *shape)
        return self._arena.get(("y", name), shape, name in self._last)

    def _gradient(self, name: str) -> Array:
        """The array of a value's gradient."""
        return self._arena.get(("d", name), self.graph.specs[name].shape, name in self._last)

    def _make_nodes(self) -> dict[str, Context]:
        """A node a place; made in backward order, so that the first writer of each gradient is."""
        lives, nodes = self._lives, {}
        written: set[str] = set()
        for place in reversed(lives.order):
            nodes[place.name] = self._make_node(place, written)
        return {place.name: nodes[place.name] for place in lives.order}

    def _make_node(self, place: Node | LossNode, written: set[str]) -> Context:
        """The memory of one place."""
        parameters, name, source = self.parameters, place.name, place.inputs[0]
        owner, plan = self.graph.owners[name], self.graph.plans[name]
        dx: list[Array | None] = [None] * len(place.inputs)
        dw: dict[str, Array] = {}
        sums = self._sums[name] = []
        for i, slot in enumerate(self._lives.slots.get(name, ())):
            if slot is not None:
                where = self._gradient_key(name, i, slot)
                shape, last = self.graph.specs[slot.value].shape, slot.value in self._last
                array = dx[i] = self._arena.get(where, shape, last)
                if not slot.first:
                    sums.append((self._gradient(slot.value), array))
        for key in (
            plan.w if name in self._lives.slots and name not in self._outer_product_nodes else ()
        ):
            full = f"{owner}.{key}"
            dw[key] = parameters.gradients[full]
            if full in written:
                dw[key] = aligned(dw[key].shape, parameters.dtype)
                self._spare.append(dw[key])
                sums.append((parameters.gradients[full], dw[key]))
            written.add(full)
        return Context(
            x=tuple(self._value(n) for n in place.inputs),
            y=self.values[name],
            dx=tuple(dx),
            dy=self._dy(place) if name in self._lives.slots else None,
            w={key: parameters.weights[f"{owner}.{key}"] for key in plan.w},
            dw=dw,
            state={key: parameters.state[f"{owner}.{key}"] for key in plan.state},
            tmp={
                key: self._arena.get(("tmp", name, key), buffer.shape, self._turned(place))
                for key, buffer in plan.tmp.items()
                if ("tmp", name, key) in self._arena
            },
            rng=parameters.streams[name],
            train=self.train,
            meeting=self._meeting,
            rows=self._arena.rows(("y", source)) if source in self._last else None,
        )

    def _own_arrays(self) -> list[Array]:
        """Buffers outside the arena: inputs, and what nodes made for themselves."""
        nodes = self.contexts.values()
        values = [value for node in nodes for value in node.tmp.values()]
        made = [a for a in values if isinstance(a, np.ndarray) and a.base is None]
        seeds = [
            self.contexts[loss.name].dy for loss in self.graph.losses if loss.name in self.contexts
        ]
        return [*self.inputs.values(), *made, *(dy for dy in seeds if dy is not None), *self._spare]

    def _dy(self, place: Node | LossNode) -> Array:
        """∂L/∂y; for a loss its weight over the samples, the same at every step."""
        if isinstance(place, LossNode):
            return self._loss_weights(place)
        return self._gradient(place.name)

    def _loss_weights(self, place: LossNode) -> Array:
        """What each sample's loss is multiplied with in the weighted mean."""
        return np.full(self.samples, place.weight / self._whole, self.parameters.dtype)

    def _forward_steps(self) -> list[Call]:
        """What forward calls, after each layer has prepared its views."""
        steps: list[Call] = []
        for place in self._lives.order:
            layer, node = place.layer, self.contexts[place.name]
            if not layer.view:
                layer.bind(node)
                if isinstance(layer, Recorded) and type(layer).forward is Recorded.forward:
                    steps.extend(layer.ahead(node))
                else:
                    steps.append(partial(layer.forward, node))
        return steps

    def _backward_steps(self) -> list[Call]:
        """What backward calls, each followed by the sums of what it was not the first to write."""
        steps: list[Call] = []
        for place in self._lives.backward_order:
            layer, node = place.layer, self.contexts[place.name]
            if place.name in self._outer_product_nodes:
                made = OuterProductUpdate(place.name, node)
                self.outer_products.append(made)
                steps.extend(made.calls)
            if isinstance(place, LossNode) and place.name in self._lives.fused:
                steps.append(partial(place.layer.fused_backward, node))
            elif isinstance(layer, Recorded) and type(layer).backward is Recorded.backward:
                steps.extend(layer.back(node))
            elif not layer.view:
                steps.append(partial(layer.backward, node))
            sums = self._sums[place.name]
            steps.extend(partial(np.add, total, part, total) for total, part in sums)
        return steps
