"""Training layer by layer gives the bits of the executor, in float32.

The network is a list of contexts, and training calls one layer after the other. The order of
summation in BLAS depends on the memory layout, so hidden values are feature-major here too, with
a spare row, and a bias is adjacent to its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.init import Uniform
from ldl.engine.layer import Context, Layer, LayerPlan, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES, Loss
from ldl.engine.memory import FlatVector, padded_feature_major
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.engine.parameters import Parameters
from ldl.engine.streams import stream

from .naive import LayerStep

SEED, STEPS, LEARNING_RATE = 7, 10, 0.05
Batch = Callable[[int], dict[str, Array]]


def context(
    layer: Layer,
    specs: tuple[TensorSpec, ...],
    x: tuple[Array, ...],
    name: str,
    padded: Array | None,
) -> Context:
    """A context of new NumPy arrays; `padded` is the memory of a hidden x."""
    plan = layer.plan(specs)
    samples = len(x[0])
    w, dw = weights(plan), weights(plan)
    for key, spec in plan.w.items():
        rng = stream(SEED, "weight", f"{name}.{key}")
        w[key][...] = spec.init.draw(spec.shape, spec.fans, rng)
    y = np.empty((samples, *plan.y), np.float32)
    return Context(
        x=x,
        y=y,
        dx=(np.empty_like(x[0]), None)[: len(x)],
        dy=np.full_like(y, 1.0 / samples),  # ∂L/∂y of a loss; others are overwritten
        w=w,
        dw=dw,
        state={},
        buffers={
            key: np.empty((samples, *spec.shape), np.float32) for key, spec in plan.buffers.items()
        },
        rng=stream(SEED, "node", name),
        training=True,
        padded=padded,
    )


def weights(plan: LayerPlan) -> dict[str, Array]:
    """Arrays for the weights of a layer, each bias adjacent to its weight."""
    adjacent = {key for key, spec in plan.w.items() if spec.adjacent}
    shapes = {key: spec.shape for key, spec in plan.w.items()}
    return FlatVector(shapes, np.float32, adjacent).views


class LayerByLayer:
    """A chain of layers with a loss at its end."""

    def __init__(self, layers: dict[str, Layer], loss: Loss, batch: dict[str, Array]) -> None:
        self.x = batch["x"].astype(np.float32)
        self.t = batch["t"] if batch["t"].dtype.kind == "i" else batch["t"].astype(np.float32)
        self.steps: dict[str, LayerStep] = {}
        x, padded = self.x, None
        for name, layer in layers.items():
            ctx = context(layer, (TensorSpec(x.shape[1:]),), (x,), name, padded)
            if name != list(layers)[-1]:
                padded = padded_feature_major(ctx.y.shape[1], len(x), np.float32)
                ctx.y = padded[:-1].T
                ctx.dy = np.empty_like(ctx.y)
            self.steps[name] = LayerStep(layer, ctx)
            x = ctx.y
        target = TensorSpec(self.t.shape[1:], self.t.dtype.kind == "i")
        specs = (TensorSpec(x.shape[1:]), target)
        self.loss = LayerStep(loss, context(loss, specs, (x, self.t), "loss", None))
        self.weights = {
            f"{name}.{key}": (step.ctx.w[key], step.ctx.dw[key])
            for name, step in self.steps.items()
            for key in step.ctx.w
        }

    def step(self, batch: dict[str, Array]) -> None:
        """Forward and backward; each gradient is copied to the layer before."""
        self.x[...], self.t[...] = batch["x"], batch["t"]
        for step in self.steps.values():
            step.forward()
        self.loss.forward()
        self.loss.backward()
        gradient = self.loss.ctx.dx[0]
        for step in reversed(self.steps.values()):
            step.ctx.dy[...] = gradient
            step.backward()
            gradient = step.ctx.dx[0]


def train_layer_by_layer(
    layers: dict[str, Layer], loss: Loss, optimizer: Optimizer, batch: Batch
) -> dict[str, Array]:
    """The weights after ten steps, with an optimizer for each array."""
    network = LayerByLayer(layers, loss, batch(0))
    states = {name: optimizer.start(w.reshape(-1)) for name, (w, _) in network.weights.items()}
    for k in range(STEPS):
        network.step(batch(k))
        for name, (w, dw) in network.weights.items():
            decay_slices = [slice(None)] if name.endswith("weight") else []
            optimizer.step(w.reshape(-1), dw.reshape(-1), states[name], LEARNING_RATE, decay_slices)
    return {name: w for name, (w, _) in network.weights.items()}


def train_executor(
    layers: dict[str, Layer], loss: Loss, optimizer: Optimizer, batch: Batch
) -> dict[str, Array]:
    """The weights after ten steps of an executor, with one optimizer for the flat vector."""
    names = ["x", *layers]
    first_batch = batch(0)
    inputs = {n: TensorSpec(a.shape[1:], a.dtype.kind == "i") for n, a in first_batch.items()}
    nodes = [Node(n, layer, (names[i],)) for i, (n, layer) in enumerate(layers.items())]
    graph = Graph(inputs, nodes, [LossNode("loss", loss, (names[-1], "t"))])
    parameters = Parameters(graph, SEED)
    executor = Executor(graph, parameters, len(first_batch["x"]), gradients=True, training=True)
    state = optimizer.start(parameters.theta)
    for k in range(STEPS):
        for name, array in batch(k).items():
            executor.inputs[name][...] = array
        executor.forward()
        executor.backward()
        optimizer.step(
            parameters.theta, parameters.gradient, state, LEARNING_RATE, parameters.decay_slices
        )
    return parameters.weights


def labelled_values(k: int) -> dict[str, Array]:
    rng = np.random.default_rng([1, k])
    return {"x": rng.normal(size=(32, 20)), "t": rng.integers(5, size=32)}


def noisy_values(k: int) -> dict[str, Array]:
    rng = np.random.default_rng([2, k])
    x = rng.uniform(size=(16, 13))
    return {"x": x + rng.normal(0, 0.1, x.shape), "t": x}


def classifier() -> tuple[dict[str, Layer], Loss, Batch]:
    linear, uniform = LAYERS["linear"], Uniform()
    layers = {
        "l1": linear(33, True, uniform, uniform),
        "a1": LAYERS["tanh"](),
        "l2": linear(17),
        "a2": LAYERS["leaky_relu"](0.2),
        "l3": linear(5, False),
    }
    return layers, LOSSES["cross_entropy"](), labelled_values


def autoencoder() -> tuple[dict[str, Layer], Loss, Batch]:
    linear = LAYERS["linear"]
    layers = {
        "l1": linear(7),
        "a1": LAYERS["relu"](),
        "l2": linear(3),
        "a2": LAYERS["sigmoid"](),
        "l3": linear(13),
    }
    return layers, LOSSES["mse"]("sum"), noisy_values


@pytest.mark.parametrize("make_network", [classifier, autoencoder])
@pytest.mark.parametrize(
    ("entry", "settings"),
    [
        ("gd", {}),
        ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("adam", {}),
        ("adamw", {"weight_decay": 0.1}),
    ],
)
def test_ten_steps_layer_by_layer_give_the_bits_of_the_executor(
    make_network: Callable[[], tuple[dict[str, Layer], Loss, Batch]],
    entry: str,
    settings: dict[str, object],
) -> None:
    layers, loss, batch = make_network()
    optimizer = OPTIMIZERS[entry](**settings)
    expected = train_layer_by_layer(layers, loss, optimizer, batch)
    weights = train_executor(layers, loss, optimizer, batch)
    assert expected.keys() == weights.keys()
    for name, array in weights.items():
        assert array.dtype == expected[name].dtype == np.float32
        assert prod(array.shape) == expected[name].size
        assert expected[name].tobytes() == np.ascontiguousarray(array).tobytes(), name


def test_ten_steps_change_all_weights() -> None:
    layers, loss, batch = classifier()
    initial = LayerByLayer(layers, loss, batch(0))
    final = train_layer_by_layer(layers, loss, OPTIMIZERS["adam"](), batch)
    assert all((w != final[name]).any() for name, (w, _) in initial.weights.items())
