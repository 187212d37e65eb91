"""ldl: the graph of a configuration, trained by the training loop, or by the engine alone."""

from __future__ import annotations

import time

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.clean_process import THREADS
from benchmarks.implementations.base import VariantMakers
from benchmarks.tasks import LEARNING_RATE, Task, Weights, graph, initial_weights
from ldl.arrays import Array
from ldl.compile.parallelism import choose_parallelism
from ldl.engine.model import Model
from ldl.engine.optim import Adam, Sgd
from ldl.train.loop import EpochMetrics, TrainLoop
from ldl.train.trainer import PROGRESS_INTERVAL


class LdlTrainLoop:
    """`TrainLoop` as in `ldl train`, with its metrics and checks, without a display."""

    def __init__(self, task: Task) -> None:
        self.task, network = task, graph(task)
        parallelism = choose_parallelism(network, task.batch)
        self.blas_threads = parallelism.blas_threads or THREADS
        self.model = Model(network, threads=parallelism.shards)
        self.model.parameters.load({**initial_weights(task), **self.model.parameters.state})
        data, targets = task.data()
        self.optimizer = Sgd(LEARNING_RATE) if task.optimizer == "sgd" else Adam(LEARNING_RATE)
        arrays = {"x": data, "target": targets}
        accuracy_of = None if task.loss == "mse" else (network.nodes[-1].name, "target")
        self.loop = TrainLoop(
            self.model, self.optimizer, arrays, task.batch, seed=2, accuracy_of=accuracy_of
        )
        self.last_progress = 0.0
        self.epochs = 0
        # `ldl train` sets the threads for the whole process too.
        threadpool_limits(self.blas_threads, user_api="blas")

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        self.epochs += 1
        self.loop.shuffle = shuffle
        totals = EpochMetrics()
        self.loop.run_epoch(self.epochs, totals, self._after_batch)
        return totals.loss / totals.samples

    def _after_batch(self, totals: EpochMetrics) -> None:
        """Check whether progress is due, as the trainer does."""
        now = time.monotonic()
        if now - self.last_progress > PROGRESS_INTERVAL:
            self.last_progress = now

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the samples `chosen`, without an update."""
        executor = self.model.training_executor(len(chosen))
        for name, array in executor.inputs.items():
            self.loop.arrays[name].take(chosen, 0, array, "clip")
        executor.forward()
        executor.backward()
        gradients = self.model.parameters.gradients
        return executor.loss(), {name: array.copy() for name, array in gradients.items()}


class EngineOnly(LdlTrainLoop):
    """The engine alone: batch, forward, loss, backward and update."""

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        self.epochs += 1
        parameters, batch = self.model.parameters, self.task.batch
        state = self.loop.optimizer_state
        order = np.arange(self.loop.samples)
        if shuffle:
            order = np.random.default_rng(self.epochs).permutation(self.loop.samples)
        theta, gradient = parameters.theta, parameters.gradient
        total = 0.0
        for at in range(0, len(order), batch):
            chosen = order[at : at + batch]
            executor = self.model.training_executor(len(chosen))
            for name, array in executor.inputs.items():
                self.loop.arrays[name].take(chosen, 0, array, "clip")
            executor.forward()
            total += executor.loss()
            executor.backward()
            self.optimizer.step(theta, gradient, state, LEARNING_RATE, parameters.decay_slices)
        return total / self.task.batches


def variants(task: Task) -> VariantMakers:
    """The loop of `ldl train`."""
    return {"": lambda: LdlTrainLoop(task)}


def engine_only(task: Task) -> VariantMakers:
    """The engine without the training loop."""
    return {"": lambda: EngineOnly(task)}
