"""The resident memory of this process and its peak."""

from __future__ import annotations

import ctypes
import ctypes.util
import gc
import resource
import sys
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident() -> int:
    """Resident bytes; the peak on systems that do not report the current number."""
    return _status_bytes("VmRSS") or _max_rss()


def reset_peak() -> None:
    """Return free memory to the system and reset the peak, where the system allows it."""
    gc.collect()
    library = ctypes.util.find_library("c")
    if library and sys.platform == "linux":
        trim = getattr(ctypes.CDLL(library), "malloc_trim", None)
        if trim:
            trim(0)
        RESET.write_text("5")


def peak() -> int:
    """The peak resident bytes since `reset_peak`, or since the start if it cannot be reset."""
    return _status_bytes("VmHWM") or _max_rss()


def _status_bytes(name: str) -> int | None:
    if not STATUS.exists():
        return None
    lines = STATUS.read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _max_rss() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
