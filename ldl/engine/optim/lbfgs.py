"""L-BFGS: a quasi-Newton method for problems small enough to take all samples at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.memory import aligned
from ldl.engine.optim.base import Optimizer, OptimizerState, Parts
from ldl.engine.optim.line_search import Point, strong_wolfe
from ldl.fields import Doc, Positive, Size


@dataclass(frozen=True)
class Lbfgs(Optimizer):
    """θ ← θ + α d,  d = −H g: H from the last changes s of θ and y of g, α by a line search.

    A step makes `max_iter` such moves over the whole training set, each with one evaluation of
    the loss or a few; `learning_rate` is the first α that is tried. `history_size` pairs s, y are
    kept. Source: Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980; Nocedal and
    Wright, Numerical Optimization, 2006, algorithm 7.4, with the strong Wolfe conditions. A pair
    whose sᵀy is not clearly positive is left out.
    """

    full_batch: ClassVar[bool] = True
    needs_closure: ClassVar[bool] = True
    learning_rate: Positive = 1.0
    max_iter: Size = 20
    history_size: Size = 10
    tolerance: Annotated[Positive, Doc("a step is over where no gradient is larger")] = 1e-7

    def start(self, theta: Array) -> OptimizerState:
        """Empty pairs, and scratch for the direction, θ and g before the move, and a product."""
        pairs = (self.history_size, theta.size)
        moments = {name: aligned(pairs, theta.dtype) for name in ("moves", "changes")}
        moments["products"] = aligned((self.history_size,), theta.dtype)
        return OptimizerState(0, moments, aligned((4, theta.size), theta.dtype), {"pairs": 0.0})

    def step(
        self,
        theta: Array,
        gradient: Array,
        memory: OptimizerState,
        learning_rate: float,
        decayed: Parts,
    ) -> None:
        """Move `theta`, as long as a line search finds a lower loss."""
        memory.steps += 1
        assert memory.evaluate is not None
        loss = memory.evaluate()
        for _ in range(self.max_iter):
            if not gradient.size or float(np.abs(gradient).max()) <= self.tolerance:
                return
            found = self._move(theta, gradient, memory, learning_rate, loss)
            if found is None:
                return
            loss = found

    def _move(
        self,
        theta: Array,
        gradient: Array,
        memory: OptimizerState,
        learning_rate: float,
        loss: float,
    ) -> float | None:
        """One line search along −H g; the loss there, or None where θ has to stay."""
        evaluate = memory.evaluate
        assert evaluate is not None
        direction, before, slopes, work = memory.tmp
        self._aim(gradient, memory)
        np.copyto(before, theta)
        np.copyto(slopes, gradient)
        at = 0.0

        def line(length: float) -> Point:
            nonlocal at
            at = length
            np.multiply(direction, length, work)
            np.add(before, work, theta)
            return Point(length, evaluate(), float(gradient.dot(direction)))

        trial = learning_rate
        if not memory.numbers["pairs"]:  # nothing is known of the scale yet: PyTorch's first step
            trial *= min(1.0, 1.0 / float(np.abs(gradient).sum()))
        start = Point(0.0, loss, float(gradient.dot(direction)))
        found = strong_wolfe(line, start, trial) if start.slope < 0.0 else None
        if found is None:
            np.copyto(theta, before)
            memory.numbers["pairs"] = 0.0  # the next step begins again with the gradient
            return None
        if found.at != at:
            line(found.at)
        np.subtract(theta, before, before)
        np.subtract(gradient, slopes, slopes)
        self._remember(memory)
        return found.loss

    def _aim(self, gradient: Array, memory: OptimizerState) -> None:
        """Overwrite the direction, −H g, by the two loops over the pairs."""
        direction, work = memory.tmp[0], memory.tmp[3]
        moves, changes = memory.moments["moves"], memory.moments["changes"]
        products = memory.moments["products"]
        shares = {}
        np.negative(gradient, direction)
        newest = list(self._kept(memory))
        for i in newest:
            shares[i] = float(moves[i].dot(direction)) / float(products[i])
            np.multiply(changes[i], shares[i], work)
            np.subtract(direction, work, direction)
        if newest:
            scale = float(products[newest[0]]) / float(changes[newest[0]].dot(changes[newest[0]]))
            np.multiply(direction, scale, direction)
        for i in reversed(newest):
            share = shares[i] - float(changes[i].dot(direction)) / float(products[i])
            np.multiply(moves[i], share, work)
            np.add(direction, work, direction)

    def _kept(self, memory: OptimizerState) -> Iterator[int]:
        """Rows of the pairs, the newest first."""
        count = int(memory.numbers["pairs"])
        for back in range(1, min(count, self.history_size) + 1):
            yield (count - back) % self.history_size

    def _remember(self, memory: OptimizerState) -> None:
        """Put the last move and change of the gradient in place of the oldest pair."""
        move, change = memory.tmp[1], memory.tmp[2]
        product, square = float(move.dot(change)), float(change.dot(change))
        if not product > float(np.finfo(move.dtype).eps) * square:
            return
        row = int(memory.numbers["pairs"]) % self.history_size
        np.copyto(memory.moments["moves"][row], move)
        np.copyto(memory.moments["changes"][row], change)
        memory.moments["products"][row] = product
        memory.numbers["pairs"] += 1.0
