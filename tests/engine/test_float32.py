"""Every layer and loss of the table computes in float32 where its arrays are float32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.layer import Call, Context
from ldl.engine.layers.activation import Tanh

from . import naive
from .helpers import all_settings, case_batch, gradient_arrays, make_executor, run_forward, step
from .table import TABLE, Case


def arrays_of(ctx: Context) -> dict[str, Array]:
    named = {f"x{i}": x for i, x in enumerate(ctx.x)} | {"y": ctx.y, "dy": ctx.dy}
    return {**named, **gradient_arrays(ctx), **ctx.w, **ctx.buffers}


@all_settings
def test_every_array_of_a_float32_step_is_float32(case: Case) -> None:
    executor = make_executor(case, 3, np.float32, uses=2)
    step(executor, case_batch(case, executor.graph, 3))
    arrays: dict[str, Any] = {
        f"{node} {name}": array
        for node, ctx in executor.contexts.items()
        for name, array in arrays_of(ctx).items()
    }
    calls = [*executor._forward, *executor._backward]
    arrays |= {f"call {i}": call for i, call in enumerate(calls)}
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


@all_settings
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
