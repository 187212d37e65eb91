"""What the benchmark asks of each side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ldl.arrays import Array

if TYPE_CHECKING:
    from benchmarks.tasks import Weights


class Side(Protocol):
    """One implementation of a task's training with some settings, with its data in memory."""

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the samples `chosen`, without an update; None where it is hidden."""


Variants = dict[str, Callable[[], Side]]  # settings in words, and what makes a side with them
