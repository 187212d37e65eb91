"""Every layer and loss of the table: values, gradients, allocations."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.gradcheck import gradcheck
from ldl.engine.layer import Call, Context, LayerPlan, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.layers.activation import Tanh
from ldl.engine.losses import LOSSES, Loss
from ldl.engine.parameters import Parameters

from . import naive
from .helpers import (
    all_cases,
    all_settings,
    case_batch,
    case_graph,
    fill,
    gradient_arrays,
    make_executor,
    run_forward,
    step,
)
from .table import TABLE, Case

TOLERANCE = 1e-6


def test_the_table_has_rows_for_every_entry() -> None:
    registered = {**LAYERS, **LOSSES}
    assert len(registered) == len(LAYERS) + len(LOSSES)
    rows = Counter(case.entry for case in TABLE)
    assert {name for name in registered if rows[name] >= 3} == set(registered) == set(rows)
    assert all(type(case.layer) is registered[case.entry] for case in TABLE)


@all_cases
@pytest.mark.parametrize("samples", [1, 4])
def test_values_equal_the_formula(case: Case, samples: int) -> None:
    ctx = run_forward(case, samples, np.float64).ctx
    expected = case.formula(list(ctx.x), ctx.w)
    shape = case.layer.plan(tuple(case_input.spec for case_input in case.inputs)).y
    assert ctx.y.shape == (samples, *shape) == expected.shape
    np.testing.assert_allclose(ctx.y, expected, rtol=1e-11, atol=1e-12)


@all_cases
def test_float32_values_are_within_rounding_of_the_formula(case: Case) -> None:
    ctx = run_forward(case, 4, np.float32).ctx
    exact = [x if x.dtype.kind == "i" else x.astype(float) for x in ctx.x]
    expected = case.formula(exact, {k: w.astype(float) for k, w in ctx.w.items()})
    largest = max(float(np.abs(x).max()) for x in exact)
    np.testing.assert_allclose(ctx.y, expected, rtol=2e-6, atol=2e-6 * max(1.0, largest))


@all_cases
@pytest.mark.parametrize("samples", [1, 3])
def test_gradients_equal_central_differences(case: Case, samples: int) -> None:
    graph = case_graph(case)
    batch = case_batch(case, graph, samples)
    rows = gradcheck(graph, batch, seed=2, entries=25, input_gradients=True)
    differentiable = [g for g in case.inputs if not g.integer][
        : 1 if isinstance(case.layer, Loss) else 9
    ]
    assert len(rows) == len(differentiable) + len(graph.weights)
    assert {row.name: row.error for row in rows if not row.error < TOLERANCE} == {}


@all_settings
def test_gradients_of_shared_weights_are_summed(case: Case) -> None:
    graph = case_graph(case, uses=2)
    assert len(graph.weights) == len(case_graph(case).weights)
    rows = gradcheck(graph, case_batch(case, graph, 2, seed=4), 2, 25, input_gradients=True)
    assert {row.name: row.error for row in rows if not row.error < TOLERANCE} == {}


@all_cases
def test_executor_equals_the_naive_executor(case: Case) -> None:
    executor = make_executor(case, 3, np.float64, uses=2)
    batch = case_batch(case, executor.graph, 3)
    result = step(executor, batch)
    streams = Parameters(executor.graph, 3, np.float64).streams
    expected = naive.NaiveExecutor(executor.graph, executor.parameters.weights, batch, streams)
    for loss in executor.graph.losses:
        np.testing.assert_allclose(result[loss.name], expected.values[loss.name], rtol=1e-13)
    for name, gradient in expected.gradients.items():
        np.testing.assert_allclose(result[f"d {name}"], gradient, rtol=1e-12, atol=1e-14)
    for name in executor.input_gradients:
        gradient = expected.value_gradients[name]
        np.testing.assert_allclose(result[f"d {name}"], gradient, rtol=1e-12, atol=1e-14)


@all_cases
def test_backward_repeats_to_the_bit_and_keeps_inputs(case: Case) -> None:
    layer_step = run_forward(case, 3, np.float64)
    ctx = layer_step.ctx
    before = [x.copy() for x in ctx.x]
    layer_step.backward()
    first = {name: g.copy() for name, g in gradient_arrays(ctx).items()}
    layer_step.backward()
    for name, gradient in gradient_arrays(ctx).items():
        assert np.isfinite(gradient).all(), name
        np.testing.assert_array_equal(gradient, first[name], err_msg=name)
    for x, saved in zip(ctx.x, before, strict=True):
        np.testing.assert_array_equal(x, saved)


@all_settings
def test_a_step_repeats_to_the_bit_after_other_batch_sizes(case: Case) -> None:
    graph = case_graph(case, uses=2)
    parameters = Parameters(graph, 3)
    sizes = (3, 1, 3, 4, 1, 3)
    executors = {
        n: Executor(graph, parameters, n, gradients=True, input_gradients=True) for n in set(sizes)
    }
    first_results: dict[int, dict[str, Array]] = {}
    for samples in sizes:
        result = step(executors[samples], case_batch(case, graph, samples, seed=samples))
        for name, array in first_results.setdefault(samples, result).items():
            np.testing.assert_array_equal(result[name], array, err_msg=name)


# --- a step allocates nothing that grows with the batch -----------------------------------------


def peak_allocation(executor: Executor, batch: dict[str, Array]) -> int:
    """The most bytes that the second step holds beyond those before it."""
    fill(executor, batch)
    executor.forward()
    executor.backward()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        executor.forward()
        executor.backward()
        executor.loss()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@all_settings
def test_a_step_allocates_nothing_that_grows_with_the_batch(case: Case) -> None:
    """NumPy copies a broadcast or cast operand through a buffer of at most 8192 elements.

    Both batches are larger, so the difference is what a layer allocates, and how many whole rows
    the buffer holds. One byte for each sample would be 12288 bytes.
    """
    peaks = []
    for samples in (8192, 20480):
        executor = make_executor(case, samples, np.float32, uses=2)
        few = case_batch(case, executor.graph, 64)
        batch = {name: np.resize(array, (samples, *array.shape[1:])) for name, array in few.items()}
        peaks.append(peak_allocation(executor, batch))
    small, large = peaks
    assert large - small < 8192
    assert large < 200_000


@dataclass(frozen=True, eq=False)
class Allocating(Tanh):
    """A layer with a temporary array in forward."""

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield lambda: np.copyto(ctx.y, np.tanh(ctx.x[0] * 1.0))


def test_a_hidden_temporary_is_detected() -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    with pytest.raises(AssertionError):
        test_a_step_allocates_nothing_that_grows_with_the_batch(
            Case("tanh", Allocating(), tanh.inputs, tanh.formula)
        )


def test_defaults_of_a_plan_are_empty() -> None:
    plan = LayerPlan(y=(3,))
    assert not plan.w
    assert not plan.state
    assert not plan.buffers
    assert (plan.multiply_adds, plan.products) == (0, 1)
    assert LAYERS["linear"](4).plan((TensorSpec((2, 3)),)).multiply_adds == 2 * 3 * 4
