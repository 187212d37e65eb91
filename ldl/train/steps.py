"""An epoch of training steps on arrays in memory: the hot loop, and nothing around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from ldl.engine.binding import Binding
from ldl.engine.memory import Array
from ldl.engine.model import Model
from ldl.engine.optim import Memory, Optimizer
from ldl.engine.streams import stream
from ldl.errors import Diverged

ADVICE = "try a smaller learning_rate, inputs scaled to about 1, or another initialiser"


@dataclass
class Totals:
    """What an epoch has added up so far; sums over samples, norms over steps."""

    batch: int = 0
    samples: int = 0
    loss: float = 0.0
    norm: float = 0.0
    correct: int = 0


class Steps:
    """Training steps of a model on `feeds`, {graph input: (n, …)}.

    The order of epoch e is drawn from the seed and e, so an epoch begun again is the same. Give
    `judged`, the names of an output and of its class indices, to count right answers.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        feeds: Mapping[str, Array],
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        judged: tuple[str, str] | None = None,
    ) -> None:
        self.model, self.optimizer, self.seed, self.shuffle = model, optimizer, seed, shuffle
        self.feeds = {name: feeds[name] for name in model.graph.inputs}
        self.count = len(next(iter(self.feeds.values())))
        self.batch_size = min(batch_size, self.count)
        self.batches = -(-self.count // self.batch_size)
        self.memory: Memory = optimizer.start(model.parameters.theta)
        self._judged = judged
        self._kept = judged[:1] if judged else ()
        self._classes = np.empty(self.batch_size, np.int64)
        self._hits = np.empty(self.batch_size, bool)

    def epoch(
        self, number: int, totals: Totals, after_batch: Callable[[Totals], None] | None = None
    ) -> None:
        """Run the rest of epoch `number` (from 1), adding to `totals`.

        `after_batch` sees the totals after each step. Raises Diverged in the step in which a
        loss or a gradient stops being finite.
        """
        order = np.arange(self.count)
        if self.shuffle:
            order = stream(self.seed, "shuffle", number).permutation(self.count)
        parameters, rate = self.model.parameters, self.optimizer.learning_rate
        theta, gradient, decayed = parameters.theta, parameters.gradient, parameters.decayed
        step, memory = self.optimizer.step, self.memory
        with np.errstate(all="ignore"):
            for start in range(totals.batch * self.batch_size, self.count, self.batch_size):
                chosen = order[start : start + self.batch_size]
                binding = self.model.training(len(chosen), self._kept)
                for name, array in binding.inputs.items():
                    self.feeds[name].take(chosen, 0, array, "clip")
                binding.forward()
                loss = binding.loss()
                binding.backward()
                norm = sqrt(float(np.dot(gradient, gradient)))
                if not (isfinite(loss) and isfinite(norm)):
                    raise Diverged(self._diagnosis(loss, number, totals.batch + 1))
                step(theta, gradient, memory, rate, decayed)
                totals.batch += 1
                totals.samples += len(chosen)
                totals.loss += loss * len(chosen)
                totals.norm += norm
                if self._judged:
                    totals.correct += self._correct(binding, *self._judged)
                if after_batch is not None:
                    after_batch(totals)

    def _correct(self, binding: Binding, output: str, labels: str) -> int:
        """How many outputs of the batch give the right class, without new memory."""
        values, truth = binding.values[output], binding.inputs[labels]
        classes, hits = self._classes[: len(values)], self._hits[: len(values)]
        if values.shape[1] == 1:
            np.greater(values[:, 0], 0.5, hits)
            np.equal(hits, truth, hits)
        else:
            values.argmax(axis=1, out=classes)
            np.equal(classes, truth, hits)
        return int(np.count_nonzero(hits))

    def _diagnosis(self, loss: float, epoch: int, batch: int) -> str:
        """Which number went wrong first, and what helps."""
        where = f"epoch {epoch}, batch {batch}"
        if not isfinite(loss):
            return f"the loss became {loss} in {where}: {ADVICE}"
        names = [n for n, g in self.model.parameters.gradients.items() if not np.isfinite(g).all()]
        what = f"the gradient of {names[0]}" if names else "the gradient's norm"
        return f"{what} stopped being finite in {where}: {ADVICE}"
