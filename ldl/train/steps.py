"""An epoch of training steps on arrays in memory: the hot loop, and nothing around it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from math import isfinite, sqrt
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.data import AugmentedBatches, prefetch
from ldl.engine.data_parallel import DataParallelExecutor
from ldl.engine.executor import Executor
from ldl.engine.model import Model
from ldl.engine.optim import Optimizer, OptimizerState
from ldl.engine.outer_product import outer_product_nodes
from ldl.engine.schedules import Clock, State
from ldl.engine.streams import stream
from ldl.errors import Diverged
from ldl.train.rules import Rules

Batch = tuple[Array, Mapping[str, Array]]  # the samples' numbers, and the arrays that are made
NOTHING: Mapping[str, Array] = {}
PLAIN = Rules()
ADVICE = "try a smaller learning_rate, inputs scaled to about 1, or another initialiser"


@dataclass
class Totals:
    """What an epoch has added up so far; sums over samples, norms over steps.

    `terms` are the shares of several losses in the loss; they are added up if there are any.
    """

    batch: int = 0
    samples: int = 0
    loss: float = 0.0
    norm: float = 0.0
    correct: int = 0
    terms: list[float] = field(default_factory=list)


class Steps:
    """Training steps of a model on `arrays`, {graph input: (n, …)}.

    The order of epoch e is drawn from the seed and e, so an epoch begun again is the same. Give
    `judged`, the names of an output and of its class indices, to count right answers. What
    `augmented` gives stands in for the arrays of the same names, made while a step computes.
    Frozen weights of the model stay as they are. With `outer_products`, a batch of one moves linear
    layers without writing their gradient, where nothing else looks at that.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        arrays: Mapping[str, Array],
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        judged: tuple[str, str] | None = None,
        augmented: AugmentedBatches | None = None,
        rules: Rules = PLAIN,
        outer_products: bool = True,
    ) -> None:
        self.model, self.optimizer, self.seed, self.shuffle = model, optimizer, seed, shuffle
        self.arrays = {name: arrays[name] for name in model.graph.inputs}
        self.count = len(next(iter(self.arrays.values())))
        self._augmented = augmented
        made = augmented.inputs if augmented else ()
        self._taken = {name: array for name, array in self.arrays.items() if name not in made}
        self.batch_size = min(batch_size, self.count)
        self.batches = -(-self.count // self.batch_size)
        moving = model.parameters.trainable_size
        self.theta = model.parameters.theta[:moving]
        self.gradient = model.parameters.gradient[:moving]
        self.memory: OptimizerState = optimizer.start(self.theta)
        self.rules, self._clock = rules, Clock(self.batches, self.batches * rules.epochs)
        self.schedule_state: State = rules.schedule.start() if rules.schedule else {}
        self._scratch = np.empty_like(self.theta) if rules.penalty else None
        alone = outer_products and self.batch_size == 1 and optimizer.is_vanilla_sgd
        alone = alone and not model.parameters.frozen
        changed = rules.penalty is not None or rules.clipping is not None
        self._rank_one = outer_product_nodes(model.graph) if alone and not changed else frozenset()
        self._ger = _ger(self.theta) if self._rank_one else None
        self._judged = judged
        self._kept = judged[:1] if judged else ()
        self._classes = np.empty(self.batch_size, np.int64)
        self._hits = np.empty(self.batch_size, bool)
        self._boundary = model.graph.losses[0].layer.decision_threshold if judged else 0.0

    def epoch(
        self, number: int, totals: Totals, after_batch: Callable[[Totals], None] | None = None
    ) -> None:
        """Run the rest of epoch `number` (from 1), adding to `totals`.

        `after_batch` sees the totals after each step. Raises Diverged in the step in which a
        loss or a gradient stops being finite.
        """
        optimizer, rules, rate = self.optimizer, self.rules, self.optimizer.learning_rate
        theta, gradient, decayed = self.theta, self.gradient, self.model.parameters.decay_slices
        step, memory, searches = optimizer.step, self.memory, optimizer.needs_closure
        schedule, clipping = rules.schedule, rules.clipping
        size = 0
        with np.errstate(all="ignore"), closing(self._batches(number, totals.batch)) as batches:
            for chosen, made in batches:
                if len(chosen) != size:  # the first batch, and a smaller last one
                    size = len(chosen)
                    binding = self.model.training_executor(size, self._kept, self._rank_one)
                    layers = binding.outer_products
                    takes = [(array.take, binding.inputs[n]) for n, array in self._taken.items()]
                for take, place in takes:
                    take(chosen, 0, place, "clip")
                for name, values in made.items():
                    np.copyto(binding.inputs[name], values)
                binding.forward_backward()
                loss = binding.loss()
                if rules.penalty is not None:
                    self._penalise()
                if layers:
                    norm = sqrt(sum([layer.square() for layer in layers]))
                else:
                    norm = sqrt(gradient.dot(gradient))
                if not (isfinite(loss) and isfinite(norm)):
                    raise Diverged(self._diagnosis(binding, loss, number, totals.batch + 1))
                if self._judged:
                    totals.correct += self._correct(binding, *self._judged)
                if clipping is not None:
                    clipping.apply(gradient, norm)
                if schedule is not None:
                    rate = self.rate((number - 1) * self.batches + totals.batch)
                if searches:
                    memory.evaluate = partial(self._evaluate, binding)
                if layers:
                    memory.steps += 1
                    for layer in layers:
                        layer.move(self._ger, rate)
                else:
                    step(theta, gradient, memory, rate, decayed)
                totals.batch += 1
                totals.samples += size
                totals.loss += loss * size
                if totals.terms:
                    terms = zip(totals.terms, binding.losses(), strict=True)
                    totals.terms = [total + term * size for total, term in terms]
                totals.norm += norm
                if after_batch is not None:
                    after_batch(totals)

    def rate(self, step: int) -> float:
        """The learning rate of a step of the whole training, counted from 0."""
        top, schedule = self.optimizer.learning_rate, self.rules.schedule
        if schedule is None:
            return top
        return schedule.rate(top, step, self._clock, self.schedule_state)

    def last_rate(self, number: int) -> float:
        """The learning rate of the last step of epoch `number` (from 1)."""
        return self.rate(number * self.batches - 1)

    def see(self, loss: float) -> None:
        """Tell the schedule the loss of the epoch that has ended."""
        if self.rules.schedule is not None:
            self.rules.schedule.see(loss, self.optimizer.learning_rate, self.schedule_state)

    def _penalise(self) -> None:
        """Add the penalty's gradient."""
        penalty, scratch = self.rules.penalty, self._scratch
        assert penalty is not None and scratch is not None
        decayed = self.model.parameters.decay_slices
        penalty.add_gradient(self.theta, self.gradient, decayed, scratch)

    def _evaluate(self, binding: Executor | DataParallelExecutor) -> float:
        """The loss and penalty at θ as it stands, on the batch at hand; overwrites the gradient."""
        binding.forward_backward()
        loss = binding.loss()
        penalty = self.rules.penalty
        if penalty is None:
            return loss
        self._penalise()
        return loss + penalty.value(self.theta, self.model.parameters.decay_slices)

    def _batches(self, number: int, first: int) -> Generator[Batch, None, None]:
        """The batches of epoch `number` from the one with index `first` on."""
        order = np.arange(self.count)
        if self.shuffle:
            order = stream(self.seed, "shuffle", number).permutation(self.count)
        starts = range(first * self.batch_size, self.count, self.batch_size)
        rows = (order[start : start + self.batch_size] for start in starts)
        augmented = self._augmented
        if augmented is None:
            return ((chosen, NOTHING) for chosen in rows)
        augmented.start(number)
        return prefetch((chosen, augmented.batch(chosen)) for chosen in rows)

    def _correct(self, binding: Executor | DataParallelExecutor, output: str, labels: str) -> int:
        """How many outputs of the batch give the right class, without new memory."""
        values, truth = binding.values[output], binding.inputs[labels]
        classes, hits = self._classes[: len(values)], self._hits[: len(values)]
        if values.shape[1] == 1:
            np.greater(values[:, 0], self._boundary, hits)
            np.equal(hits, truth, hits)
        else:
            values.argmax(axis=1, out=classes)
            np.equal(classes, truth, hits)
        return int(np.count_nonzero(hits))

    def _diagnosis(
        self, binding: Executor | DataParallelExecutor, loss: float, epoch: int, batch: int
    ) -> str:
        """Which number went wrong first, and what helps."""
        where = f"epoch {epoch}, batch {batch}"
        if not isfinite(loss):
            return f"the loss became {loss} in {where}: {ADVICE}"
        names = [n for n, g in self.model.parameters.gradients.items() if not np.isfinite(g).all()]
        names += [f"{each.name}.weight" for each in binding.outer_products if not each.finite]
        what = f"the gradient of {names[0]}" if names else "the gradient's norm"
        return f"{what} stopped being finite in {where}: {ADVICE}"


def _ger(theta: Array) -> Any:
    """BLAS's a·x·yᵀ + A, in SciPy's wrapping: NumPy has none."""
    from scipy.linalg.blas import get_blas_funcs

    return get_blas_funcs("ger", dtype=theta.dtype)
