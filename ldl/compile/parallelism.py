"""How the work of a step is divided among threads: by samples, or within the matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ldl.cores import usable_cores
from ldl.engine.graph import Graph
from ldl.engine.layers.attention import MultiHeadAttention

SMALL_PRODUCT: Final = 2_000_000  # multiply-adds
LARGE_STEP: Final = 20_000_000  # multiply-adds: some 3 ms on one core


@dataclass(frozen=True)
class Parallelism:
    """`shards` of a batch, one thread each; `blas_threads` a matrix product, None: all cores."""

    shards: int
    blas_threads: int | None


def choose_parallelism(graph: Graph, batch_size: int, threads: int | None = None) -> Parallelism:
    """The division that suits a graph; `threads` limits the number of threads.

    Large convolutions and transformers are divided by samples: their products are small, and half
    of their time goes into copies and sums. Elsewhere the BLAS divides large products better. A
    second thread gains nothing below some two million multiply-adds a product, and costs much on a
    busy machine.
    """
    nodes, specs, plans = graph.nodes, graph.specs, graph.plans
    work = sum(plan.multiply_adds for plan in plans.values()) * batch_size
    convolutions = {node.name for node in nodes if node.layer.windows(specs[node.inputs[0]])}
    small_products = convolutions or any(isinstance(n.layer, MultiHeadAttention) for n in nodes)
    if small_products and graph.data_parallel and work >= LARGE_STEP:
        shards = min(threads or usable_cores() or 1, batch_size)
        if shards > 1:
            return Parallelism(shards, 1)
    if threads is not None:
        return Parallelism(1, threads)
    dense = [plan for name, plan in plans.items() if name not in convolutions]
    largest = max((plan.multiply_adds // plan.products for plan in dense), default=0) * batch_size
    large = largest >= SMALL_PRODUCT or (convolutions and work >= LARGE_STEP)
    return Parallelism(1, None if large else 1)
