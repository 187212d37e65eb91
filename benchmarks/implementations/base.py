"""The interface of the implementations that are timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ldl.arrays import Array

if TYPE_CHECKING:
    from benchmarks.tasks import Weights


class Variant(Protocol):
    """An implementation of a task's training with certain settings, with its data in memory."""

    def epoch(self, shuffle: bool = True) -> float:
        """Train for one epoch; the mean of the losses of its steps."""

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the sample indices `chosen` (n,), without an update.

        The gradient is None where the library does not give it.
        """


VariantMakers = dict[str, Callable[[], Variant]]  # a description of the settings → constructor
