"""A plain, slow executor: every array fresh and full of NaN, nothing shared, nothing absorbed.

It calls the same layer objects as a binding, so it judges the planning, not the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ldl.arrays import Array
from ldl.engine.graph import Graph, LossNode
from ldl.engine.layer import Context, Layer, LayerPlan, ScratchSpec
from ldl.engine.losses import Loss


def fresh_node(
    layer: Layer,
    plan: LayerPlan,
    x: tuple[Array, ...],
    w: dict[str, Array],
    weight: float = 1.0,
    rng: np.random.Generator | None = None,
    train: bool = True,
) -> Context:
    """A bound node for one call; gradients go to every numeric input, but not to a target.

    A loss is bound to ∂L/∂y = weight/N, one number for every sample.
    """
    samples = len(x[0])
    dtype = next(array.dtype for array in (*x, *w.values()) if array.dtype.kind == "f")

    def scratch(buffer: ScratchSpec) -> Array:
        kind = np.dtype(np.int64) if buffer.integer else dtype
        return np.full((samples, *buffer.shape), -1 if buffer.integer else np.nan, kind)

    graded = 1 if isinstance(layer, Loss) else len(x)
    node = Context(
        x=x,
        y=np.full((samples, *plan.y), np.nan, dtype),
        dx=tuple(
            np.full_like(a, np.nan) if i < graded and a.dtype.kind == "f" else None
            for i, a in enumerate(x)
        ),
        dy=np.full(
            (samples, *plan.y), weight / samples if isinstance(layer, Loss) else np.nan, dtype
        ),
        w=w,
        dw={name: np.full_like(array, np.nan) for name, array in w.items()},
        state={name: np.array(array, dtype) for name, array in plan.state.items()},
        tmp={name: scratch(buffer) for name, buffer in plan.tmp.items()},
        rng=rng or np.random.default_rng(0),
        train=train,
    )
    layer.bind(node)
    return node


def forward(layer: Layer, node: Context) -> None:
    """What the graph does: call the layer, or hand on the values of a view."""
    if layer.view:
        np.copyto(node.y, node.x[0].reshape(node.y.shape))
    else:
        layer.forward(node)


def backward(layer: Layer, node: Context) -> None:
    """What the graph does: call the layer, or hand on the gradient of a view."""
    if layer.view:
        np.copyto(node.dx[0], node.dy.reshape(node.dx[0].shape))
    else:
        layer.backward(node)


class Naive:
    """Values, loss and all gradients of a graph for one batch of inputs.

    Nodes draw from `streams`; a graph's own are needed where its layers draw anything.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Array],
        inputs: Mapping[str, Array],
        streams: Mapping[str, np.random.Generator] | None = None,
        train: bool = True,
    ) -> None:
        self.graph = graph
        self.values = {name: array.copy() for name, array in inputs.items()}
        self.contexts: dict[str, Context] = {}
        for place in graph.order:
            plan, owner = graph.plans[place.name], graph.owners[place.name]
            w = {key: weights[f"{owner}.{key}"].copy() for key in plan.w}
            x = tuple(self.values[name].copy() for name in place.inputs)
            weight = place.weight if isinstance(place, LossNode) else 1.0
            rng = streams[place.name] if streams else None
            node = fresh_node(place.layer, plan, x, w, weight, rng, train)
            self.contexts[place.name] = node
            forward(place.layer, node)
            self.values[place.name] = node.y.copy()
        self.loss = sum(loss.weight * self.values[loss.name].mean() for loss in graph.losses)
        self.gradients = {name: np.zeros_like(array) for name, array in weights.items()}
        self.value_gradients = {
            name: np.zeros_like(array)
            for name, array in self.values.items()
            if array.dtype.kind == "f"
        }
        for place in reversed(graph.order):
            self._pull(place)

    def _pull(self, place: object) -> None:
        node = self.contexts[place.name]
        if not isinstance(place, LossNode):
            node.dy[...] = self.value_gradients[place.name]
        backward(place.layer, node)
        for name, part in zip(place.inputs, node.dx, strict=True):
            if part is not None:
                self.value_gradients[name] += part
        for key, part in node.dw.items():
            self.gradients[f"{self.graph.owners[place.name]}.{key}"] += part
