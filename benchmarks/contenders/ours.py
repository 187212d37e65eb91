"""The engine's side: a graph as a configuration would build it, trained by the trainer's loop."""

from __future__ import annotations

import time

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.clean import THREADS
from benchmarks.contenders.base import Variants
from benchmarks.tasks import LEARNING_RATE, Task, Weights, graph, start
from ldl.arrays import Array
from ldl.compile.parallelism import choose_parallelism
from ldl.engine.model import Model
from ldl.engine.optim import Adam, Sgd
from ldl.train.loop import EpochMetrics, TrainLoop
from ldl.train.trainer import PROGRESS_INTERVAL


class Trainer:
    """`TrainLoop` of `ldl train`: with all that it looks at and adds up, nothing shown."""

    def __init__(self, task: Task) -> None:
        self.task, network = task, graph(task)
        division = choose_parallelism(network, task.batch)
        self.blas_threads = division.blas_threads or THREADS
        self.model = Model(network, threads=division.parts)
        self.model.parameters.load({**start(task), **self.model.parameters.state})
        data, targets = task.data()
        self.optimizer = Sgd(LEARNING_RATE) if task.optimizer == "sgd" else Adam(LEARNING_RATE)
        arrays = {"x": data, "target": targets}
        judged = None if task.loss == "mse" else (network.nodes[-1].name, "target")
        self.loop = TrainLoop(
            self.model, self.optimizer, arrays, task.batch, seed=2, accuracy_of=judged
        )
        self.shown = 0.0
        self.epochs = 0
        # As `ldl train` does, for the whole process.
        threadpool_limits(self.blas_threads, user_api="blas")

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        self.epochs += 1
        self.loop.shuffle = shuffle
        totals = EpochMetrics()
        self.loop.run_epoch(self.epochs, totals, self._after_batch)
        return totals.loss / totals.samples

    def _after_batch(self, totals: EpochMetrics) -> None:
        """Whether it is time to show how things go."""
        now = time.monotonic()
        if now - self.shown > PROGRESS_INTERVAL:
            self.shown = now

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the samples `chosen`, without an update."""
        binding = self.model.training_executor(len(chosen))
        for name, array in binding.inputs.items():
            self.loop.arrays[name].take(chosen, 0, array, "clip")
        binding.forward()
        binding.backward()
        found = self.model.parameters.gradients
        return binding.loss(), {name: array.copy() for name, array in found.items()}


class Engine(Trainer):
    """The engine alone: batch, forward, loss, backward and update, and nothing else."""

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        self.epochs += 1
        parameters, batch = self.model.parameters, self.task.batch
        memory = self.loop.optimizer_state
        order = np.arange(self.loop.samples)
        if shuffle:
            order = np.random.default_rng(self.epochs).permutation(self.loop.samples)
        theta, gradient, decayed = parameters.theta, parameters.gradient, parameters.decay_slices
        total = 0.0
        for at in range(0, len(order), batch):
            chosen = order[at : at + batch]
            binding = self.model.training_executor(len(chosen))
            for name, array in binding.inputs.items():
                self.loop.arrays[name].take(chosen, 0, array, "clip")
            binding.forward()
            total += binding.loss()
            binding.backward()
            self.optimizer.step(theta, gradient, memory, LEARNING_RATE, decayed)
        return total / self.task.batches


def variants(task: Task) -> Variants:
    """The loop of `ldl train`."""
    return {"": lambda: Trainer(task)}


def bare(task: Task) -> Variants:
    """The engine without it."""
    return {"": lambda: Engine(task)}
