"""What every optimizer is and keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ldl.arrays import Array
from ldl.engine.memory import aligned
from ldl.fields import Positive

Parts = Sequence[slice]


@dataclass
class OptimizerState:
    """What an optimizer keeps: the number of steps taken, moments, single numbers.

    Those are saved with a checkpoint and are all that the next step needs; `tmp` is scratch.
    `evaluate` gives the loss at θ as it stands and overwrites the gradient: whoever calls the step
    of a rule that `needs_closure` sets it.
    """

    steps: int
    moments: dict[str, Array]
    tmp: Array
    numbers: dict[str, float] = field(default_factory=dict)
    evaluate: Callable[[], float] | None = None


@dataclass(frozen=True)
class Optimizer:
    """θ ← θ − η · direction.

    `full_batch` says that a step is meant to see the whole training set at once, `needs_closure` that
    it evaluates the loss at several places, through `memory.evaluate`.
    """

    moments: ClassVar[tuple[str, ...]] = ()
    full_batch: ClassVar[bool] = False
    needs_closure: ClassVar[bool] = False
    learning_rate: Positive

    @property
    def is_vanilla_sgd(self) -> bool:
        """Whether a step is θ ← θ − η g and no more."""
        return False

    @property
    def slots(self) -> tuple[str, ...]:
        """The moments that these settings need."""
        return self.moments

    def start(self, theta: Array) -> OptimizerState:
        """Moments of θ's length, all zero."""
        moments = {name: aligned(theta.shape, theta.dtype) for name in self.slots}
        return OptimizerState(0, moments, aligned(theta.shape, theta.dtype))

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: OptimizerState,
        learning_rate: float,
        decayed: Parts,
    ) -> None:
        """Move `theta`, of which weight decay applies to the parts `decayed`.

        `gradient` may be overwritten.
        """
        raise NotImplementedError
