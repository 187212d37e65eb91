"""Every layer and loss of the table: values, gradients, precision, declarations, allocations."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

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
from .helpers import case_batch, case_graph, fill, step
from .table import TABLE, Case

all_cases = pytest.mark.parametrize("case", TABLE, ids=str)
TOLERANCE = 1e-6


def test_the_table_has_rows_for_every_entry() -> None:
    registered = {**LAYERS, **LOSSES}
    assert len(registered) == len(LAYERS) + len(LOSSES)
    rows = Counter(case.entry for case in TABLE)
    assert {name for name in registered if rows[name] >= 3} == set(registered) == set(rows)
    assert all(type(case.layer) is registered[case.entry] for case in TABLE)


def make_executor(case: Case, samples: int, dtype: Any, uses: int = 1) -> Executor:
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
    input_gradients = {f"x{i}": dx for i, dx in enumerate(ctx.dx) if dx is not None}
    return {**input_gradients, **ctx.dw}


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


@all_cases
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


@all_cases
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


# --- float32 stays float32 ----------------------------------------------------------------------


def arrays_of(ctx: Context) -> dict[str, Array]:
    named = {f"x{i}": x for i, x in enumerate(ctx.x)} | {"y": ctx.y, "dy": ctx.dy}
    return {**named, **gradient_arrays(ctx), **ctx.w, **ctx.buffers}


@all_cases
def test_every_array_of_a_float32_step_is_float32(case: Case) -> None:
    executor = make_executor(case, 3, np.float32, uses=2)
    step(executor, case_batch(case, executor.graph, 3))
    arrays: dict[str, Any] = {
        f"{node} {name}": array
        for node, ctx in executor.contexts.items()
        for name, array in arrays_of(ctx).items()
    }
    calls = [*executor._forward, *executor._backward]
    arrays |= {f"call {i}: {call}": call for i, call in enumerate(calls)}
    types = {
        name: array.dtype
        for name, value in arrays.items()
        for array in nested_arrays(value)
        if array.dtype.kind != "i"
    }
    assert {name: dtype for name, dtype in types.items() if dtype != np.float32} == {}
    assert executor.parameters.theta.dtype == executor.parameters.gradient.dtype == np.float32


def nested_arrays(value: Any) -> list[Array]:
    """The arrays within a call, a list or an object of a layer."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, partial):
        owner = getattr(value.func, "__self__", None)
        return nested_arrays([owner, *value.args, *value.keywords.values()])
    if isinstance(value, list | tuple):
        return [array for item in value for array in nested_arrays(item)]
    return nested_arrays(list(vars(value).values())) if hasattr(value, "__dict__") else []


class Float64Detector(np.ndarray):
    """An array that raises TypeError where a float64 array or scalar enters an operation."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*unwrap(inputs), **unwrap(options))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return function(*unwrap(args), **unwrap(options))


def unwrap(value: Any) -> Any:
    """The value with plain arrays; raises TypeError for float64."""
    if isinstance(value, tuple | list):
        return type(value)(map(unwrap, value))
    if isinstance(value, dict):
        return {key: unwrap(v) for key, v in value.items()}
    if isinstance(value, np.ndarray | np.generic) and value.dtype == np.float64:
        raise TypeError("a float64 in a float32 step")
    return value.view(np.ndarray) if isinstance(value, Float64Detector) else value


def wrap_arrays(ctx: Context) -> Context:
    """The context with a Float64Detector for every array."""

    def wrap(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: wrap(v) for key, v in value.items()}
        if isinstance(value, tuple):
            return tuple(map(wrap, value))
        return value.view(Float64Detector) if isinstance(value, np.ndarray) else value

    return Context(**{f.name: wrap(getattr(ctx, f.name)) for f in fields(Context)})


@all_cases
def test_a_float32_step_computes_nothing_in_float64(case: Case) -> None:
    layer_step = naive.LayerStep(case.layer, wrap_arrays(run_forward(case, 3, np.float32).ctx))
    layer_step.forward()
    layer_step.backward()


@dataclass(frozen=True, eq=False)
class Float64Gain(Tanh):
    """A layer with a NumPy scalar as hyperparameter."""

    gain: Any = np.float64(1.0)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from super().backward(ctx, scratch)
        yield partial(np.multiply, ctx.dx[0], self.gain, ctx.dx[0])


def test_a_float64_scalar_is_detected() -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    float64_gain = Case("tanh", Float64Gain(), tanh.inputs, tanh.formula)
    with pytest.raises(TypeError, match="float64"):
        test_a_float32_step_computes_nothing_in_float64(float64_gain)


# --- what a layer declares for the memory planner ------------------------------------------------


def gradients_without(case: Case, overwritten: frozenset[str]) -> dict[str, Array]:
    """Gradients where the named arrays hold NaN, or class 0, after forward."""
    layer_step = run_forward(case, 3, np.float64)
    ctx = layer_step.ctx
    if "x" in overwritten:
        for x in ctx.x:
            x.fill(0 if x.dtype.kind == "i" else np.nan)
    if "y" in overwritten:
        ctx.y.fill(np.nan)
    with np.errstate(all="ignore"):
        layer_step.backward()
    return gradient_arrays(ctx)


@all_cases
def test_backward_reads_only_declared_arrays(case: Case) -> None:
    """Arrays that are not declared change no gradient."""
    declared = case.layer.backward_reads
    expected = gradients_without(case, frozenset())
    for name, gradient in gradients_without(case, frozenset({"x", "y"}) - declared).items():
        np.testing.assert_array_equal(gradient, expected[name], err_msg=name)


@pytest.mark.parametrize("entry", sorted({case.entry for case in TABLE}))
def test_backward_reads_every_declared_array(entry: str) -> None:
    rows = [case for case in TABLE if case.entry == entry]
    for declared in rows[0].layer.backward_reads:
        gradients_without_it = [gradients_without(case, frozenset({declared})) for case in rows]
        all_gradients = [gradients_without(case, frozenset()) for case in rows]
        assert any(
            not np.array_equal(gradient, gradients[name])
            for result, gradients in zip(gradients_without_it, all_gradients, strict=True)
            for name, gradient in result.items()
        ), declared


@pytest.mark.parametrize("case", [c for c in TABLE if c.layer.in_place], ids=str)
@pytest.mark.parametrize("samples", [1, 3])
def test_an_in_place_layer_gives_the_same_numbers(case: Case, samples: int) -> None:
    """∂x[0] shares the memory of ∂y, and y that of x[0] unless backward reads x."""
    separate = run_forward(case, samples, np.float64)
    ctx = separate.ctx
    expected = (
        ctx.y.copy(),
        {name: g.copy() for name, g in gradients_after_backward(separate).items()},
    )
    y = ctx.y if "x" in case.layer.backward_reads else ctx.x[0].reshape(ctx.y.shape)
    dy = ctx.dy.copy()
    dx = (dy.reshape(ctx.x[0].shape), *ctx.dx[1:])
    rng = np.random.default_rng(0)
    shared = Context(ctx.x, y, dx, dy, ctx.w, ctx.dw, ctx.state, ctx.buffers, rng, ctx.training)
    layer_step = naive.LayerStep(case.layer, shared)
    for call in layer_step._forward:
        call()
    np.testing.assert_array_equal(y, expected[0])
    for call in layer_step._backward:
        call()
    for name, gradient in gradient_arrays(shared).items():
        np.testing.assert_array_equal(gradient, expected[1][name], err_msg=name)


def gradients_after_backward(layer_step: naive.LayerStep) -> dict[str, Array]:
    """The gradients after backward."""
    layer_step.backward()
    return gradient_arrays(layer_step.ctx)


@all_cases
def test_layers_without_calls_are_declared_views(case: Case) -> None:
    """A layer without calls is a view, with as many values as x."""
    layer_step = run_forward(case, 3, np.float64)
    assert case.layer.view == (not layer_step._forward)
    if case.layer.view:
        assert not layer_step._backward and layer_step.ctx.y.size == layer_step.ctx.x[0].size


@dataclass(frozen=True, eq=False)
class UndeclaredRead(Tanh):
    """A layer whose backward reads y without a declaration."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, eq=False)
class NeedlessDeclaration(Tanh):
    """A layer that declares x, which backward does not read."""

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x", "y"})


def test_wrong_declarations_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    with pytest.raises(AssertionError):
        test_backward_reads_only_declared_arrays(
            Case("tanh", UndeclaredRead(), tanh.inputs, tanh.formula)
        )
    needless = Case("tanh", NeedlessDeclaration(), tanh.inputs, tanh.formula)
    monkeypatch.setattr(f"{__name__}.TABLE", [needless])
    with pytest.raises(AssertionError, match="x"):
        test_backward_reads_every_declared_array("tanh")


# --- a step allocates nothing that grows with the batch -----------------------------------------


def peak_allocation(executor: Executor, batch: dict[str, Array]) -> int:
    """The most bytes that a step holds beyond those before it, after two steps."""
    fill(executor, batch)
    for _ in range(2):
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


@all_cases
def test_a_step_allocates_nothing_that_grows_with_the_batch(case: Case) -> None:
    """NumPy copies a broadcast or cast operand through a buffer of at most 8192 elements.

    Both batches are larger, so the difference is what a layer allocates, and how many whole rows
    the buffer holds. One byte for each sample would be 12288 bytes.
    """
    peaks = []
    for samples in (8192, 20480):
        executor = make_executor(case, samples, np.float32, uses=2)
        peaks.append(peak_allocation(executor, case_batch(case, executor.graph, samples)))
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
    assert LAYERS["linear"](4).plan((TensorSpec((2, 3)),)).multiply_adds == 2 * 3 * 4
