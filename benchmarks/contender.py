"""What the benchmark asks of each side."""

from __future__ import annotations

from typing import Protocol

from benchmarks.tasks import Weights
from ldl.engine.memory import Array


class Contender(Protocol):
    """One implementation of a task's training, with its data in memory."""

    def epoch(self) -> float:
        """Train once over the shuffled data; the mean of the losses of its steps."""

    def gradient(self, chosen: Array) -> tuple[float, Weights]:
        """Loss and gradient (∂w, ∂b a layer) on the samples `chosen`, without an update."""
