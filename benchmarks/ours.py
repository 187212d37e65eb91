"""The engine's side: a graph as a configuration would build it, trained by the trainer's loop."""

from __future__ import annotations

import numpy as np

from benchmarks.tasks import LEARNING_RATE, Task, Weights
from ldl.engine.graph import Graph, LossPlace, Place
from ldl.engine.layer import Spec
from ldl.engine.layers.activation import Relu, Tanh
from ldl.engine.layers.linear import Linear
from ldl.engine.losses import CrossEntropy, Mse
from ldl.engine.memory import Array
from ldl.engine.model import Model
from ldl.engine.optim import Adam, Sgd
from ldl.train.steps import Steps, Totals

TARGET = "target"


def network(task: Task) -> Graph:
    """The task's layers and loss; an autoencoder's target is its input, as `ldl.build` makes it."""
    places, value = [], "x"
    for i, units in enumerate(task.sizes[1:]):
        places.append(Place(f"linear{i}", Linear(units), (value,)))
        value = f"linear{i}"
        if i < len(task.sizes) - 2:
            layer = Tanh() if task.activation == "tanh" else Relu()
            places.append(Place(f"activation{i}", layer, (value,)))
            value = f"activation{i}"
    shape = (task.sizes[0],)
    dense = task.loss == "mse"
    if dense:
        return Graph({"x": Spec(shape)}, places, [LossPlace("loss", Mse(), (value, "x"))])
    inputs = {"x": Spec(shape), TARGET: Spec((), True)}
    return Graph(inputs, places, [LossPlace("loss", CrossEntropy(), (value, TARGET))])


class Trainer:
    """`Steps` of `ldl train`: with the gradient's norm, the check for NaN and the running sums."""

    def __init__(self, task: Task) -> None:
        self.task, self.model = task, Model(network(task))
        for i, (w, b) in enumerate(task.weights()):
            self.model.parameters.weights[f"linear{i}.weight"][...] = w
            self.model.parameters.weights[f"linear{i}.bias"][...] = b
        data, targets = task.data()
        self.optimizer = Sgd(LEARNING_RATE) if task.optimizer == "sgd" else Adam(LEARNING_RATE)
        feeds = {"x": data, TARGET: targets}
        self.steps = Steps(self.model, self.optimizer, feeds, task.batch, seed=2)
        self.epochs = 0

    def epoch(self) -> float:
        """Train once over the shuffled data; the mean of the losses of its steps."""
        self.epochs += 1
        totals = Totals()
        self.steps.epoch(self.epochs, totals)
        return totals.loss / totals.samples

    def gradient(self, chosen: Array) -> tuple[float, Weights]:
        """Loss and gradient (∂w, ∂b a layer) on the samples `chosen`, without an update."""
        binding = self.model.training(len(chosen))
        for name, array in binding.inputs.items():
            self.steps.feeds[name].take(chosen, 0, array, "clip")
        binding.forward()
        binding.backward()
        layers = range(len(self.task.sizes) - 1)
        grads = self.model.parameters.gradients
        return binding.loss(), [
            (grads[f"linear{i}.weight"], grads[f"linear{i}.bias"]) for i in layers
        ]


class Engine(Trainer):
    """The engine alone: batch, forward, loss, backward and update, and nothing else."""

    def epoch(self) -> float:
        """Train once over the shuffled data; the mean of the losses of its steps."""
        self.epochs += 1
        parameters, batch = self.model.parameters, self.task.batch
        order = np.random.default_rng(self.epochs).permutation(self.steps.count)
        total, steps = 0.0, 0
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            binding = self.model.training(len(chosen))
            for name, array in binding.inputs.items():
                self.steps.feeds[name].take(chosen, 0, array, "clip")
            binding.forward()
            total += binding.loss()
            binding.backward()
            self.optimizer.step(
                parameters.theta, parameters.gradient, self.steps.memory,
                LEARNING_RATE, parameters.decayed,
            )  # fmt: skip
            steps += 1
        return total / steps
