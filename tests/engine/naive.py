"""A naive executor: every array is new and full of NaN, no memory is shared, no layers are fused.

It runs the same layers as `Executor`, so it tests the memory planner and not the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ldl.arrays import Array
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Context, Layer, LayerPlan, ScratchSpec
from ldl.engine.losses import Loss


def fresh_context(
    layer: Layer,
    plan: LayerPlan,
    x: tuple[Array, ...],
    w: dict[str, Array],
    weight: float = 1.0,
    rng: np.random.Generator | None = None,
    training: bool = True,
) -> Context:
    """A context for one layer, with gradients of every numeric input but targets.

    ∂L/∂y of a loss is weight/N for every sample.
    """
    samples = len(x[0])
    dtype = next(array.dtype for array in (*x, *w.values()) if array.dtype.kind == "f")

    def buffer(spec: ScratchSpec) -> Array:
        kind = np.dtype(np.int64) if spec.integer else dtype
        return np.full((samples, *spec.shape), -1 if spec.integer else np.nan, kind)

    differentiable = 1 if isinstance(layer, Loss) else len(x)
    return Context(
        x=x,
        y=np.full((samples, *plan.y), np.nan, dtype),
        dx=tuple(
            np.full_like(a, np.nan) if i < differentiable and a.dtype.kind == "f" else None
            for i, a in enumerate(x)
        ),
        dy=np.full(
            (samples, *plan.y), weight / samples if isinstance(layer, Loss) else np.nan, dtype
        ),
        w=w,
        dw={name: np.full_like(array, np.nan) for name, array in w.items()},
        state={name: np.array(array, dtype) for name, array in plan.state.items()},
        buffers={name: buffer(spec) for name, spec in plan.buffers.items()},
        rng=rng or np.random.default_rng(0),
        training=training,
    )


class LayerStep:
    """The forward and backward calls of a layer for one context.

    A view has no calls: its values and its gradient are copied.
    """

    def __init__(self, layer: Layer, ctx: Context) -> None:
        self.layer, self.ctx = layer, ctx
        self.scratch = layer.prepare(ctx)
        self._forward = list(layer.forward(ctx, self.scratch))
        self._backward = list(layer.backward(ctx, self.scratch))

    def forward(self) -> None:
        """Overwrite y."""
        if self.layer.view:
            np.copyto(self.ctx.y, self.ctx.x[0].reshape(self.ctx.y.shape))
        for call in self._forward:
            call()

    def backward(self) -> None:
        """Overwrite dw and dx."""
        if self.layer.view:
            np.copyto(self.ctx.dx[0], self.ctx.dy.reshape(self.ctx.dx[0].shape))
        for call in self._backward:
            call()


def fresh_layer_step(
    layer: Layer, plan: LayerPlan, x: tuple[Array, ...], w: dict[str, Array], training: bool = True
) -> LayerStep:
    """A layer in a context of new arrays."""
    return LayerStep(layer, fresh_context(layer, plan, x, w, training=training))


class NaiveExecutor:
    """Values, loss and all gradients of a graph for one batch of inputs.

    Nodes draw from `streams`, which are needed where a layer draws random numbers.
    """

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Array],
        inputs: Mapping[str, Array],
        streams: Mapping[str, np.random.Generator] | None = None,
        training: bool = True,
    ) -> None:
        self.graph = graph
        self.values = {name: array.copy() for name, array in inputs.items()}
        self.steps: dict[str, LayerStep] = {}
        for node in graph.order:
            plan, owner = graph.plans[node.name], graph.owners[node.name]
            w = {key: weights[f"{owner}.{key}"].copy() for key in plan.w}
            x = tuple(self.values[name].copy() for name in node.inputs)
            weight = node.weight if isinstance(node, LossNode) else 1.0
            rng = streams[node.name] if streams else None
            ctx = fresh_context(node.layer, plan, x, w, weight, rng, training)
            step = self.steps[node.name] = LayerStep(node.layer, ctx)
            step.forward()
            self.values[node.name] = ctx.y.copy()
        self.loss = sum(loss.weight * self.values[loss.name].mean() for loss in graph.losses)
        self.gradients = {name: np.zeros_like(array) for name, array in weights.items()}
        self.value_gradients = {
            name: np.zeros_like(array)
            for name, array in self.values.items()
            if array.dtype.kind == "f"
        }
        for node in reversed(graph.order):
            self._backward(node)

    def _backward(self, node: Node | LossNode) -> None:
        step = self.steps[node.name]
        if not isinstance(node, LossNode):
            step.ctx.dy[...] = self.value_gradients[node.name]
        step.backward()
        for name, gradient in zip(node.inputs, step.ctx.dx, strict=True):
            if gradient is not None:
                self.value_gradients[name] += gradient
        for key, gradient in step.ctx.dw.items():
            self.gradients[f"{self.graph.owners[node.name]}.{key}"] += gradient
