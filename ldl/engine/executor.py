"""A graph made executable for one batch size: memory is planned once, a step only replays calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.communicator import SINGLE_PROCESS, Communicator
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Call, Context, prepare
from ldl.engine.liveness import InputGradient, Liveness
from ldl.engine.memory import Request, aligned, carve
from ldl.engine.outer_product import OuterProductUpdate, operands, replace_outer_products
from ldl.engine.parameters import Parameters

BufferKey = tuple[str, ...]


class _Arena:
    """Requests for buffers, some of which share memory, then their arrays in one allocation."""

    def __init__(self, samples: int, dtype: np.dtype[Any]) -> None:
        self.samples, self.dtype = samples, dtype
        self._requests: list[Request] = []
        self._index: dict[BufferKey, int] = {}
        self.arrays: list[Array] = []
        self.bytes = 0

    def request(
        self, key: BufferKey, shape: Shape, first: int, last: int, integer: bool = False
    ) -> None:
        """A buffer (N, *shape) that lives from time `first` to time `last`."""
        self._index[key] = len(self._requests)
        dtype = np.dtype(np.int64) if integer else self.dtype
        self._requests.append(Request((self.samples, *shape), dtype, first, max(first, last)))

    def share(self, key: BufferKey, owner: BufferKey, last: int) -> None:
        """Give `key` the memory of `owner`, which then lives until `last` at least."""
        index = self._index[key] = self._index[owner]
        old = self._requests[index]
        self._requests[index] = Request(old.shape, old.dtype, old.first, max(old.last, last))

    def allocate(self) -> None:
        """Lay all buffers out and make their arrays."""
        self.arrays, self.bytes = carve(self._requests)

    def __contains__(self, key: BufferKey) -> bool:
        return key in self._index

    def padded(self, key: BufferKey) -> Array:
        """The memory of a feature-major buffer, (F, N) or (F+1, N) with a spare row."""
        return self.arrays[self._index[key]].reshape(-1, self.samples)

    def get(self, key: BufferKey, shape: Shape, feature_major: bool = False) -> Array:
        """The array of `key`, as (N, *shape)."""
        if feature_major:
            return self.padded(key)[: shape[0]].T
        return self.arrays[self._index[key]].reshape((self.samples, *shape))


class Executor:
    """A graph and its parameters, ready to run on batches of `samples`.

    Fill `inputs`, call `forward`, read `values[name]` for each name in `outputs`. With
    `gradients`, `backward` then completes `parameters.gradient` (and, with `input_gradients`,
    `input_gradients[name]`), but may skip frozen weights. Losses always stay readable; other
    values share memory. `bytes` counts all buffers, weights aside.

    Overflow gives infinities and NaN as in IEEE 754; callers silence NumPy's warnings with
    `np.errstate`. The executor of a shard gets a `communicator` and the memory of its `inputs`.
    With `outer_products`, the list of that name may hold updates that replace gradients: see
    `replace_outer_products`.
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
        training: bool = False,
        communicator: Communicator = SINGLE_PROCESS,
        inputs: Mapping[str, Array] | None = None,
        outer_products: bool = False,
    ) -> None:
        self.graph, self.parameters, self.samples = graph, parameters, samples
        self.training, self._batch_samples = training, sum(communicator.samples) or samples
        results = [*outputs, *(loss.name for loss in graph.losses if losses)]
        self._live = Liveness(graph, results, gradients, input_gradients, parameters.frozen)
        self._root, self._feature_major = self._live.shared_values(), self._live.feature_major()
        self._arena = _Arena(samples, parameters.dtype)
        self._request_values()
        self._request_gradients()
        self._request_scratch()
        self._arena.allocate()
        self.inputs = inputs or {
            name: aligned((samples, *spec.shape), np.int64 if spec.integer else parameters.dtype)
            for name, spec in graph.inputs.items()
        }
        self.values = {name: self._value(name) for name in (*graph.inputs, *self._live.nodes)}
        self.input_gradients = {
            name: self._gradient(name) for name in graph.inputs if name in self._live.requires_grad
        }
        self._accumulations: dict[str, list[tuple[Array, Array]]] = {}
        self._unwritten: list[Array] = []
        self.contexts = self._make_contexts()
        self.outer_products: list[OuterProductUpdate] = []
        self._forward, self._backward = self._calls(communicator)
        if outer_products:
            self._backward, self.outer_products = replace_outer_products(self._backward, parameters)
        self.bytes = self._arena.bytes + sum(array.nbytes for array in self._own_arrays())
        self._losses = [
            (self._loss_weights(loss), self.values[loss.name]) for loss in graph.losses if losses
        ]

    def forward(self) -> None:
        """Compute every value from the inputs."""
        for call in self._forward:
            call()

    def backward(self) -> None:
        """Compute every gradient; forward has run on the same inputs."""
        for call in self._backward:
            call()

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

    def _request_values(self) -> None:
        """A buffer for each value, or a share of another one's."""
        live = self._live
        for time, node in enumerate(live.order):
            root, last = self._root[node.name], max(time, live.last_read(node.name))
            if root == node.name:
                shape = self.graph.specs[root].shape
                padded = (shape[0] + 1,) if root in self._feature_major else shape
                self._arena.request(("y", root), padded, time, last)
            elif root not in self.graph.inputs:
                self._arena.share(("y", node.name), ("y", root), last)

    def _request_gradients(self) -> None:
        """A buffer for each gradient, the one of the output where the layer works in place.

        The first consumer writes the gradient buffer; later ones write a temporary that is added
        to it.
        """
        live = self._live
        for node in live.backward_order:
            time = live.backward_time(node.name)
            for i, target in enumerate(live.input_gradients[node.name]):
                if target is None:
                    continue
                key = self._gradient_key(node.name, i, target)
                last = live.last_gradient_read(target.value) if target.first else time
                if i == 0 and node.layer.in_place:
                    self._arena.share(key, ("d", node.name), last)
                else:
                    self._arena.request(key, self.graph.specs[target.value].shape, time, last)

    @staticmethod
    def _gradient_key(node: str, i: int, target: InputGradient) -> BufferKey:
        """The key of the buffer that the gradient of input `i` is written to."""
        return ("d", target.value) if target.first else ("temporary", node, str(i))

    def _request_scratch(self) -> None:
        """The buffers of each node, alive in the passes that use them."""
        live = self._live
        for node in live.order:
            forward = live.time[node.name]
            backward = live.backward_time(node.name) if node.name in live.input_gradients else None
            for name, spec in self.graph.plans[node.name].buffers.items():
                if spec.live == "backward" and backward is None:
                    continue
                first = backward if spec.live == "backward" else forward
                last = forward if spec.live == "forward" or backward is None else backward
                assert first is not None
                key = ("scratch", node.name, name)
                self._arena.request(key, spec.shape, first, last, spec.integer)

    # --- making -----------------------------------------------------------------------------

    def _value(self, name: str) -> Array:
        """The array of a value; a view of an input is that input's array."""
        root, shape = self._root[name], self.graph.specs[name].shape
        if root in self.graph.inputs:
            array = self.inputs[root]
            return array if name == root else array.reshape(self.samples, *shape)
        return self._arena.get(("y", name), shape, name in self._feature_major)

    def _gradient(self, name: str) -> Array:
        """The array of a value's gradient."""
        feature_major = name in self._feature_major
        return self._arena.get(("d", name), self.graph.specs[name].shape, feature_major)

    def _make_contexts(self) -> dict[str, Context]:
        """A context for each node; made in backward order, in which gradients are written."""
        written: set[str] = set()
        contexts = {node.name: self._make_context(node, written) for node in self._live.order[::-1]}
        needless = written | self.parameters.frozen
        gradients = self.parameters.gradients.items()
        self._unwritten = [gradient for name, gradient in gradients if name not in needless]
        return dict(reversed(contexts.items()))

    def _make_context(self, node: Node | LossNode, written: set[str]) -> Context:
        """The memory of one node; `written` are the weights whose gradient has a writer."""
        parameters, name, source = self.parameters, node.name, node.inputs[0]
        owner, plan = self.graph.owners[name], self.graph.plans[name]
        transposed = node.layer.layout == "uniform" and name in self._feature_major
        has_backward = name in self._live.input_gradients
        self._accumulations[name] = []
        return Context(
            x=tuple(self._value(value) for value in node.inputs),
            y=self.values[name],
            dx=self._input_gradient_arrays(node),
            dy=self._output_gradient(node) if has_backward else None,
            w={key: parameters.weights[f"{owner}.{key}"] for key in plan.w},
            dw=self._weight_gradients(node, written) if has_backward else {},
            state={key: parameters.state[f"{owner}.{key}"] for key in plan.state},
            buffers={
                key: self._arena.get(("scratch", name, key), spec.shape, transposed)
                for key, spec in plan.buffers.items()
                if ("scratch", name, key) in self._arena
            },
            rng=parameters.streams[name],
            training=self.training,
            padded=self._arena.padded(("y", source)) if source in self._feature_major else None,
        )

    def _input_gradient_arrays(self, node: Node | LossNode) -> tuple[Array | None, ...]:
        """∂L/∂x of each input; what a later consumer writes is added up after its backward."""
        targets = self._live.input_gradients.get(node.name, ())
        arrays: list[Array | None] = [None] * len(node.inputs)
        for i, target in enumerate(targets):
            if target is not None:
                key, shape = (
                    self._gradient_key(node.name, i, target),
                    self.graph.specs[target.value],
                )
                array = self._arena.get(key, shape.shape, target.value in self._feature_major)
                arrays[i] = array
                if not target.first:
                    total = self._gradient(target.value)
                    self._accumulations[node.name].append((total, array))
        return tuple(arrays)

    def _weight_gradients(self, node: Node | LossNode, written: set[str]) -> dict[str, Array]:
        """∂L/∂w; of shared weights all nodes but the first write a temporary that is added."""
        gradients: dict[str, Array] = {}
        owner = self.graph.owners[node.name]
        for key in self.graph.plans[node.name].w:
            name = f"{owner}.{key}"
            total = gradients[key] = self.parameters.gradients[name]
            if name in written:
                gradients[key] = aligned(total.shape, self.parameters.dtype)
                self._accumulations[node.name].append((total, gradients[key]))
            written.add(name)
        return gradients

    def _output_gradient(self, node: Node | LossNode) -> Array:
        """∂L/∂y; for a loss its weight over the samples, the same at every step."""
        if isinstance(node, LossNode):
            return self._loss_weights(node)
        return self._gradient(node.name)

    def _loss_weights(self, node: LossNode) -> Array:
        """The factor of each sample's loss in the weighted mean."""
        weight = node.weight / self._batch_samples
        return np.full(self.samples, weight, self.parameters.dtype)

    def _calls(self, communicator: Communicator) -> tuple[list[Call], list[Call]]:
        """The calls of forward, and those of backward with the sums of several gradients."""
        forward: list[Call] = []
        backward: list[Call] = []
        scratch: dict[str, Any] = {}
        for node in self._live.order:
            ctx = self.contexts[node.name]
            scratch[node.name] = prepare(node.layer, ctx, communicator)
            forward.extend(node.layer.forward(ctx, scratch[node.name]))
        for node in self._live.backward_order:
            layer, ctx = node.layer, self.contexts[node.name]
            if isinstance(node, LossNode) and node.name in self._live.fused:
                backward.extend(node.layer.fused_backward(ctx, scratch[node.name]))
            else:
                backward.extend(layer.backward(ctx, scratch[node.name]))
            sums = self._accumulations[node.name]
            backward.extend(partial(np.add, total, temporary, total) for total, temporary in sums)
        if backward:  # a penalty may have been added to a gradient of 0
            backward.extend(partial(gradient.fill, 0.0) for gradient in self._unwritten)
        return forward, backward

    def _own_arrays(self) -> list[Array]:
        """Arrays outside the arena: inputs, and what layers allocated for their calls."""
        parameters = self.parameters
        planned = [parameters.theta, parameters.gradient, *parameters.state.values()]
        planned += [*self._arena.arrays, *self.inputs.values()]
        known = {id(_owner(array)) for array in planned}
        calls = (*self._forward, *self._backward)
        owners = [_owner(array) for call in calls for array in operands(call)]
        own = {
            id(array): array for array in owners if array.flags.owndata and id(array) not in known
        }
        return [*self.inputs.values(), *own.values()]


def _owner(array: Array) -> Array:
    """The array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
