"""The weights of a graph in one flat vector, their gradients, kept state and random streams."""

from __future__ import annotations

from collections.abc import Collection
from copy import copy

import numpy as np
from numpy.typing import DTypeLike

from ldl.arrays import Array
from ldl.engine.graph import Graph
from ldl.engine.memory import Flat
from ldl.engine.streams import stream


class Parameters:
    """θ (`theta`) and ∂L/∂θ (`gradient`), each one vector with named views, for one graph.

    Weights whose names are in `frozen` stand last, so that whoever moves `theta[:moving]` cannot
    touch them. `decayed` are the parts of that to which weight decay applies. Every weight is
    drawn from the stream of the seed and its own name, in float64, so adding a layer moves no
    other draw.
    """

    def __init__(
        self,
        graph: Graph,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
        frozen: Collection[str] = (),
    ) -> None:
        self.dtype, self.frozen = np.dtype(dtype), frozenset(frozen)
        weights = sorted(graph.weights.items(), key=lambda item: item[0] in frozen)
        shapes = {name: weight.shape for name, weight in weights}
        self._behind = {name for name, weight in weights if weight.behind}
        theta, gradient = (Flat(shapes, self.dtype, self._behind) for _ in range(2))
        self.theta, self.weights = theta.vector, theta.views
        self.gradient, self.gradients = gradient.vector, gradient.views
        still = [theta.starts[name] for name, _ in weights if name in frozen]
        self.trainable_size = still[0] if still else theta.vector.size
        self.decay_slices = tuple(
            slice(theta.starts[name], theta.starts[name] + weight.size)
            for name, weight in weights
            if weight.decay and name not in frozen
        )
        for name, weight in weights:
            rng = stream(seed, "weight", name)
            with np.errstate(over="ignore"):  # infinite weights diverge in the first step
                self.weights[name][...] = weight.init.draw(weight.shape, weight.fans, rng)
        self.state: dict[str, Array] = {
            name: np.array(array, self.dtype) for name, array in graph.state.items()
        }
        self.streams = {place.name: stream(seed, "node", place.name) for place in graph.order}
        self.count = sum(view.size for view in self.weights.values())

    def gradient_replica(self) -> Parameters:
        """The same weights and state with a gradient vector of their own."""
        twin = copy(self)
        shapes = {name: view.shape for name, view in self.weights.items()}
        gradient = Flat(shapes, self.dtype, self._behind)
        twin.gradient, twin.gradients = gradient.vector, gradient.views
        return twin

    def arrays(self) -> dict[str, Array]:
        """All that a saved network consists of, by name: weights and kept state."""
        return {**self.weights, **self.state}

    def load(self, arrays: dict[str, Array]) -> None:
        """Copy saved arrays in; raises KeyError or ValueError where one is missing or misshapen."""
        for name, mine in self.arrays().items():
            if arrays[name].shape != mine.shape:
                raise ValueError(f"{name} is {arrays[name].shape}, expected {mine.shape}")
        for name, mine in self.arrays().items():
            mine[...] = arrays[name]
