"""How many cores there are to use, and what a process of our own beside this one starts with."""

from __future__ import annotations

import os
from pathlib import Path

THREADS = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)


def usable_cores() -> int | None:
    """The cores that this process may run on; a cluster often gives fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()


def worker_environment() -> dict[str, str]:
    """One BLAS thread from the start, which keeps a forking process single; this very `ldl`."""
    home = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": path}
