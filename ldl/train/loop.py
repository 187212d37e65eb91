"""The training loop: epochs of optimizer steps on arrays in memory, without checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from math import isfinite, sqrt
from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.compile.experiment_config import Config
from ldl.data import AugmentedBatches, prefetch
from ldl.engine.accumulation import AccumulatingExecutor
from ldl.engine.averaging import WeightAverage
from ldl.engine.data_parallel import DataParallelExecutor
from ldl.engine.executor import Executor
from ldl.engine.model import Model, batches
from ldl.engine.optim import Optimizer, OptimizerState
from ldl.engine.penalty import Clipping, Penalty
from ldl.engine.schedules import Schedule, ScheduleState, StepCount
from ldl.engine.streams import stream
from ldl.errors import Diverged

TrainingExecutor = Executor | DataParallelExecutor | AccumulatingExecutor
Batch = tuple[Array, Mapping[str, Array]]  # sample indices (b,), and the augmented inputs (b, …)
NO_ARRAYS: Mapping[str, Array] = {}
DIVERGENCE_HINT = "try a smaller learning_rate, inputs scaled to about 1, or another initialiser"


@dataclass(frozen=True)
class TrainOptions:
    """What a step depends on besides the optimizer: schedule, penalty and clipping, None if absent.

    `epochs` is the length of the whole training, which some schedules depend on. With `decay_all`
    weight decay and penalties apply to every weight, biases included. Each batch is computed in
    `accumulation_steps` pieces. `average` averages weights.
    """

    epochs: int = 1
    schedule: Schedule | None = None
    penalty: Penalty | None = None
    clipping: Clipping | None = None
    decay_all: bool = False
    accumulation_steps: int = 1
    average: WeightAverage | None = None


DEFAULT_OPTIONS = TrainOptions()


def train_options(config: Config) -> TrainOptions:
    """The options that a configuration sets."""
    train = config.train
    penalty = Penalty(train.l1, train.l2)
    clipping = Clipping(train.clip_norm, train.clip_value)
    return TrainOptions(
        epochs=train.epochs,
        schedule=config.schedule,
        penalty=penalty if penalty != Penalty() else None,
        clipping=clipping if clipping != Clipping() else None,
        decay_all=train.decay == "all",
        accumulation_steps=train.accumulation_steps,
        average=train.average,
    )


@dataclass
class EpochMetrics:
    """Running sums of an epoch: over samples, `norm` (of the gradient) over steps.

    `batch` and `samples` count those that are finished, `correct` the right predictions; `terms`
    are the weighted losses of a network with several, empty otherwise.
    """

    batch: int = 0
    samples: int = 0
    loss: float = 0.0
    norm: float = 0.0
    correct: int = 0
    terms: list[float] = field(default_factory=list)


class TrainLoop:
    """Training steps of a model on `arrays`, {graph input: (n, …)}.

    The order of the samples in epoch e is drawn from the seed and e, so an epoch that is started
    again is the same. `accuracy_of` names an output and its class indices, of which correct
    predictions are counted. `augmented` gives new values of some inputs for every batch, computed
    in another thread during a step. Frozen weights of the model do not change. With
    `outer_products`, a batch of one sample updates linear layers without writing their gradient,
    unless the optimizer, a penalty or clipping reads it.
    """

    def __init__(
        self,
        model: Model,
        optimizer: Optimizer,
        arrays: Mapping[str, Array],
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        accuracy_of: tuple[str, str] | None = None,
        augmented: AugmentedBatches | None = None,
        options: TrainOptions = DEFAULT_OPTIONS,
        outer_products: bool = True,
    ) -> None:
        self.model, self.optimizer, self.seed, self.shuffle = model, optimizer, seed, shuffle
        self.arrays = {name: arrays[name] for name in model.graph.inputs}
        self.samples = len(next(iter(self.arrays.values())))
        self._augmented = augmented
        replaced = augmented.inputs if augmented else ()
        self._unaugmented = {name: x for name, x in self.arrays.items() if name not in replaced}
        self._piece = min(batch_size, self.samples)  # samples that are computed at once
        self.batch_size = min(batch_size * options.accumulation_steps, self.samples)
        self.batches = -(-self.samples // self.batch_size)
        trainable = model.parameters.trainable_size
        self.theta = model.parameters.theta[:trainable]
        self.gradient = model.parameters.gradient[:trainable]
        everything = (slice(0, trainable),)
        self._decay_slices = everything if options.decay_all else model.parameters.decay_slices
        self.optimizer_state: OptimizerState = optimizer.start(self.theta)
        self.options, self._count = options, StepCount(self.batches, self.batches * options.epochs)
        self.schedule_state: ScheduleState = options.schedule.start() if options.schedule else {}
        self.average = np.zeros_like(self.theta) if options.average else None
        self.average_count = 0
        self._scratch = np.empty_like(self.theta if options.penalty or options.average else [])
        reads_gradient = options.penalty is not None or options.clipping is not None
        self._outer_products = (
            outer_products
            and self.batch_size == 1
            and optimizer.is_vanilla_sgd
            and not model.parameters.frozen
            and not reads_gradient
        )
        self._ger = _ger(self.theta) if self._outer_products else None
        self._random_nodes = [n.name for n in model.graph.order if not n.layer.data_parallel]
        self._accuracy_of = accuracy_of
        self._readable_outputs = accuracy_of[:1] if accuracy_of else ()
        self._accumulating: dict[int, AccumulatingExecutor] = {}
        self._classes = np.empty(self.batch_size, np.int64)
        self._hits = np.empty(self.batch_size, bool)
        self._threshold = model.graph.losses[0].layer.decision_threshold if accuracy_of else 0.0

    def run_epoch(
        self,
        epoch: int,
        metrics: EpochMetrics,
        after_batch: Callable[[EpochMetrics], None] | None = None,
    ) -> None:
        """Train on the batches of `epoch` (from 1) after the first `metrics.batch` ones.

        Adds each step to `metrics`, then calls `after_batch` with them. Raises Diverged in the step
        in which a loss or a gradient stops being finite.
        """
        optimizer, options, rate = self.optimizer, self.options, self.optimizer.learning_rate
        theta, gradient = self.theta, self.gradient
        decay_slices = self._decay_slices
        step, state, needs_closure = optimizer.step, self.optimizer_state, optimizer.needs_closure
        schedule, clipping, average = options.schedule, options.clipping, options.average
        average_steps = average is not None and average.per_step
        size = 0
        with np.errstate(all="ignore"), closing(self._batches(epoch, metrics.batch)) as items:
            for indices, augmented in items:
                if len(indices) != size:  # the first batch, and a smaller last one
                    size = len(indices)
                    executor = self._executor(size)
                    updates = executor.outer_products
                    gathers = [(x.take, executor.inputs[n]) for n, x in self._unaugmented.items()]
                for take, out in gathers:
                    take(indices, 0, out, "clip")
                for name, values in augmented.items():
                    np.copyto(executor.inputs[name], values)
                if needs_closure:
                    state.closure = self._closure(executor, epoch, metrics.batch + 1)
                executor.forward_backward()
                loss = executor.loss()
                if options.penalty is not None:
                    self._add_penalty_gradient()
                if updates:
                    norm = sqrt(sum([update.squared_norm() for update in updates]))
                else:
                    norm = sqrt(gradient.dot(gradient))
                if not (isfinite(loss) and isfinite(norm)):
                    raise Diverged(
                        self._divergence_message(executor, loss, epoch, metrics.batch + 1)
                    )
                if self._accuracy_of:
                    metrics.correct += self._count_correct(executor, *self._accuracy_of)
                if metrics.terms:  # before the step, whose closure runs the executor again
                    terms = zip(metrics.terms, executor.losses(), strict=True)
                    metrics.terms = [total + term * size for total, term in terms]
                if clipping is not None:
                    clipping.apply(gradient, norm)
                if schedule is not None:
                    rate = self.learning_rate((epoch - 1) * self.batches + metrics.batch)
                if updates:
                    state.steps += 1
                    for update in updates:
                        update.apply(self._ger, rate)
                else:
                    step(theta, gradient, state, rate, decay_slices)
                if average_steps:
                    self._update_average()
                metrics.batch += 1
                metrics.samples += size
                metrics.loss += loss * size
                metrics.norm += norm
                if after_batch is not None:
                    after_batch(metrics)
        if average is not None and not average_steps and average.begins(epoch, options.epochs):
            self._update_average()

    def forward_batches(self, epoch: int, before: Callable[[], object]) -> Iterator[int]:
        """Run forward in training mode on each batch of `epoch` in pieces of the executor's size.

        Calls `before`, runs, and yields the number of samples.
        """
        with np.errstate(all="ignore"), closing(self._batches(epoch, 0)) as groups:
            for indices, augmented in groups:
                for start, stop in batches(len(indices), self._piece):
                    executor = self.model.training_executor(stop - start, self._readable_outputs)
                    for name, x in self._unaugmented.items():
                        x.take(indices[start:stop], 0, executor.inputs[name], "clip")
                    for name, values in augmented.items():
                        np.copyto(executor.inputs[name], values[start:stop])
                    before()
                    executor.forward()
                    yield stop - start

    def _update_average(self) -> None:
        average = self.options.average
        assert average is not None and self.average is not None
        average.update(self.average, self.theta, self.average_count, self._scratch)
        self.average_count += 1

    def _executor(self, samples: int) -> TrainingExecutor:
        if samples > self._piece:
            if samples not in self._accumulating:
                self._accumulating[samples] = AccumulatingExecutor(
                    self.model, samples, self._piece, self._readable_outputs
                )
            return self._accumulating[samples]
        return self.model.training_executor(samples, self._readable_outputs, self._outer_products)

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step of the whole training, counted from 0."""
        base, schedule = self.optimizer.learning_rate, self.options.schedule
        if schedule is None:
            return base
        return schedule.rate(base, step, self._count, self.schedule_state)

    def final_learning_rate(self, epoch: int) -> float:
        """The learning rate of the last step of `epoch` (from 1)."""
        return self.learning_rate(epoch * self.batches - 1)

    def update_schedule(self, loss: float) -> None:
        """Give the schedule the loss of the epoch that has ended."""
        schedule = self.options.schedule
        if schedule is not None:
            schedule.step(loss, self.optimizer.learning_rate, self.schedule_state)

    def _add_penalty_gradient(self) -> None:
        penalty, scratch = self.options.penalty, self._scratch
        assert penalty is not None
        penalty.add_gradient(self.theta, self.gradient, self._decay_slices, scratch)

    def _closure(self, executor: TrainingExecutor, epoch: int, batch: int) -> Callable[[], float]:
        """The loss and penalty of the batch at the current θ; each call overwrites the gradient.

        A call repeats the random draws of the step's first pass, so that all calls compute one
        function of θ. In a line search it updates running statistics as a step does. Else it
        leaves them unchanged, clips the gradient, and raises Diverged for a value that is not
        finite.
        """
        parameters, penalty = self.model.parameters, self.options.penalty
        line_search = self.optimizer.line_search
        streams = [parameters.streams[name] for name in self._random_nodes]
        draws = [rng.bit_generator.state for rng in streams]
        kept_state = {} if line_search else parameters.state

        def evaluate() -> float:
            for rng, start in zip(streams, draws, strict=True):
                rng.bit_generator.state = start
            state = {name: array.copy() for name, array in kept_state.items()}
            executor.forward_backward()
            for name, array in state.items():
                kept_state[name][...] = array
            loss = executor.loss()
            if penalty is not None:
                self._add_penalty_gradient()
                loss += penalty.value(self.theta, self._decay_slices)
            if not line_search:
                self._clip(executor, loss, epoch, batch)
            return loss

        return evaluate

    def _clip(self, executor: TrainingExecutor, loss: float, epoch: int, batch: int) -> None:
        """Clip the gradient. Raises Diverged where it or the loss is not finite."""
        norm = sqrt(self.gradient.dot(self.gradient))
        if not (isfinite(loss) and isfinite(norm)):
            raise Diverged(self._divergence_message(executor, loss, epoch, batch))
        if self.options.clipping is not None:
            self.options.clipping.apply(self.gradient, norm)

    def _batches(self, epoch: int, first: int) -> Generator[Batch, None, None]:
        """The batches of `epoch` (from 1), beginning with the one of index `first`."""
        order = np.arange(self.samples)
        if self.shuffle:
            order = stream(self.seed, "shuffle", epoch).permutation(self.samples)
        starts = range(first * self.batch_size, self.samples, self.batch_size)
        indices = (order[start : start + self.batch_size] for start in starts)
        augmented = self._augmented
        if augmented is None:
            return ((rows, NO_ARRAYS) for rows in indices)
        augmented.start(epoch)
        return prefetch((rows, augmented.batch(rows)) for rows in indices)

    def _count_correct(self, executor: TrainingExecutor, output: str, labels: str) -> int:
        """The number of outputs of the batch that give the right class; allocates nothing."""
        values, true = executor.values[output], executor.inputs[labels]
        classes, hits = self._classes[: len(values)], self._hits[: len(values)]
        if values.shape[1] == 1:
            np.greater(values[:, 0], self._threshold, hits)
            np.equal(hits, true, hits)
        else:
            values.argmax(axis=1, out=classes)
            np.equal(classes, true, hits)
        return int(np.count_nonzero(hits))

    def _divergence_message(
        self, executor: TrainingExecutor, loss: float, epoch: int, batch: int
    ) -> str:
        """The message of Diverged: the first value that is not finite, and a hint."""
        step = f"epoch {epoch}, batch {batch}"
        if not isfinite(loss):
            return f"the loss became {loss} in {step}: {DIVERGENCE_HINT}"
        names = [n for n, g in self.model.parameters.gradients.items() if not np.isfinite(g).all()]
        names += [update.name for update in executor.outer_products if not update.finite]
        gradient = f"the gradient of {names[0]}" if names else "the gradient's norm"
        return f"{gradient} stopped being finite in {step}: {DIVERGENCE_HINT}"


def _ger(theta: Array) -> Any:
    """BLAS's A ← α·x·yᵀ + A for the type of `theta`, from SciPy: NumPy does not offer it."""
    from scipy.linalg.blas import get_blas_funcs

    return get_blas_funcs("ger", dtype=theta.dtype)
