"""A network trained in three ways that have to agree: the loop, the graph, layers by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle, islice

import numpy as np

from ldl.arrays import Array
from ldl.compile import Experiment
from ldl.data import Dataset
from ldl.engine.graph import LossNode
from ldl.engine.layer import Context, LayerPlan
from ldl.engine.liveness import Liveness
from ldl.engine.memory import Flat, aligned, samples_last
from ldl.engine.model import Model
from ldl.engine.optim import Optimizer
from ldl.engine.streams import stream
from ldl.train import EpochMetrics, TrainLoop

Batches = list[dict[str, Array]]
Weights = Mapping[str, Array]


def consistency_checker(
    experiment: Experiment, dataset: Dataset
) -> Callable[[int], dict[str, float]]:
    """Steps to the largest difference of any weight from the training loop's, by way."""

    def drive(steps: int) -> dict[str, float]:
        batches = _batches(experiment, dataset, steps)
        optimizer = experiment.config.optimizer
        loop = _loop(experiment, batches)
        with np.errstate(all="ignore"):
            others = {
                "graph": _graph(experiment, optimizer, batches),
                "hand": _hand(experiment, optimizer, batches),
            }
        return {way: _apart(loop, weights) for way, weights in others.items()}

    return drive


def _apart(a: Weights, b: Weights) -> float:
    return max(float(np.abs(a[name] - b[name]).max()) for name in a)


def _batches(experiment: Experiment, dataset: Dataset, steps: int) -> Batches:
    """As many batches of the training part as there are steps, in their order, again and again."""
    arrays = experiment.arrays(dataset.train, dataset.target_scaler)
    size, count = experiment.batch_size, len(next(iter(arrays.values())))
    starts = islice(cycle(range(0, count - size + 1, size)), steps)
    names = experiment.graph.inputs
    return [{name: arrays[name][start : start + size] for name in names} for start in starts]


def _loop(experiment: Experiment, batches: Batches) -> Weights:
    """By the training loop: one epoch of all batches in their order."""
    model = Model(experiment.graph, experiment.config.seed)
    arrays = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    size = experiment.batch_size
    optimizer = experiment.config.optimizer
    loop = TrainLoop(model, optimizer, arrays, size, seed=0, shuffle=False, outer_products=False)
    loop.run_epoch(1, EpochMetrics())
    return model.parameters.weights


def _graph(experiment: Experiment, optimizer: Optimizer, batches: Batches) -> Weights:
    """By the graph's two passes and the optimizer on all weights at once."""
    model = Model(experiment.graph, experiment.config.seed)
    parameters, binding = model.parameters, model.training_executor(experiment.batch_size)
    memory = optimizer.start(parameters.theta)
    for batch in batches:
        for name, values in batch.items():
            binding.inputs[name][...] = values
        binding.forward()
        binding.backward()
        rate = optimizer.learning_rate
        optimizer.step(parameters.theta, parameters.gradient, memory, rate, parameters.decay_slices)
    return parameters.weights


def _hand(experiment: Experiment, optimizer: Optimizer, batches: Batches) -> Weights:
    """By layers called one after another, and the optimizer on each weight by itself."""
    graph, size = experiment.graph, experiment.batch_size
    start = Model(graph, experiment.config.seed).parameters.weights
    inputs = {name: np.array(values) for name, values in batches[0].items()}
    nodes = _nodes(experiment, inputs, start, size)
    weights = {f"{p}.{key}": (n.w[key], n.dw[key]) for p, n in nodes.items() for key in n.w}
    memories = {name: optimizer.start(w.reshape(-1)) for name, (w, _) in weights.items()}
    places = [(place.layer, nodes[place.name]) for place in graph.order]
    for batch in batches:
        for name, values in batch.items():
            inputs[name][...] = values
        for layer, node in places:
            layer.forward(node)
        for layer, node in reversed(places):
            layer.backward(node)
        for name, (w, dw) in weights.items():
            decayed = [slice(0, w.size)] if graph.weights[name].decay else []
            rate = optimizer.learning_rate
            optimizer.step(w.reshape(-1), dw.reshape(-1), memories[name], rate, decayed)
    return {name: w for name, (w, _) in weights.items()}


def _nodes(
    experiment: Experiment, inputs: dict[str, Array], start: Weights, size: int
) -> dict[str, Context]:
    """A node a place, every array its own; a value's gradient is the same array at both ends.

    The order in which BLAS adds depends on the order of memory, so hidden values have samples last
    here too, with a row to spare, and a bias lies behind its weight.
    """
    graph = experiment.graph
    hidden = Liveness(graph, [loss.name for loss in graph.losses], gradients=True).samples_last()
    rows: dict[str, Array] = {}
    values: dict[str, Array] = dict(inputs)
    gradients: dict[str, Array] = {}
    nodes: dict[str, Context] = {}
    for place in graph.order:
        plan = graph.plans[place.name]
        y = aligned((size, *plan.y), np.float32)
        if place.name in hidden:
            rows[place.name] = samples_last(plan.y[0], size, np.float32)
            y = rows[place.name][:-1].T
        values[place.name] = y
        dy = gradients[place.name] = np.zeros_like(y)
        if isinstance(place, LossNode):
            dy.fill(place.weight / size)
        w, dw = (_weights(plan) for _ in range(2))
        for key, array in w.items():
            array[...] = start[f"{place.name}.{key}"]
        made = nodes[place.name] = Context(
            x=tuple(values[name] for name in place.inputs),
            y=y,
            dx=tuple(gradients.get(name) for name in place.inputs),
            dy=dy,
            w=w,
            dw=dw,
            state={},
            tmp={
                key: aligned((size, *buffer.shape), np.int64 if buffer.integer else np.float32)
                for key, buffer in plan.tmp.items()
            },
            rng=stream(0, place.name),
            train=True,
            rows=rows.get(place.inputs[0]),
        )
        place.layer.bind(made)
    return nodes


def _weights(plan: LayerPlan) -> dict[str, Array]:
    """Memory for a layer's weights, each bias behind its weight."""
    shapes = {key: weight.shape for key, weight in plan.w.items()}
    behind = {key for key, weight in plan.w.items() if weight.behind}
    return Flat(shapes, np.float32, behind).views
