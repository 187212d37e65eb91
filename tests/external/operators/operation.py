"""One ONNX operation on arrays, and the engine that it is given to."""

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

NOTHING: Mapping[str, Array] = {}


class LeftOut(Exception):
    """The engine has no layer for this operation; the reason is one of a few sentences."""


@dataclass(frozen=True)
class Op:
    """An operation: its inputs in order (None where one is left out), settings, opset version.

    `used` collects the engine's entries that were asked.
    """

    x: tuple[Array | None, ...]
    settings: Mapping[str, Any]
    version: int
    used: list[str] = field(default_factory=list)

    def get(self, name: str, default: Any) -> Any:
        """A setting."""
        return self.settings.get(name, default)

    def input(self, number: int) -> Array | None:
        """An input, or None where it is not given."""
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
        w: Mapping[str, Array] = NOTHING,
        state: Mapping[str, Array] = NOTHING,
        train: bool = False,
        **settings: Any,
    ) -> Array:
        """The output of a layer of the registry on inputs (N, …), with these weights.

        `state` is taken before and holds afterwards what the layer has kept.
        """
        self.used.append(entry)
        dtype = computed_in([*x, *w.values()])
        names = [f"x{i}" for i in range(len(x))]
        specs = {
            n: TensorSpec(a.shape[1:], a.dtype == np.int64) for n, a in zip(names, x, strict=True)
        }
        graph = Graph(specs, [Node("y", LAYERS[entry](**settings), tuple(names))])
        parameters = Parameters(graph, 0, dtype)
        parameters.load({f"y.{name}": array for name, array in {**w, **state}.items()})
        binding = Executor(graph, parameters, len(x[0]), ["y"], training=train)
        for name, array in zip(names, x, strict=True):
            binding.inputs[name][...] = array
        binding.forward()
        for name, array in state.items():
            array[...] = parameters.state[f"y.{name}"]
        return binding.values["y"].copy()

    def loss(self, entry: str, x: Array, target: Array, **settings: Any) -> tuple[Array, float]:
        """The loss of each sample, and their mean."""
        self.used.append(entry)
        dtype = computed_in([x])
        specs = {
            "x": TensorSpec(x.shape[1:]),
            "t": TensorSpec(target.shape[1:], target.dtype == np.int64),
        }
        graph = Graph(specs, [], [LossNode("y", LOSSES[entry](**settings), ("x", "t"))])
        binding = Executor(graph, Parameters(graph, 0, dtype), len(x))
        binding.inputs["x"][...], binding.inputs["t"][...] = x, target
        binding.forward()
        return binding.values["y"].copy(), binding.loss()


Operator = Callable[[Op], tuple[Array | None, ...]]  # None for outputs that the engine has not


def computed_in(arrays: list[Array]) -> np.dtype[Any]:
    """The type to compute in; int64 may stand beside it, as indices."""
    kinds = {array.dtype for array in arrays} - {np.dtype(np.int64)}
    if not kinds or not kinds <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise LeftOut("numbers other than float32 and float64")
    return max(kinds, key=lambda dtype: dtype.itemsize)


def channels_last(x: Array) -> Array:
    """(N, C, …) as (N, …, C)."""
    return np.moveaxis(x, 1, -1)


def channels_second(x: Array) -> Array:
    """(N, …, C) as (N, C, …)."""
    return np.moveaxis(x, -1, 1)
