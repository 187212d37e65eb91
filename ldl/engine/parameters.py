"""The weights of a graph in one flat vector, their gradients, kept state and random streams."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy

import numpy as np
from numpy.typing import DTypeLike

from ldl.arrays import Array
from ldl.engine.graph import Graph
from ldl.engine.memory import FlatVector
from ldl.engine.streams import stream


class Parameters:
    """θ (`theta`) and ∂L/∂θ (`gradient`), each one vector with named views, for one graph.

    Weights whose names are in `frozen` come last: an update of `theta[:trainable_size]` cannot
    touch them. Weight decay applies to `decay_slices`. Each weight is drawn from a stream of the
    seed and its own name, in float64, so that adding a layer changes no other draw. Without a seed
    none is drawn.
    """

    def __init__(
        self,
        graph: Graph,
        seed: int | None = 0,
        dtype: DTypeLike = np.float32,
        frozen: Collection[str] = (),
    ) -> None:
        self.dtype, self.frozen = np.dtype(dtype), frozenset(frozen)
        weights = sorted(graph.weights.items(), key=lambda item: item[0] in frozen)
        shapes = {name: spec.shape for name, spec in weights}
        self._adjacent = {name for name, spec in weights if spec.adjacent}
        theta, gradient = (FlatVector(shapes, self.dtype, self._adjacent) for _ in range(2))
        self.theta, self.weights = theta.vector, theta.views
        self.gradient, self.gradients = gradient.vector, gradient.views
        frozen_starts = [theta.starts[name] for name, _ in weights if name in frozen]
        self.trainable_size = frozen_starts[0] if frozen_starts else theta.vector.size
        self.decay_slices = tuple(
            slice(theta.starts[name], theta.starts[name] + spec.size)
            for name, spec in weights
            if spec.decay and name not in frozen
        )
        if seed is not None:
            for name, spec in weights:
                rng = stream(seed, "weight", name)
                with np.errstate(over="ignore"):  # infinite weights diverge in the first step
                    self.weights[name][...] = spec.init.draw(spec.shape, spec.fans, rng)
        self.state: dict[str, Array] = {
            name: np.array(array, self.dtype) for name, array in graph.state.items()
        }
        one = stream(0, "node") if seed is None else None
        self.streams = {
            node.name: one or stream(seed or 0, "node", node.name) for node in graph.order
        }
        self.count = sum(view.size for view in self.weights.values())

    def gradient_replica(self) -> Parameters:
        """The same weights and state with a gradient vector of their own."""
        replica = copy(self)
        shapes = {name: view.shape for name, view in self.weights.items()}
        gradient = FlatVector(shapes, self.dtype, self._adjacent)
        replica.gradient, replica.gradients = gradient.vector, gradient.views
        return replica

    def arrays(self) -> dict[str, Array]:
        """All arrays of a saved network by name: weights and kept state."""
        return {**self.weights, **self.state}

    def load(self, arrays: dict[str, Array]) -> None:
        """Copy saved arrays in.

        Raises KeyError where one is missing, ValueError where one has another shape.
        """
        for name, array in self.arrays().items():
            if arrays[name].shape != array.shape:
                raise ValueError(f"{name} is {arrays[name].shape}, expected {array.shape}")
        for name, array in self.arrays().items():
            array[...] = arrays[name]
