"""Gradient accumulation: a batch computed in pieces, one after the other, in the memory of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.memory import aligned
from ldl.engine.model import Model, batches
from ldl.engine.outer_product import OuterProductUpdate


class AccumulatingExecutor:
    """An executor for training whose batch of `samples` is computed in pieces of `piece` samples.

    Losses and gradients are means over the whole batch, also where the last piece is smaller. Only
    layers that mix samples see the pieces: batch normalisation has statistics for each.
    """

    outer_products: ClassVar[Sequence[OuterProductUpdate]] = ()

    def __init__(self, model: Model, samples: int, piece: int, outputs: tuple[str, ...]) -> None:
        parameters, graph = model.parameters, model.graph
        self.samples, self._gradient = samples, parameters.gradient
        self._sum, self._work = (aligned(self._gradient.shape, parameters.dtype) for _ in range(2))
        self._pieces = [
            (slice(start, stop), model.training_executor(stop - start, outputs))
            for start, stop in batches(samples, piece)
        ]
        self.inputs = {
            name: aligned((samples, *spec.shape), np.int64 if spec.integer else parameters.dtype)
            for name, spec in graph.inputs.items()
        }
        results = {
            name: aligned((samples, *graph.specs[name].shape), parameters.dtype) for name in outputs
        }
        self.values: dict[str, Array] = {**self.inputs, **results}
        self._results, self._losses = results, [0.0] * len(graph.losses)

    def forward(self) -> None:
        """Compute every value from the inputs."""
        self._run(backward=False)

    def forward_backward(self) -> None:
        """Forward, then backward, of each piece; the gradients add up to that of the batch."""
        self._sum.fill(0.0)
        self._run(backward=True)
        np.copyto(self._gradient, self._sum)

    def loss(self) -> float:
        """The weighted mean of the losses over the samples of the last forward."""
        return sum(self._losses)

    def losses(self) -> list[float]:
        """The weighted means whose sum `loss` is, in the order of the graph's losses."""
        return list(self._losses)

    def _run(self, backward: bool) -> None:
        self._losses = [0.0] * len(self._losses)
        for rows, executor in self._pieces:
            for name, array in executor.inputs.items():
                np.copyto(array, self.inputs[name][rows])
            run: Callable[[], None] = executor.forward_backward if backward else executor.forward
            run()
            share = executor.samples / self.samples
            terms = zip(self._losses, executor.losses(), strict=True)
            self._losses = [total + share * loss for total, loss in terms]
            for name, array in self._results.items():
                np.copyto(array[rows], executor.values[name])
            if backward:
                np.multiply(self._gradient, share, self._work)
                np.add(self._sum, self._work, self._sum)
