"""Graphs, batches and steps for the rows of the table."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import Context, TensorSpec
from ldl.engine.losses import LOSSES, Loss
from ldl.engine.parameters import Parameters

from . import naive
from .table import TABLE, Case


def distinct_settings() -> list[Case]:
    """For each layer, its settings and the types of its inputs, the row with the most values."""
    rows: dict[tuple[str, tuple[bool, ...]], Case] = {}
    for case in sorted(TABLE, key=lambda case: sum(prod(x.shape) for x in case.inputs)):
        rows[repr(case.layer), tuple(x.integer for x in case.inputs)] = case
    return list(rows.values())


all_cases = pytest.mark.parametrize("case", TABLE, ids=str)
all_settings = pytest.mark.parametrize("case", distinct_settings(), ids=str)


def case_graph(case: Case, uses: int = 1) -> Graph:
    """The layer of a case at `uses` nodes, each with its own inputs and its own loss."""
    inputs: dict[str, TensorSpec] = {}
    nodes, losses = [], []
    for k in range(uses):
        names = tuple(f"x{k}{i}" for i in range(len(case.inputs)))
        inputs |= {n: case_input.spec for n, case_input in zip(names, case.inputs, strict=True)}
        weight = 1.7 - k
        if isinstance(case.layer, Loss):
            losses.append(LossNode(f"loss{k}", case.layer, (names[0], names[1]), weight))
            continue
        nodes.append(Node(f"y{k}", case.layer, names))
        y = case.layer.plan(tuple(case_input.spec for case_input in case.inputs)).y
        inputs[f"target{k}"] = TensorSpec(y)
        losses.append(LossNode(f"loss{k}", LOSSES["mse"]("sum"), (f"y{k}", f"target{k}"), weight))
    return Graph(inputs, nodes, losses)


def case_batch(case: Case, graph: Graph, samples: int, seed: int = 0) -> dict[str, Array]:
    """Values (samples, …) for every input of `case_graph(case)`, float64 and int64."""
    rng = np.random.default_rng(seed)
    batch = {}
    for name, spec in graph.inputs.items():
        if name.startswith("target"):
            batch[name] = rng.normal(size=(samples, *spec.shape))
        else:
            batch[name] = case.inputs[int(name[2:])].values(rng, samples)
    return batch


def fill(executor: Executor, batch: Mapping[str, Array]) -> None:
    """Copy a batch to the inputs of an executor."""
    for name, array in executor.inputs.items():
        array[...] = batch[name]


def step(executor: Executor, batch: Mapping[str, Array]) -> dict[str, Array]:
    """Run forward and backward; copies of the losses and of every gradient, by name."""
    fill(executor, batch)
    executor.forward()
    executor.backward()
    return {
        **{loss.name: executor.values[loss.name].copy() for loss in executor.graph.losses},
        **{f"d {name}": g.copy() for name, g in executor.parameters.gradients.items()},
        **{f"d {name}": g.copy() for name, g in executor.input_gradients.items()},
    }


def make_executor(case: Case, samples: int, dtype: Any, uses: int = 1) -> Executor:
    """An executor with gradients for `case_graph(case)`, in training."""
    graph = case_graph(case, uses)
    parameters = Parameters(graph, 3, dtype)
    return Executor(graph, parameters, samples, gradients=True, input_gradients=True, training=True)


def run_forward(case: Case, samples: int, dtype: Any) -> naive.LayerStep:
    """The layer alone after forward, with a random gradient of y."""
    rng = np.random.default_rng(1)
    plan = case.layer.plan(tuple(case_input.spec for case_input in case.inputs))
    x = tuple(
        values if case_input.integer else values.astype(dtype)
        for case_input in case.inputs
        for values in [case_input.values(rng, samples)]
    )
    w = {k: v.init.draw(v.shape, v.fans, rng).astype(dtype) for k, v in plan.w.items()}
    ctx = naive.fresh_context(case.layer, plan, x, w)
    layer_step = naive.LayerStep(case.layer, ctx)
    layer_step.forward()
    if not isinstance(case.layer, Loss):
        ctx.dy[...] = rng.normal(size=ctx.dy.shape)
    return layer_step


def gradient_arrays(ctx: Context) -> dict[str, Array]:
    """The gradients of inputs and weights, by name."""
    input_gradients = {f"x{i}": dx for i, dx in enumerate(ctx.dx) if dx is not None}
    return {**input_gradients, **ctx.dw}
