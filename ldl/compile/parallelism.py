"""How a step's work is divided among threads: by samples, or within the matrix products."""

from __future__ import annotations

from dataclasses import dataclass

from ldl.cores import usable_cores
from ldl.engine.graph import Graph
from ldl.engine.layers.attention import MultiHeadAttention

SMALL_PRODUCT = 2_000_000  # multiply-adds
LARGE_STEP = 20_000_000  # multiply-adds: some 3 ms on one core


@dataclass(frozen=True)
class Parallelism:
    """`shards` of a batch, one thread each; `blas_threads` threads a product, None: all."""

    shards: int
    blas_threads: int | None


def choose_parallelism(graph: Graph, batch_size: int, threads: int | None = None) -> Parallelism:
    """The division that suits a graph; `threads` is the number of threads, where one was given.

    Large convolutions and transformers are divided by samples: their products are small, and half
    of their time goes into copies and sums. Elsewhere the BLAS divides large products better. A
    second thread gains nothing below some two million multiply-adds a product, and costs much on a
    busy machine.
    """
    places, specs, plans = graph.nodes, graph.specs, graph.plans
    work = sum(plan.multiply_adds for plan in plans.values()) * batch_size
    slides = {place.name for place in places if place.layer.windows(specs[place.inputs[0]])}
    sums = slides or any(isinstance(place.layer, MultiHeadAttention) for place in places)
    if sums and graph.data_parallel and work >= LARGE_STEP:
        shards = min(threads or usable_cores() or 1, batch_size)
        if shards > 1:
            return Parallelism(shards, 1)
    if threads is not None:
        return Parallelism(1, threads)
    dense = [plan for name, plan in plans.items() if name not in slides]
    largest = max((plan.multiply_adds // plan.products for plan in dense), default=0) * batch_size
    large = largest >= SMALL_PRODUCT or (slides and work >= LARGE_STEP)
    return Parallelism(1, None if large else 1)
