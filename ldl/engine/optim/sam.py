"""Sharpness-aware minimisation (SAM) with an inner optimizer."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.memory import aligned
from ldl.engine.optim.base import Optimizer, OptimizerState, Slices
from ldl.engine.optim.descent import Sgd
from ldl.errors import SettingError
from ldl.fields import Choice, Doc, Positive


@dataclass
class SamState(OptimizerState):
    """The state of the inner optimizer, and a copy of θ during a step."""

    inner: OptimizerState = field(kw_only=True)
    theta: Array = field(kw_only=True)


@dataclass(frozen=True)
class Sam(Optimizer):
    """ε = ρ · g / ‖g‖₂,  g′ = ∂L/∂θ at θ + ε;  then a step of `optimizer` from θ with g′.

    Each step computes two gradients, on the same batch with the same random draws. The learning
    rate is that of the inner optimizer. Source: Foret et al., Sharpness-Aware Minimization for
    Efficiently Improving Generalization, 2021, algorithm 1 with p = 2.
    """

    needs_closure: ClassVar[bool] = True
    learning_rate: Positive = field(init=False)
    rho: Annotated[Positive, Doc("length of the step ε towards a higher loss")] = 0.05
    optimizer: Annotated[Any, Choice("optimizer"), Doc("inner optimizer of the step")] = Sgd()

    def __post_init__(self) -> None:
        """Take the inner learning rate. Raises SettingError for incompatible optimizers."""
        if self.optimizer.needs_closure or self.optimizer.full_batch:
            raise SettingError("optimizer", "has to compute one gradient a step, on a batch")
        object.__setattr__(self, "learning_rate", self.optimizer.learning_rate)

    def start(self, theta: Array) -> SamState:
        """The state of the inner optimizer, and memory for a copy of θ."""
        inner = self.optimizer.start(theta)
        copy = aligned(theta.shape, theta.dtype)
        return SamState(0, inner.slots, inner.scratch, inner.numbers, inner=inner, theta=copy)

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta`."""
        assert isinstance(state, SamState) and state.closure is not None
        inner, scratch = state.inner, state.scratch
        norm = sqrt(gradient.dot(gradient))
        np.copyto(state.theta, theta)
        np.multiply(gradient, self.rho / norm if norm else 0.0, scratch)
        np.add(theta, scratch, theta)
        state.closure()
        np.copyto(theta, state.theta)
        inner.steps, inner.numbers = state.steps, state.numbers
        self.optimizer.step(theta, gradient, inner, learning_rate, decay_slices)
        state.steps = inner.steps
