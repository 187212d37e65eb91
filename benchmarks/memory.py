"""How much memory this process holds, and the most that it has held."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import resource
import sys
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident() -> int:
    """Bytes held now; where the system does not say, the most held so far."""
    return _field("VmRSS") or _most()


def reset_peak() -> None:
    """Give back what is free, and begin to look for the most anew, where the system can."""
    gc.collect()
    library = ctypes.util.find_library("c")
    if library and sys.platform == "linux":
        trim = getattr(ctypes.CDLL(library), "malloc_trim", None)
        if trim:
            trim(0)
        RESET.write_text("5")


def peak() -> int:
    """The most bytes held since `reset_peak`, or since the start where that cannot be reset."""
    return _field("VmHWM") or _most()


def _field(name: str) -> int | None:
    if not STATUS.exists():
        return None
    lines = STATUS.read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _most() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
