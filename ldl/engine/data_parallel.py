"""A batch split over threads: each runs its own part of the samples through the whole graph."""

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
from ldl.engine.communicator import rounds
from ldl.engine.executor import Executor
from ldl.engine.graph import Graph
from ldl.engine.memory import aligned
from ldl.engine.outer_product import OuterProductUpdate
from ldl.engine.parameters import Parameters

# Seconds for which a thread waits for Python's lock before it asks that it be let go. Steps of many
# short calls take 10 to 20 % less time than with Python's own 5 ms, others as long.
SWITCH = 1e-4


class DataParallelExecutor:
    """A `Executor` for training whose samples are divided among `threads` parts.

    Every part has its own memory and gradient vector; the gradients are added in the order of
    the parts, so the same number of threads gives the same bits. NumPy and the BLAS let other
    threads run while they compute; how soon is set for the whole process. Only for graphs that
    split: no layer draws, and one that mixes samples does so where the parts meet.
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
        self._barrier, self._rounds = rounds([b - a for a, b in pairwise(edges)])
        self._owners = [parameters, *(parameters.gradient_replica() for _ in range(threads - 1))]
        self._parts = [
            Executor(
                graph,
                owner,
                stop - start,
                outputs,
                gradients=True,
                train=True,
                meeting=meeting,
                inputs={name: array[start:stop] for name, array in self.inputs.items()},
            )
            for owner, meeting, (start, stop) in zip(
                self._owners, self._rounds, pairwise(edges), strict=True
            )
        ]
        self.values = dict(self.inputs)
        self._copies: list[list[tuple[Array, Array]]] = [[] for _ in self._parts]
        for name in outputs:
            whole = self.values[name] = aligned(
                (samples, *graph.specs[name].shape), parameters.dtype
            )
            for copies, part, start in zip(self._copies, self._parts, edges, strict=False):
                copies.append((whole[start : start + part.samples], part.values[name]))
        self.bytes = sum(part.bytes for part in self._parts)
        # NumPy's warnings are set for each thread; what overflows is found in the loss.
        sys.setswitchinterval(min(SWITCH, sys.getswitchinterval()))
        self._pool = ThreadPoolExecutor(threads - 1, initializer=partial(np.seterr, all="ignore"))

    def forward(self) -> None:
        """Compute every value from the inputs."""
        self._run([partial(self._forward, i) for i in range(len(self._parts))])

    def backward(self) -> None:
        """Compute every gradient; forward has run on the same inputs."""
        self._run([part.backward for part in self._parts])
        self._add()

    def forward_backward(self) -> None:
        """Forward, then backward; a part need not wait for the others in between."""
        self._run([partial(self._both, i) for i in range(len(self._parts))])
        self._add()

    def _both(self, number: int) -> None:
        self._forward(number)
        self._parts[number].backward()

    def _add(self) -> None:
        first, *others = (owner.gradient for owner in self._owners)
        for gradient in others:
            np.add(first, gradient, first)

    def loss(self) -> float:
        """The weighted mean of the losses over the samples of the last forward."""
        return sum([part.loss() for part in self._parts])

    def losses(self) -> list[float]:
        """Those of each loss."""
        return [sum(terms) for terms in zip(*(part.losses() for part in self._parts), strict=True)]

    def _forward(self, number: int) -> None:
        self._parts[number].forward()
        for whole, part in self._copies[number]:
            np.copyto(whole, part)

    def _run(self, jobs: list[Callable[[], None]]) -> None:
        """The first job here, the others in threads of their own; back when all are done."""
        self._barrier.reset()
        for each in self._rounds:
            each.begin()
        first, *others = jobs
        waiting: list[Future[None]] = []
        try:
            waiting.extend(self._pool.submit(self._attempt, job) for job in others)
            self._attempt(first)
        except BaseException:
            self._barrier.abort()
            raise
        finally:
            for future in waiting:
                future.exception()
        for future in waiting:
            future.result()

    def _attempt(self, job: Callable[[], None]) -> None:
        """Run a job; where it fails, so do those that would wait for it, but only it says so."""
        try:
            job()
        except BrokenBarrierError:
            pass
        except BaseException:
            self._barrier.abort()
            raise
