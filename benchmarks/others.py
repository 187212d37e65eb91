"""How busy other programs keep the machine: products on two threads suffer most from it."""

from __future__ import annotations

import os
from pathlib import Path

STAT = Path("/proc/stat")
QUIET = 0.05  # of one core; above it figures for large networks are not worth quoting


class Others:
    """The share of a core that others used since this was made; None where nobody can say."""

    def __init__(self) -> None:
        self._start = self._now()

    def share(self, working: float = 0.0) -> float | None:
        """Busy time of the machine over elapsed time, without this process, its ended children
        and the seconds that children still `working` have computed."""
        start, now = self._start, self._now()
        if start is None or now is None or now[2] <= start[2]:
            return None
        busy, ours, elapsed = (b - a for a, b in zip(start, now, strict=True))
        return max(0.0, busy - ours - working) / elapsed

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        """Seconds that all cores were busy, that we were, and that have passed."""
        try:
            fields = STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
        except OSError:
            return None
        ticks = [int(field) for field in fields]
        idle = ticks[3] + ticks[4]
        times = os.times()
        return (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK"), sum(times[:4]), times.elapsed


def warning(share: float | None) -> str:
    """A line for the reader where others were busy, else nothing."""
    if share is None or share < QUIET:
        return ""
    return f"others used {share:.2f} cores meanwhile: measure again on a quiet machine\n"
