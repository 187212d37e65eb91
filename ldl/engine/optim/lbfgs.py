"""L-BFGS: a quasi-Newton method for training sets small enough for one batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.memory import aligned
from ldl.engine.optim.base import Optimizer, OptimizerState, Slices
from ldl.engine.optim.line_search import Point, strong_wolfe
from ldl.fields import Doc, Positive, Size


@dataclass(frozen=True)
class Lbfgs(Optimizer):
    """θ ← θ + α d,  d = −H g: H from the last changes s of θ and y of g, α by a line search.

    A step makes up to `max_iter` such updates on the whole training set, each with one or a few
    evaluations of the loss; `learning_rate` is the first α of each line search. `history_size`
    pairs (s, y) are stored; a pair whose sᵀy is not clearly positive is skipped. All evaluations of
    a step see the same random draws, such as masks of dropout. Source: Nocedal, Updating
    Quasi-Newton Matrices with Limited Storage, 1980; Nocedal and Wright, Numerical Optimization,
    2006, algorithm 7.4, with the strong Wolfe conditions.
    """

    full_batch: ClassVar[bool] = True
    needs_closure: ClassVar[bool] = True
    line_search: ClassVar[bool] = True
    learning_rate: Positive = 1.0
    max_iter: Size = 20
    history_size: Size = 10
    tolerance: Annotated[Positive, Doc("largest absolute gradient at which a step ends")] = 1e-7

    def start(self, theta: Array) -> OptimizerState:
        """Empty pairs; scratch rows for the direction, θ and g before an update, and products."""
        pairs = (self.history_size, theta.size)
        slots = {name: aligned(pairs, theta.dtype) for name in ("moves", "changes")}
        slots["products"] = aligned((self.history_size,), theta.dtype)
        return OptimizerState(0, slots, aligned((4, theta.size), theta.dtype), {"pairs": 0.0})

    def step(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        decay_slices: Slices,
    ) -> None:
        """Update `theta` while a line search finds a lower loss, at most `max_iter` times."""
        state.steps += 1
        assert state.closure is not None
        loss = state.closure()
        for _ in range(self.max_iter):
            if not gradient.size or float(np.abs(gradient).max()) <= self.tolerance:
                return
            new_loss = self._search(theta, gradient, state, learning_rate, loss)
            if new_loss is None:
                return
            loss = new_loss

    def _search(
        self,
        theta: Array,
        gradient: Array,
        state: OptimizerState,
        learning_rate: float,
        loss: float,
    ) -> float | None:
        """One line search along −H g: the new loss, or None where θ does not change."""
        closure = state.closure
        assert closure is not None
        direction, start_theta, start_gradient, work = state.scratch
        self._compute_direction(gradient, state)
        np.copyto(start_theta, theta)
        np.copyto(start_gradient, gradient)
        current = 0.0

        def line(length: float) -> Point:
            nonlocal current
            current = length
            np.multiply(direction, length, work)
            np.add(start_theta, work, theta)
            return Point(length, closure(), float(gradient.dot(direction)))

        trial = learning_rate
        if not state.numbers["pairs"]:  # the scale of H is unknown: as the first step of PyTorch
            trial *= min(1.0, 1.0 / float(np.abs(gradient).sum()))
        start = Point(0.0, loss, float(gradient.dot(direction)))
        point = strong_wolfe(line, start, trial) if start.slope < 0.0 else None
        if point is None:
            np.copyto(theta, start_theta)
            state.numbers["pairs"] = 0.0  # the next direction is −g
            return None
        if point.step_length != current:
            line(point.step_length)
        np.subtract(theta, start_theta, start_theta)
        np.subtract(gradient, start_gradient, start_gradient)
        self._store_pair(state)
        return point.loss

    def _compute_direction(self, gradient: Array, state: OptimizerState) -> None:
        """Write the direction −H g to scratch, by the two-loop recursion over the pairs."""
        direction, work = state.scratch[0], state.scratch[3]
        moves, changes = state.slots["moves"], state.slots["changes"]
        products = state.slots["products"]
        factors = {}
        np.negative(gradient, direction)
        rows = list(self._pair_rows(state))
        for i in rows:
            factors[i] = float(moves[i].dot(direction)) / float(products[i])
            np.multiply(changes[i], factors[i], work)
            np.subtract(direction, work, direction)
        if rows:
            scale = float(products[rows[0]]) / float(changes[rows[0]].dot(changes[rows[0]]))
            np.multiply(direction, scale, direction)
        for i in reversed(rows):
            factor = factors[i] - float(changes[i].dot(direction)) / float(products[i])
            np.multiply(moves[i], factor, work)
            np.add(direction, work, direction)

    def _pair_rows(self, state: OptimizerState) -> Iterator[int]:
        """The rows of the stored pairs, newest first."""
        count = int(state.numbers["pairs"])
        for age in range(1, min(count, self.history_size) + 1):
            yield (count - age) % self.history_size

    def _store_pair(self, state: OptimizerState) -> None:
        """Replace the oldest pair by the last changes of θ and g, unless sᵀy is too small."""
        move, change = state.scratch[1], state.scratch[2]
        product, square = float(move.dot(change)), float(change.dot(change))
        if not product > float(np.finfo(move.dtype).eps) * square:
            return
        row = int(state.numbers["pairs"]) % self.history_size
        np.copyto(state.slots["moves"][row], move)
        np.copyto(state.slots["changes"][row], change)
        state.slots["products"][row] = product
        state.numbers["pairs"] += 1.0
