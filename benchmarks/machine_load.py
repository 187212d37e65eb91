"""The CPU time that other programs use: products on two threads suffer most from it."""

from __future__ import annotations

import os
from pathlib import Path

STAT = Path("/proc/stat")
MAX_FOREIGN_CORES = 0.05  # above this number, times of large networks are not reliable


class MachineLoad:
    """Measures the cores that other programs use from its construction on."""

    def __init__(self) -> None:
        self._start = self._now()

    def foreign_cores(self, working: float = 0.0) -> float | None:
        """The number of cores that other programs used, None where the system does not report it.

        `working` is the CPU time in seconds of children that still run.
        """
        start, now = self._start, self._now()
        if start is None or now is None or now[2] <= start[2]:
            return None
        busy, own, elapsed = (b - a for a, b in zip(start, now, strict=True))
        return max(0.0, busy - own - working) / elapsed

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """Busy seconds of all cores, of this process, and elapsed seconds."""
        try:
            fields = STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        except OSError:
            return None
        ticks = [int(field) for field in fields]
        idle = ticks[3] + ticks[4]
        times = os.times()
        return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), sum(times[:4]), times.elapsed


def load_warning(foreign_cores: float | None) -> str:
    """A warning where other programs were busy, else an empty string."""
    if foreign_cores is None or foreign_cores < MAX_FOREIGN_CORES:
        return ""
    return f"other programs used {foreign_cores:.2f} cores: measure again on an idle machine\n"
