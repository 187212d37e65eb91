"""The number of usable cores, and the environment of worker processes."""

from __future__ import annotations

import os
from pathlib import Path

THREAD_VARIABLES = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)


def usable_cores() -> int | None:
    """The number of cores that this process may use; a cluster often assigns fewer than exist."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def worker_environment() -> dict[str, str]:
    """Environment variables for a worker: one BLAS thread, and this installation of `ldl`.

    BLAS starts no threads at import then, so that the worker can fork safely.
    """
    package_root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONPATH": path}
