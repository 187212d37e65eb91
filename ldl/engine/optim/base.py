"""The base of optimizers, and the state that they keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from ldl.arrays import Array
from ldl.engine.memory import aligned
from ldl.fields import Positive

Slices = Sequence[slice]


@dataclass
class OptimizerState:
    """The number of steps taken, the slots (vectors like θ), and single numbers.

    A checkpoint holds these three, and the next step needs no more; `scratch` is temporary. An
    optimizer that `needs_closure` calls `closure`: it computes the loss at θ as it stands, with
    the same random draws each time, and overwrites the gradient. The training loop sets it.
    """

    steps: int
    slots: dict[str, Array]
    scratch: Array
    numbers: dict[str, float] = field(default_factory=dict)
    closure: Callable[[], float] | None = None


@dataclass(frozen=True)
class Optimizer:
    """θ ← θ − η · direction.

    A step of a `full_batch` optimizer sees the whole training set at once. One that
    `needs_closure` computes more than one gradient a step; if it is also a `line_search`, its
    points may have any loss, and the gradient must not be clipped.
    """

    slot_names: ClassVar[tuple[str, ...]] = ()
    full_batch: ClassVar[bool] = False
    needs_closure: ClassVar[bool] = False
    line_search: ClassVar[bool] = False
    learning_rate: Positive

    @property
    def is_vanilla_sgd(self) -> bool:
        """Whether a step is θ ← θ − η g and nothing else."""
        return False

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the slots that these settings need."""
        return self.slot_names

    def start(self, theta: Array) -> OptimizerState:
        """Slots of θ's length, all zero."""
        slots = {name: aligned(theta.shape, theta.dtype) for name in self.slots}
        return OptimizerState(0, slots, aligned(theta.shape, theta.dtype))

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta`; weight decay applies to `decay_slices` of it.

        `gradient` may be overwritten.
        """
        raise NotImplementedError
