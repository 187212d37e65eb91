"""Data parallelism: a batch divided into shards, each run through the whole graph by a thread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from threading import BrokenBarrierError
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.communicator import thread_communicators
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph
from ldl.engine.memory import aligned
from ldl.engine.outer_product import OuterProductUpdate
from ldl.engine.parameters import Parameters

# Seconds that a thread waits for Python's lock before it asks the holder to release it. Steps of
# many short calls take 10 to 20 % less time than with Python's default of 5 ms; others are equal.
SWITCH_INTERVAL = 1e-4


class DataParallelExecutor:
    """An `Executor` for training whose batch is divided among `threads` shards.

    Each shard has its own memory and gradient vector. The gradients are added in rank order, so
    the same number of threads gives the same bits. NumPy and BLAS release Python's lock while
    they compute; the switch interval is set for the whole process. Only for graphs that are
    `data_parallel`: no layer draws, and a layer that mixes samples does so by its communicator.
    """

    outer_products: ClassVar[Sequence[OuterProductUpdate]] = ()

    def __init__(
        self,
        graph: Graph,
        parameters: Parameters,
        samples: int,
        outputs: Sequence[str],
        threads: int,
    ) -> None:
        self.samples = samples
        self.inputs = {
            name: aligned((samples, *spec.shape), np.int64 if spec.integer else parameters.dtype)
            for name, spec in graph.inputs.items()
        }
        edges = [samples * i // threads for i in range(threads + 1)]
        self._barrier, self._communicators = thread_communicators(
            [stop - start for start, stop in pairwise(edges)]
        )
        self._replicas = [
            parameters, *(parameters.gradient_replica() for _ in range(threads - 1))
        ]  # fmt: skip
        self._shards = [
            Executor(
                graph,
                replica,
                stop - start,
                outputs,
                gradients=True,
                training=True,
                communicator=communicator,
                inputs={name: array[start:stop] for name, array in self.inputs.items()},
            )
            for replica, communicator, (start, stop) in zip(
                self._replicas, self._communicators, pairwise(edges), strict=True
            )
        ]
        self.values = dict(self.inputs)
        self._copies: list[list[tuple[Array, Array]]] = [[] for _ in self._shards]
        for name in outputs:
            shape = (samples, *graph.specs[name].shape)
            whole = self.values[name] = aligned(shape, parameters.dtype)
            for copies, shard, start in zip(self._copies, self._shards, edges, strict=False):
                copies.append((whole[start : start + shard.samples], shard.values[name]))
        self.bytes = sum(shard.bytes for shard in self._shards)
        # NumPy's error state is per thread; overflow is found in the loss.
        sys.setswitchinterval(min(SWITCH_INTERVAL, sys.getswitchinterval()))
        self._pool = ThreadPoolExecutor(threads - 1, initializer=partial(np.seterr, all="ignore"))

    def forward(self) -> None:
        """Compute every value from the inputs."""
        self._run([partial(self._forward, rank) for rank in range(len(self._shards))])

    def backward(self) -> None:
        """Compute every gradient; forward has run on the same inputs."""
        self._run([shard.backward for shard in self._shards])
        self._reduce_gradients()

    def forward_backward(self) -> None:
        """Forward, then backward; a shard need not wait for the others in between."""
        self._run([partial(self._forward_backward, rank) for rank in range(len(self._shards))])
        self._reduce_gradients()

    def loss(self) -> float:
        """The weighted mean of the losses over the samples of the last forward."""
        return sum([shard.loss() for shard in self._shards])

    def losses(self) -> list[float]:
        """The weighted means whose sum `loss` is, in the order of the graph's losses."""
        terms = zip(*(shard.losses() for shard in self._shards), strict=True)
        return [sum(shares) for shares in terms]

    def _forward(self, rank: int) -> None:
        self._shards[rank].forward()
        for whole, part in self._copies[rank]:
            np.copyto(whole, part)

    def _forward_backward(self, rank: int) -> None:
        self._forward(rank)
        self._shards[rank].backward()

    def _reduce_gradients(self) -> None:
        """Add the gradients of all shards to the first one's."""
        total, *gradients = (replica.gradient for replica in self._replicas)
        for gradient in gradients:
            np.add(total, gradient, total)

    def _run(self, jobs: list[Callable[[], None]]) -> None:
        """Run the first job here and the others in the pool; returns when all have ended."""
        self._barrier.reset()
        for communicator in self._communicators:
            communicator.reset()
        first, *rest = jobs
        futures: list[Future[None]] = []
        try:
            futures.extend(self._pool.submit(self._attempt, job) for job in rest)
            self._attempt(first)
        except BaseException:
            self._barrier.abort()
            raise
        finally:
            for future in futures:
                future.exception()
        for future in futures:
            future.result()

    def _attempt(self, job: Callable[[], None]) -> None:
        """Run a job; if it fails, the waiting shards fail too, and only its error is raised."""
        try:
            job()
        except BrokenBarrierError:
            pass
        except BaseException:
            self._barrier.abort()
            raise
