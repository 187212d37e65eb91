"""A network that can be trained and evaluated: a graph, its parameters and cached executors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import DTypeLike

from ldl.arrays import Array
from ldl.engine.data_parallel import DataParallelExecutor
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph
from ldl.engine.parameters import Parameters

EVALUATION_BATCH = 256


class Model:
    """A graph with weights. Executors are made on first use and cached, one per batch size."""

    def __init__(
        self,
        graph: Graph,
        seed: int | None = 0,
        dtype: DTypeLike = np.float32,
        frozen: Collection[str] = (),
        threads: int = 1,
    ) -> None:
        self.graph = graph
        self.threads = threads if graph.data_parallel else 1
        self.parameters = Parameters(graph, seed, dtype, frozen)
        self._evaluation: dict[tuple[object, ...], Executor] = {}
        self._training: dict[tuple[object, ...], Executor | DataParallelExecutor] = {}

    def training_executor(
        self, samples: int, outputs: tuple[str, ...] = (), outer_products: bool = False
    ) -> Executor | DataParallelExecutor:
        """The executor of training steps on `samples`, with gradients.

        With `outer_products` it may hold updates instead of gradients: see `Executor`.
        """
        key = (samples, outputs, outer_products)
        if key not in self._training:
            graph, parameters = self.graph, self.parameters
            threads = min(self.threads, samples)
            if threads > 1:
                self._training[key] = DataParallelExecutor(
                    graph, parameters, samples, outputs, threads
                )
            else:
                self._training[key] = Executor(
                    graph, parameters, samples, outputs, gradients=True, training=True,
                    outer_products=outer_products,
                )  # fmt: skip
        return self._training[key]

    def evaluation_executor(
        self, samples: int, outputs: tuple[str, ...] = (), losses: bool = True
    ) -> Executor:
        """The executor for evaluations of `samples`, without gradients."""
        key = (samples, outputs, losses)
        if key not in self._evaluation:
            self._evaluation[key] = Executor(self.graph, self.parameters, samples, outputs, losses)
        return self._evaluation[key]

    def predict(
        self, inputs: Mapping[str, Array], output: str, batch_size: int = EVALUATION_BATCH
    ) -> Array:
        """The value `output`, (n, …), for inputs {name: (n, …)}, in evaluation mode."""
        count = len(next(iter(inputs.values())))
        results = np.empty((count, *self.graph.specs[output].shape), self.parameters.dtype)
        for start, stop in batches(count, batch_size):
            executor = self.evaluation_executor(stop - start, (output,), losses=False)
            for name, array in inputs.items():
                if name in executor.inputs:
                    executor.inputs[name][...] = array[start:stop]
            with np.errstate(all="ignore"):
                executor.forward()
            results[start:stop] = executor.values[output]
        return results

    def loss(self, inputs: Mapping[str, Array], batch_size: int = EVALUATION_BATCH) -> float:
        """The training loss over all samples of `inputs` and targets, in evaluation mode."""
        count = len(next(iter(inputs.values())))
        total = 0.0
        for start, stop in batches(count, batch_size):
            executor = self.evaluation_executor(stop - start)
            for name, array in executor.inputs.items():
                array[...] = inputs[name][start:stop]
            with np.errstate(all="ignore"):
                executor.forward()
            total += executor.loss() * (stop - start)
        return total / count


def batches(count: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive batches; the last may be smaller."""
    for start in range(0, count, size):
        yield start, min(start + size, count)
