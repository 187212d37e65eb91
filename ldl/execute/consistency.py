"""One network trained by three implementations that must give the same weights, bit for bit.

`loop` is the training loop. `graph` calls the graph's forward and backward, then the optimizer on
all weights at once. `hand` calls one layer after another, each with separate arrays, then the
optimizer on each weight array separately.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle, islice

import numpy as np

from ldl.arrays import Array
from ldl.compile import Experiment
from ldl.data import Dataset
from ldl.engine.graph import Graph, LossNode
from ldl.engine.layer import Call, Context, LayerPlan
from ldl.engine.liveness import Liveness
from ldl.engine.memory import FlatVector, aligned, padded_feature_major
from ldl.engine.model import Model
from ldl.engine.streams import stream
from ldl.train import EpochMetrics, TrainLoop

Batches = list[dict[str, Array]]
Weights = Mapping[str, Array]


def consistency_checker(
    experiment: Experiment, dataset: Dataset
) -> Callable[[int], dict[str, float]]:
    """A function from a number of steps to the largest |θ − θ_loop| of `graph` and of `hand`."""

    def compare(steps: int) -> dict[str, float]:
        batches = _batches(experiment, dataset, steps)
        reference = _train_by_loop(experiment, batches)
        with np.errstate(all="ignore"):
            weights = {
                "graph": _train_by_graph(experiment, batches),
                "hand": _train_by_layer(experiment, batches),
            }
        return {name: _max_difference(reference, w) for name, w in weights.items()}

    return compare


def _max_difference(a: Weights, b: Weights) -> float:
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def _batches(experiment: Experiment, dataset: Dataset, steps: int) -> Batches:
    """One batch of the training data per step, in order, starting over at the end."""
    arrays = experiment.arrays(dataset.train, dataset.target_scaler)
    size, count = experiment.batch_size, len(next(iter(arrays.values())))
    starts = islice(cycle(range(0, count - size + 1, size)), steps)
    names = experiment.graph.inputs
    return [{name: arrays[name][start : start + size] for name in names} for start in starts]


def _train_by_loop(experiment: Experiment, batches: Batches) -> Weights:
    """One epoch of the training loop over all batches, in order."""
    model = Model(experiment.graph, experiment.config.seed)
    arrays = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    size, optimizer = experiment.batch_size, experiment.config.optimizer
    loop = TrainLoop(model, optimizer, arrays, size, seed=0, shuffle=False, outer_products=False)
    loop.run_epoch(1, EpochMetrics())
    return model.parameters.weights


def _train_by_graph(experiment: Experiment, batches: Batches) -> Weights:
    """Forward and backward of the whole graph, then the optimizer on all weights at once."""
    model, optimizer = Model(experiment.graph, experiment.config.seed), experiment.config.optimizer
    parameters, executor = model.parameters, model.training_executor(experiment.batch_size)
    theta, gradient, decay_slices = parameters.theta, parameters.gradient, parameters.decay_slices
    state = optimizer.start(theta)
    for batch in batches:
        for name, values in batch.items():
            executor.inputs[name][...] = values
        executor.forward()
        executor.backward()
        optimizer.step(theta, gradient, state, optimizer.learning_rate, decay_slices)
    return parameters.weights


def _train_by_layer(experiment: Experiment, batches: Batches) -> Weights:
    """One layer after another, then the optimizer on each weight array separately."""
    graph, optimizer = experiment.graph, experiment.config.optimizer
    weights = Model(graph, experiment.config.seed).parameters.weights
    inputs = {name: np.array(values) for name, values in batches[0].items()}
    contexts = _contexts(graph, inputs, weights, experiment.batch_size)
    arrays = {f"{node}.{key}": (c.w[key], c.dw[key]) for node, c in contexts.items() for key in c.w}
    states = {name: optimizer.start(w.reshape(-1)) for name, (w, _) in arrays.items()}
    forward, backward = _calls(graph, contexts)
    for batch in batches:
        for name, values in batch.items():
            inputs[name][...] = values
        for call in (*forward, *backward):
            call()
        for name, (w, dw) in arrays.items():
            decay_slices = [slice(0, w.size)] if graph.weights[name].decay else []
            rate = optimizer.learning_rate
            optimizer.step(w.reshape(-1), dw.reshape(-1), states[name], rate, decay_slices)
    return {name: w for name, (w, _) in arrays.items()}


def _contexts(
    graph: Graph, inputs: dict[str, Array], weights: Weights, samples: int
) -> dict[str, Context]:
    """A context for each node. A value's gradient is one array for its producer and its consumer.

    The order in which BLAS adds depends on the memory layout. Therefore the hidden values have the
    layout that they have in the graph, (F + 1, N) with a spare row, and a bias follows its weight.
    """
    losses = [loss.name for loss in graph.losses]
    hidden = Liveness(graph, losses, gradients=True).feature_major()
    padded: dict[str, Array] = {}
    values: dict[str, Array] = dict(inputs)
    gradients: dict[str, Array] = {}
    contexts: dict[str, Context] = {}
    for node in graph.order:
        plan = graph.plans[node.name]
        if node.name in hidden:
            padded[node.name] = padded_feature_major(plan.y[0], samples, np.float32)
            y = padded[node.name][:-1].T
        else:
            y = aligned((samples, *plan.y), np.float32)
        values[node.name] = y
        dy = gradients[node.name] = np.zeros_like(y)
        if isinstance(node, LossNode):
            dy.fill(node.weight / samples)
        w, dw = (_weight_arrays(plan) for _ in range(2))
        for key, array in w.items():
            array[...] = weights[f"{node.name}.{key}"]
        contexts[node.name] = Context(
            x=tuple(values[name] for name in node.inputs),
            y=y,
            dx=tuple(gradients.get(name) for name in node.inputs),
            dy=dy,
            w=w,
            dw=dw,
            state={},
            buffers={
                key: aligned((samples, *spec.shape), np.int64 if spec.integer else np.float32)
                for key, spec in plan.buffers.items()
            },
            rng=stream(0, node.name),
            training=True,
            padded=padded.get(node.inputs[0]),
        )
    return contexts


def _calls(graph: Graph, contexts: Mapping[str, Context]) -> tuple[list[Call], list[Call]]:
    """The calls of all layers: forward in the order of the graph, backward in reverse."""
    forward: list[Call] = []
    backward: list[Call] = []
    for node in graph.order:
        layer, context = node.layer, contexts[node.name]
        scratch = layer.prepare(context)
        forward.extend(layer.forward(context, scratch))
        backward[:0] = layer.backward(context, scratch)
    return forward, backward


def _weight_arrays(plan: LayerPlan) -> dict[str, Array]:
    """Memory for the weights of a layer, each bias directly after its weight."""
    shapes = {key: weight.shape for key, weight in plan.w.items()}
    biases = {key for key, weight in plan.w.items() if weight.adjacent}
    return FlatVector(shapes, np.float32, biases).views
