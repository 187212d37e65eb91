"""The machine's measured peak: multiply-adds per second of a large float32 product."""

from __future__ import annotations

import time

import numpy as np

from benchmarks.clean_process import THREADS

SIZE, ROUNDS = 2048, 12


def measured_peak() -> float:
    """Multiply-adds per second of the fastest of 12 products 2048×2048, on `THREADS` threads."""
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(0)
    a, b = rng.random((2, SIZE, SIZE), np.float32)
    out, best = np.empty_like(a), float("inf")
    with threadpool_limits(THREADS, user_api="blas"):
        for _ in range(ROUNDS):
            start = time.perf_counter()
            np.dot(a, b, out)
            best = min(best, time.perf_counter() - start)
    return SIZE**3 / best
