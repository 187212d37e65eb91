"""How a step's work is divided among threads: by samples, or within the matrix products."""

from __future__ import annotations

from dataclasses import dataclass

from ldl.cores import usable_cores
from ldl.engine.graph import Graph

SMALL_PRODUCT = 2_000_000  # multiply-adds
LARGE_STEP = 20_000_000  # multiply-adds: some 3 ms on one core


@dataclass(frozen=True)
class Division:
    """`parts` of a batch, a thread each; `blas` threads a product, None for what the BLAS takes."""

    parts: int
    blas: int | None


def divide(graph: Graph, batch_size: int, asked: int | None = None) -> Division:
    """The division that suits a graph; `asked` is the number of threads, where one was given.

    Large convolutions are divided by samples: their products are small, and half of their time goes
    into copies and sums. Elsewhere the BLAS divides large products better. A second thread gains
    nothing below some two million multiply-adds a product, and costs much on a busy machine.
    """
    plans, specs = graph.plans.values(), graph.specs
    work = sum(plan.multiply_adds for plan in plans) * batch_size
    slides = any(place.layer.windows(specs[place.inputs[0]]) for place in graph.places)
    if slides and graph.splits and work >= LARGE_STEP:
        parts = min(asked or usable_cores() or 1, batch_size)
        if parts > 1:
            return Division(parts, 1)
    if asked is not None:
        return Division(1, asked)
    if slides:
        return Division(1, 1 if work < LARGE_STEP else None)
    largest = max(plan.multiply_adds // plan.products for plan in plans) * batch_size
    return Division(1, 1 if largest < SMALL_PRODUCT else None)
