"""Every layer and every loss, in odd shapes, through the same checks."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

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
    return Executor(graph, parameters, samples, gradients=True, input_gradients=True, train=True)


def node_of(case: Case, samples: int, dtype: Any) -> Context:
    """A node of its own, forward run, with a random gradient waiting."""
    rng = np.random.default_rng(1)
    plan = case.layer.plan(tuple(given.spec for given in case.inputs))
    x = tuple(
        values if given.integer else values.astype(dtype)
        for given in case.inputs
        for values in [given.values(rng, samples)]
    )
    w = {k: v.init.draw(v.shape, v.fans, rng).astype(dtype) for k, v in plan.w.items()}
    node = naive.fresh_node(case.layer, plan, x, w)
    naive.forward(case.layer, node)
    if not isinstance(case.layer, Loss):
        node.dy[...] = rng.normal(size=node.dy.shape)
    return node


def gradients_of(node: Context) -> dict[str, Array]:
    parts = {f"x{i}": dx for i, dx in enumerate(node.dx) if dx is not None}
    return {**parts, **node.dw}


@every_case
@pytest.mark.parametrize("samples", [1, 4])
def test_values_are_those_of_the_plain_formula(case: Case, samples: int) -> None:
    node = node_of(case, samples, np.float64)
    expected = case.formula(list(node.x), node.w)
    planned = case.layer.plan(tuple(given.spec for given in case.inputs)).y
    assert node.y.shape == (samples, *planned) == expected.shape
    np.testing.assert_allclose(node.y, expected, rtol=1e-11, atol=1e-12)


@every_case
def test_float32_values_are_as_near_as_float32_can_be(case: Case) -> None:
    node = node_of(case, 4, np.float32)
    exact = [x if x.dtype.kind == "i" else x.astype(float) for x in node.x]
    expected = case.formula(exact, {k: w.astype(float) for k, w in node.w.items()})
    largest = max(float(np.abs(x).max()) for x in exact)
    np.testing.assert_allclose(node.y, expected, rtol=2e-6, atol=2e-6 * max(1.0, largest))


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
    node = node_of(case, 3, np.float64)
    before = [x.copy() for x in node.x]
    naive.backward(case.layer, node)
    once = {name: g.copy() for name, g in gradients_of(node).items()}
    naive.backward(case.layer, node)
    for name, gradient in gradients_of(node).items():
        assert np.isfinite(gradient).all(), name
        np.testing.assert_array_equal(gradient, once[name], err_msg=name)
    for x, old in zip(node.x, before, strict=True):
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


def arrays_of(node: Context) -> dict[str, Array]:
    named = {f"x{i}": x for i, x in enumerate(node.x)} | {"y": node.y, "dy": node.dy}
    return {**named, **gradients_of(node), **node.w, **node.tmp}


@every_case
def test_every_array_of_a_float32_step_is_float32(case: Case) -> None:
    binding = bound(case, 3, np.float32, times=2)
    step(binding, batch_for(case, binding.graph, 3))
    arrays = {
        f"{place} {name} {i}": array
        for place, node in binding.contexts.items()
        for name, value in arrays_of(node).items()
        for i, array in enumerate(leaves(value))
        if array.dtype.kind != "i"
    }
    assert {k: a.dtype for k, a in arrays.items() if a.dtype != np.float32} == {}
    assert binding.parameters.theta.dtype == binding.parameters.gradient.dtype == np.float32


def leaves(value: Any) -> list[Array]:
    """The arrays in what a layer keeps: lists, and objects of its own, included."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, list | tuple):
        return [array for each in value for array in leaves(each)]
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


def watched(node: Context) -> Context:
    """The same node, with every array of it under watch."""

    def wrap(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: wrap(v) for key, v in value.items()}
        if isinstance(value, tuple):
            return tuple(map(wrap, value))
        return value.view(Watched) if isinstance(value, np.ndarray) else value

    return Context(**{f.name: wrap(getattr(node, f.name)) for f in fields(Context)})


@every_case
def test_no_float64_creeps_into_a_float32_step(case: Case) -> None:
    node = watched(node_of(case, 3, np.float32))
    naive.forward(case.layer, node)
    naive.backward(case.layer, node)


@dataclass(frozen=True, eq=False)
class Creeping(Tanh):
    """What the test above is for: a NumPy scalar among the hyperparameters."""

    gain: Any = np.float64(1.0)

    def back(self, node: Context) -> Iterator[Call]:
        yield from super().back(node)
        yield partial(np.multiply, node.dx[0], self.gain, node.dx[0])


def test_the_watch_would_see_a_float64_scalar() -> None:
    tanh = next(case for case in TABLE if case.entry == "tanh")
    creeping = Case("tanh", Creeping(), tanh.inputs, tanh.formula)
    with pytest.raises(TypeError, match="float64"):
        test_no_float64_creeps_into_a_float32_step(creeping)


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

    def ahead(self, node: Context) -> Iterator[Call]:
        yield lambda: np.copyto(node.y, np.tanh(node.x[0] * 1.0))


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
    assert not plan.tmp
    assert LAYERS["linear"](4).plan((TensorSpec((2, 3)),)).multiply_adds == 2 * 3 * 4
