"""The processor, BLAS kernels and versions that a measurement depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "scipy", "torch", "jax", "scikit-learn")


def machine_info() -> dict[str, Any]:
    """The description of this machine in the JSON files."""
    from threadpoolctl import threadpool_info

    pools = [
        {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads")}
        for pool in threadpool_info()
    ]
    return {
        "processor": processor_model(),
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: installed(name) for name in LIBRARIES},
        "thread pools": pools,
    }


def installed(name: str) -> str | None:
    """A package's version, None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor_model() -> str:
    """The number of processors and their model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()
