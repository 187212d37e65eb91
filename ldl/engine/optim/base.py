"""The base class of optimizers, and their state."""

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
    """The number of steps taken, the slots (vectors like θ), and scalars by name.

    A checkpoint holds these three and nothing else; `scratch` is temporary. An optimizer that
    `needs_closure` calls `closure`, which the training loop sets: it gives the loss at the present
    θ and overwrites the gradient. All calls of a step see the same random draws.
    """

    steps: int
    slots: dict[str, Array]
    scratch: Array
    numbers: dict[str, float] = field(default_factory=dict)
    closure: Callable[[], float] | None = None


@dataclass(frozen=True)
class Optimizer:
    """θ ← θ − η · direction.

    A batch of a `full_batch` optimizer is the whole training set. One that `needs_closure`
    computes several gradients in a step; with `line_search` their losses may be large or not
    finite, and the gradient must not be clipped.
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
        """The state before the first step: slots of θ's shape, all zero."""
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
        """Update `theta` in place; weight decay applies to its `decay_slices`.

        May overwrite `gradient`.
        """
        raise NotImplementedError
