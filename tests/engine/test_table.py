"""Every layer and every loss, in odd shapes, through the same checks."""

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
from .helpers import batch_for, fill, graph_of, step
from .table import TABLE, Case

every_case = pytest.mark.parametrize("case", TABLE, ids=str)
TOLERANCE = 1e-6


def test_the_table_has_rows_for_every_entry() -> None:
    registered = {**LAYERS, **LOSSES}
    assert len(registered) == len(LAYERS) + len(LOSSES)
    rows = Counter(case.entry for case in TABLE)
    assert {name for name in registered if rows[name] >= 3} == set(registered) == set(rows)
    assert all(type(case.layer) is registered[case.entry] for case in TABLE)


def bound(case: Case, samples: int, dtype: Any, times: int = 1) -> Executor:
    graph = graph_of(case, times)
    parameters = Parameters(graph, 3, dtype)
    return Executor(graph, parameters, samples, gradients=True, input_gradients=True, training=True)


def step_of(case: Case, samples: int, dtype: Any) -> naive.Step:
    """The layer by itself after its forward, with a random gradient of y."""
    rng = np.random.default_rng(1)
    plan = case.layer.plan(tuple(given.spec for given in case.inputs))
    x = tuple(
        values if given.integer else values.astype(dtype)
        for given in case.inputs
        for values in [given.values(rng, samples)]
    )
    w = {k: v.init.draw(v.shape, v.fans, rng).astype(dtype) for k, v in plan.w.items()}
    ctx = naive.fresh_context(case.layer, plan, x, w)
    alone = naive.Step(case.layer, ctx)
    alone.forward()
    if not isinstance(case.layer, Loss):
        ctx.dy[...] = rng.normal(size=ctx.dy.shape)
    return alone


def gradients_of(ctx: Context) -> dict[str, Array]:
    parts = {f"x{i}": dx for i, dx in enumerate(ctx.dx) if dx is not None}
    return {**parts, **ctx.dw}


@every_case
@pytest.mark.parametrize("samples", [1, 4])
def test_values_are_those_of_the_plain_formula(case: Case, samples: int) -> None:
    ctx = step_of(case, samples, np.float64).ctx
    expected = case.formula(list(ctx.x), ctx.w)
    planned = case.layer.plan(tuple(given.spec for given in case.inputs)).y
    assert ctx.y.shape == (samples, *planned) == expected.shape
    np.testing.assert_allclose(ctx.y, expected, rtol=1e-11, atol=1e-12)


@every_case
def test_float32_values_are_as_near_as_float32_can_be(case: Case) -> None:
    ctx = step_of(case, 4, np.float32).ctx
    exact = [x if x.dtype.kind == "i" else x.astype(float) for x in ctx.x]
    expected = case.formula(exact, {k: w.astype(float) for k, w in ctx.w.items()})
    largest = max(float(np.abs(x).max()) for x in exact)
    np.testing.assert_allclose(ctx.y, expected, rtol=2e-6, atol=2e-6 * max(1.0, largest))


@every_case
@pytest.mark.parametrize("samples", [1, 3])
def test_gradients_are_those_of_central_differences(case: Case, samples: int) -> None:
    graph = graph_of(case)
    batch = batch_for(case, graph, samples)
    rows = gradcheck(graph, batch, seed=2, entries=25, input_gradients=True)
    moving = [g for g in case.inputs if not g.integer][: 1 if isinstance(case.layer, Loss) else 9]
    assert len(rows) == len(moving) + len(graph.weights)
    assert {row.name: row.error for row in rows if not row.error < TOLERANCE} == {}


@every_case
def test_two_places_that_share_a_layer_sum_its_gradient(case: Case) -> None:
    graph = graph_of(case, times=2)
    assert len(graph.weights) == len(graph_of(case).weights)
    rows = gradcheck(graph, batch_for(case, graph, 2, seed=4), 2, 25, input_gradients=True)
    assert {row.name: row.error for row in rows if not row.error < TOLERANCE} == {}


@every_case
def test_the_graph_gives_what_the_layer_alone_gives(case: Case) -> None:
    binding = bound(case, 3, np.float64, times=2)
    batch = batch_for(case, binding.graph, 3)
    got = step(binding, batch)
    streams = Parameters(binding.graph, 3, np.float64).streams
    expected = naive.Naive(binding.graph, binding.parameters.weights, batch, streams)
    for loss in binding.graph.losses:
        np.testing.assert_allclose(got[loss.name], expected.values[loss.name], rtol=1e-13)
    for name, gradient in expected.gradients.items():
        np.testing.assert_allclose(got[f"d {name}"], gradient, rtol=1e-12, atol=1e-14)
    for name in binding.input_gradients:
        wanted = expected.value_gradients[name]
        np.testing.assert_allclose(got[f"d {name}"], wanted, rtol=1e-12, atol=1e-14)


@every_case
def test_backward_overwrites_nothing_that_it_needs(case: Case) -> None:
    alone = step_of(case, 3, np.float64)
    ctx = alone.ctx
    before = [x.copy() for x in ctx.x]
    alone.backward()
    once = {name: g.copy() for name, g in gradients_of(ctx).items()}
    alone.backward()
    for name, gradient in gradients_of(ctx).items():
        assert np.isfinite(gradient).all(), name
        np.testing.assert_array_equal(gradient, once[name], err_msg=name)
    for x, old in zip(ctx.x, before, strict=True):
        np.testing.assert_array_equal(x, old)


@every_case
def test_a_step_repeats_to_the_bit_whatever_ran_between(case: Case) -> None:
    graph = graph_of(case, times=2)
    parameters = Parameters(graph, 3)
    sizes = (3, 1, 3, 4, 1, 3)
    bindings = {
        n: Executor(graph, parameters, n, gradients=True, input_gradients=True) for n in set(sizes)
    }
    seen: dict[int, dict[str, Array]] = {}
    for samples in sizes:
        got = step(bindings[samples], batch_for(case, graph, samples, seed=samples))
        for name, array in seen.setdefault(samples, got).items():
            np.testing.assert_array_equal(got[name], array, err_msg=name)


# --- float32 stays float32 ----------------------------------------------------------------------


def arrays_of(ctx: Context) -> dict[str, Array]:
    named = {f"x{i}": x for i, x in enumerate(ctx.x)} | {"y": ctx.y, "dy": ctx.dy}
    return {**named, **gradients_of(ctx), **ctx.w, **ctx.buffers}


@every_case
def test_every_array_of_a_float32_step_is_float32(case: Case) -> None:
    executor = bound(case, 3, np.float32, times=2)
    step(executor, batch_for(case, executor.graph, 3))
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
        for array in leaves(value)
        if array.dtype.kind != "i"
    }
    assert {name: dtype for name, dtype in types.items() if dtype != np.float32} == {}
    assert executor.parameters.theta.dtype == executor.parameters.gradient.dtype == np.float32


def leaves(value: Any) -> list[Array]:
    """The arrays that a call or an object of a layer holds, in lists and calls too."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, partial):
        owner = getattr(value.func, "__self__", None)
        return leaves([owner, *value.args, *value.keywords.values()])
    if isinstance(value, list | tuple):
        return [array for item in value for array in leaves(item)]
    return leaves(list(vars(value).values())) if hasattr(value, "__dict__") else []


class Watched(np.ndarray):
    """An array that refuses to meet a float64, be it an array or a NumPy scalar."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*unwatched(inputs), **unwatched(options))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return function(*unwatched(args), **unwatched(options))


def unwatched(value: Any) -> Any:
    """The same with plain arrays; raises where float64 turns up."""
    if isinstance(value, tuple | list):
        return type(value)(map(unwatched, value))
    if isinstance(value, dict):
        return {key: unwatched(v) for key, v in value.items()}
    if isinstance(value, np.ndarray | np.generic) and value.dtype == np.float64:
        raise TypeError("a float64 in a float32 step")
    return value.view(np.ndarray) if isinstance(value, Watched) else value


def watched(ctx: Context) -> Context:
    """The same context, with every array of it under watch."""

    def wrap(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: wrap(v) for key, v in value.items()}
        if isinstance(value, tuple):
            return tuple(map(wrap, value))
        return value.view(Watched) if isinstance(value, np.ndarray) else value

    return Context(**{f.name: wrap(getattr(ctx, f.name)) for f in fields(Context)})


@every_case
def test_no_float64_creeps_into_a_float32_step(case: Case) -> None:
    alone = naive.Step(case.layer, watched(step_of(case, 3, np.float32).ctx))
    alone.forward()
    alone.backward()


@dataclass(frozen=True, eq=False)
class Creeping(Tanh):
    """What the test above is for: a NumPy scalar among the hyperparameters."""

    gain: Any = np.float64(1.0)

    def backward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield from super().backward(ctx, scratch)
        yield partial(np.multiply, ctx.dx[0], self.gain, ctx.dx[0])


def test_the_watch_would_see_a_float64_scalar() -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    creeping = Case("tanh", Creeping(), tanh.inputs, tanh.formula)
    with pytest.raises(TypeError, match="float64"):
        test_no_float64_creeps_into_a_float32_step(creeping)


# --- what a layer declares for the memory planner ------------------------------------------------


def backward_of(case: Case, unreadable: frozenset[str]) -> dict[str, Array]:
    """Gradients where the named arrays hold NaN, or a wrong class, once forward has run."""
    alone = step_of(case, 3, np.float64)
    ctx = alone.ctx
    if "x" in unreadable:
        for x in ctx.x:
            x.fill(0 if x.dtype.kind == "i" else np.nan)
    if "y" in unreadable:
        ctx.y.fill(np.nan)
    with np.errstate(all="ignore"):
        alone.backward()
    return gradients_of(ctx)


@every_case
def test_backward_reads_what_it_declares_and_nothing_else(case: Case) -> None:
    """Undeclared arrays change no gradient; each declared one does for some row of the entry."""
    declared = case.layer.backward_reads
    expected = backward_of(case, frozenset())
    for name, gradient in backward_of(case, frozenset({"x", "y"}) - declared).items():
        np.testing.assert_array_equal(gradient, expected[name], err_msg=name)


@pytest.mark.parametrize("entry", sorted({case.entry for case in TABLE}))
def test_no_declaration_keeps_memory_alive_for_nothing(entry: str) -> None:
    rows = [case for case in TABLE if case.entry == entry]
    for declared in rows[0].layer.backward_reads:
        read = [backward_of(case, frozenset({declared})) for case in rows]
        plain = [backward_of(case, frozenset()) for case in rows]
        assert any(
            not np.array_equal(gradient, kept[name])
            for got, kept in zip(read, plain, strict=True)
            for name, gradient in got.items()
        ), declared


@pytest.mark.parametrize("case", [c for c in TABLE if c.layer.in_place], ids=str)
@pytest.mark.parametrize("samples", [1, 3])
def test_a_layer_that_works_in_place_gives_the_same_numbers(case: Case, samples: int) -> None:
    """With ∂x[0] in the memory of ∂y, and y in that of x[0] unless backward reads x."""
    apart = step_of(case, samples, np.float64)
    ctx = apart.ctx
    expected = ctx.y.copy(), {name: g.copy() for name, g in in_order(apart).items()}
    y = ctx.y if "x" in case.layer.backward_reads else ctx.x[0].reshape(ctx.y.shape)
    dy = ctx.dy.copy()
    dx = (dy.reshape(ctx.x[0].shape), *ctx.dx[1:])
    rng = np.random.default_rng(0)
    together = Context(ctx.x, y, dx, dy, ctx.w, ctx.dw, ctx.state, ctx.buffers, rng, ctx.training)
    alone = naive.Step(case.layer, together)
    for call in alone._forward:
        call()
    np.testing.assert_array_equal(y, expected[0])
    for call in alone._backward:
        call()
    for name, gradient in gradients_of(together).items():
        np.testing.assert_array_equal(gradient, expected[1][name], err_msg=name)


def in_order(alone: naive.Step) -> dict[str, Array]:
    """The gradients after a backward."""
    alone.backward()
    return gradients_of(alone.ctx)


@every_case
def test_a_view_has_no_calls_and_is_declared(case: Case) -> None:
    """What has no calls is a view, and a view's values are x's in their order."""
    alone = step_of(case, 3, np.float64)
    assert case.layer.view == (not alone._forward)
    if case.layer.view:
        assert not alone._backward and alone.ctx.y.size == alone.ctx.x[0].size


@dataclass(frozen=True, eq=False)
class Forgetful(Tanh):
    """What the tests above are for: backward reads y and does not say so."""

    backward_reads: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True, eq=False)
class Greedy(Tanh):
    """Declares x, which backward does not read."""

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x", "y"})


def test_wrong_declarations_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    with pytest.raises(AssertionError):
        test_backward_reads_what_it_declares_and_nothing_else(
            Case("tanh", Forgetful(), tanh.inputs, tanh.formula)
        )
    greedy = Case("tanh", Greedy(), tanh.inputs, tanh.formula)
    monkeypatch.setattr(f"{__name__}.TABLE", [greedy])
    with pytest.raises(AssertionError, match="x"):
        test_no_declaration_keeps_memory_alive_for_nothing("tanh")


# --- a step allocates nothing that grows with the batch -----------------------------------------


def peak(binding: Executor, batch: dict[str, Array]) -> int:
    """Bytes that one step allocates at its worst, once all is warm."""
    fill(binding, batch)
    for _ in range(2):
        binding.forward()
        binding.backward()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        binding.forward()
        binding.backward()
        binding.loss()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@every_case
def test_a_step_allocates_nothing_that_grows_with_the_batch(case: Case) -> None:
    """NumPy copies a broadcast or cast operand through a buffer of at most 8192 elements.

    Both batches are beyond it, so what is left to differ is what a layer allocates itself, and
    how many whole rows the buffer holds. A byte a sample would be 12288 of them.
    """
    peaks = []
    for samples in (8192, 20480):
        binding = bound(case, samples, np.float32, times=2)
        peaks.append(peak(binding, batch_for(case, binding.graph, samples)))
    small, large = peaks
    assert large - small < 8192
    assert large < 200_000


@dataclass(frozen=True, eq=False)
class Wasteful(Tanh):
    """What the test above is for: a product without a place to go."""

    def forward(self, ctx: Context, scratch: None) -> Iterator[Call]:
        yield lambda: np.copyto(ctx.y, np.tanh(ctx.x[0] * 1.0))


def test_the_measure_would_see_a_hidden_temporary() -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    with pytest.raises(AssertionError):
        test_a_step_allocates_nothing_that_grows_with_the_batch(
            Case("tanh", Wasteful(), tanh.inputs, tanh.formula)
        )


def test_a_plan_names_only_what_a_layer_needs() -> None:
    """The defaults of a plan are empty, so that a layer without weights has none."""
    plan = LayerPlan(y=(3,))
    assert not plan.w
    assert not plan.state
    assert not plan.buffers
    assert LAYERS["linear"](4).plan((TensorSpec((2, 3)),)).multiply_adds == 2 * 3 * 4
