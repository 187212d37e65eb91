"""scikit-learn: its multilayer perceptron, one `partial_fit` per epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from threadpoolctl import ThreadpoolController

from benchmarks.clean_process import THREADS
from benchmarks.implementations.base import VariantMakers
from benchmarks.tasks import LEARNING_RATE, Task, Weights, initial_weights
from ldl.arrays import Array


class Sklearn:
    """`MLPRegressor` or `MLPClassifier` on `threads` threads.

    The regressor's loss is half the mean squared error, and its gradient is that of the sum over a
    sample's values. The learning rate is scaled so that SGD steps are equal; Adam's steps do not
    depend on the scale.
    """

    def __init__(self, task: Task, threads: int) -> None:
        self.task, self.threads, self.pools = task, threads, ThreadpoolController()
        data, targets = task.data()
        self.data, self.targets = data, targets
        is_regression = task.loss == "mse"
        self.factor = 2.0 if is_regression else 1.0
        rate = LEARNING_RATE
        if is_regression and task.optimizer == "sgd":
            rate *= 2.0 / task.sizes[-1]
        kind = MLPRegressor if is_regression else MLPClassifier
        self.net: Any = kind(
            hidden_layer_sizes=task.sizes[1:-1], activation=task.layers[1][0],
            solver=task.optimizer, alpha=0.0, batch_size=task.batch, learning_rate_init=rate,
            momentum=0.0, nesterovs_momentum=False, random_state=2, shuffle=False,
        )  # fmt: skip
        self.extra = {} if is_regression else {"classes": np.arange(task.sizes[-1])}
        self.net.partial_fit(data[: task.batch], targets[: task.batch], **self.extra)
        self._restart()

    def _restart(self) -> None:
        """Reset the weights and moments, which the first step has created."""
        first, net = initial_weights(self.task), self.net
        for i, (w, b) in enumerate(zip(net.coefs_, net.intercepts_, strict=True)):
            w[...], b[...] = first[f"{2 * i}.weight"], first[f"{2 * i}.bias"]
        optimizer = net._optimizer
        for name in ("ms", "vs", "velocities"):
            for moment in getattr(optimizer, name, ()):
                moment[...] = 0.0
        optimizer.t = 0

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        self.net.shuffle = shuffle
        with self.pools.limit(limits=self.threads, user_api="blas"):
            self.net.partial_fit(self.data, self.targets)
        return float(self.net.loss_) * self.factor

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """The loss on the samples `chosen`; the gradient is checked by the losses of an epoch."""
        y = self.net.predict_proba if self.task.loss != "mse" else self.net.predict
        outputs = y(self.data[chosen]).astype(np.float64)
        if self.task.loss == "mse":
            return float(np.mean((outputs - self.targets[chosen]) ** 2)), None
        return float(-np.log(outputs[np.arange(len(chosen)), self.targets[chosen]]).mean()), None


def variants(task: Task) -> VariantMakers:
    """One or two threads for the products."""
    return {
        f"{threads} threads": lambda threads=threads: Sklearn(task, threads)  # type: ignore[misc]
        for threads in range(1, THREADS + 1)
    }
