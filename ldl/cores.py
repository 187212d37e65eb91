"""How many cores there are to use."""

from __future__ import annotations

import os


def usable_cores() -> int | None:
    """The cores that this process may run on; a cluster often gives fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count()
