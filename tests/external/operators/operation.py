"""One ONNX operation on arrays, run by a layer or loss of the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES
from ldl.engine.parameters import Parameters

NO_ARRAYS: Mapping[str, Array] = {}


class Unsupported(Exception):
    """The engine has no layer for this operation; the message is the reason."""


@dataclass(frozen=True)
class Op:
    """An operation: its inputs (None for missing ones), settings, and opset version.

    `used` collects the registry entries that computed it.
    """

    x: tuple[Array | None, ...]
    settings: Mapping[str, Any]
    version: int
    used: list[str] = field(default_factory=list)

    def get(self, name: str, default: Any) -> Any:
        """A setting."""
        return self.settings.get(name, default)

    def input(self, number: int) -> Array | None:
        """An input, or None where it is missing."""
        return self.x[number] if number < len(self.x) else None

    @property
    def first(self) -> Array:
        """The first input."""
        x = self.x[0]
        assert x is not None
        return x

    def layer(
        self,
        entry: str,
        *x: Array,
        w: Mapping[str, Array] = NO_ARRAYS,
        state: Mapping[str, Array] = NO_ARRAYS,
        training: bool = False,
        **settings: Any,
    ) -> Array:
        """The output of a registered layer for inputs (N, …) and weights `w`.

        `state` holds the state of the layer, before and after.
        """
        self.used.append(entry)
        dtype = compute_dtype([*x, *w.values()])
        names = [f"x{i}" for i in range(len(x))]
        specs = {
            n: TensorSpec(a.shape[1:], a.dtype == np.int64) for n, a in zip(names, x, strict=True)
        }
        graph = Graph(specs, [Node("y", LAYERS[entry](**settings), tuple(names))])
        parameters = Parameters(graph, 0, dtype)
        parameters.load({f"y.{name}": array for name, array in {**w, **state}.items()})
        executor = Executor(graph, parameters, len(x[0]), ["y"], training=training)
        for name, array in zip(names, x, strict=True):
            executor.inputs[name][...] = array
        executor.forward()
        for name, array in state.items():
            array[...] = parameters.state[f"y.{name}"]
        return executor.values["y"].copy()

    def loss(self, entry: str, x: Array, target: Array, **settings: Any) -> tuple[Array, float]:
        """The loss of each sample, and their mean."""
        self.used.append(entry)
        dtype = compute_dtype([x])
        specs = {
            "x": TensorSpec(x.shape[1:]),
            "t": TensorSpec(target.shape[1:], target.dtype == np.int64),
        }
        graph = Graph(specs, [], [LossNode("y", LOSSES[entry](**settings), ("x", "t"))])
        executor = Executor(graph, Parameters(graph, 0, dtype), len(x))
        executor.inputs["x"][...], executor.inputs["t"][...] = x, target
        executor.forward()
        return executor.values["y"].copy(), executor.loss()


Operator = Callable[[Op], tuple[Array | None, ...]]  # None for outputs not in the engine


def compute_dtype(arrays: list[Array]) -> np.dtype[Any]:
    """The floating-point type of the arrays; indices are int64. Raises Unsupported for others."""
    dtypes = {array.dtype for array in arrays} - {np.dtype(np.int64)}
    if not dtypes or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise Unsupported("types other than float32 and float64")
    return max(dtypes, key=lambda dtype: dtype.itemsize)


def channels_last(x: Array) -> Array:
    """(N, C, …) as (N, …, C)."""
    return np.moveaxis(x, 1, -1)


def channels_second(x: Array) -> Array:
    """(N, …, C) as (N, C, …)."""
    return np.moveaxis(x, -1, 1)
