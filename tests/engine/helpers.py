"""Graphs and batches that several test files need."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.losses import LOSSES, Loss

from .table import Case


def graph_of(case: Case, times: int = 1) -> Graph:
    """The case's layer at `times` places, each with inputs of its own and a loss that grades it."""
    inputs: dict[str, TensorSpec] = {}
    places, losses = [], []
    for k in range(times):
        names = tuple(f"x{k}{i}" for i in range(len(case.inputs)))
        inputs |= {n: given.spec for n, given in zip(names, case.inputs, strict=True)}
        weight = 1.7 - k
        if isinstance(case.layer, Loss):
            losses.append(LossNode(f"loss{k}", case.layer, (names[0], names[1]), weight))
            continue
        places.append(Node(f"it{k}", case.layer, names))
        y = case.layer.plan(tuple(given.spec for given in case.inputs)).y
        inputs[f"goal{k}"] = TensorSpec(y)
        losses.append(LossNode(f"loss{k}", LOSSES["mse"]("sum"), (f"it{k}", f"goal{k}"), weight))
    return Graph(inputs, places, losses)


def batch_for(case: Case, graph: Graph, samples: int, seed: int = 0) -> dict[str, Array]:
    """Values for every input of `graph_of(case)`, float64 and int64."""
    rng = np.random.default_rng(seed)
    batch = {}
    for name, spec in graph.inputs.items():
        if name.startswith("goal"):
            batch[name] = rng.normal(size=(samples, *spec.shape))
        else:
            batch[name] = case.inputs[int(name[2:])].values(rng, samples)
    return batch


def fill(binding: Executor, batch: Mapping[str, Array]) -> None:
    """Copy a batch into the binding's inputs."""
    for name, array in binding.inputs.items():
        array[...] = batch[name]


def step(binding: Executor, batch: Mapping[str, Array]) -> dict[str, Array]:
    """One forward and backward; copies of the losses and of every gradient, by name."""
    fill(binding, batch)
    binding.forward()
    binding.backward()
    return {
        **{loss.name: binding.values[loss.name].copy() for loss in binding.graph.losses},
        **{f"d {name}": g.copy() for name, g in binding.parameters.gradients.items()},
        **{f"d {name}": g.copy() for name, g in binding.input_gradients.items()},
    }
