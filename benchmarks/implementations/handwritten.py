"""Training steps written by hand in NumPy for one network.

No layers, no graph, no library: a flat vector θ, preallocated buffers, `out=` everywhere, and only
the work that the step needs. The overhead of a general engine is measured against this.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
from threadpoolctl import ThreadpoolController

from benchmarks.clean_process import THREADS
from benchmarks.implementations.base import VariantMakers
from benchmarks.tasks import LEARNING_RATE, Task, Weights, dense_pairs, initial_weights
from ldl.arrays import Array

LayerArrays = list[tuple[Array, Array]]  # w (I, O) and b (O,) of each layer
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def constant(value: float) -> Array:
    """A 0-d float32 array, which costs half as much as a Python float as an operand."""
    return np.array(value, np.float32)


def views(flat: Array, task: Task) -> LayerArrays:
    """Views of the flat vector: w (I, O) and b (O,) of each layer."""
    layer_arrays, at = [], 0
    for inputs, outputs in dense_pairs(task):
        end = at + inputs * outputs
        w, b = flat[at:end].reshape(inputs, outputs), flat[end : end + outputs]
        layer_arrays.append((w, b))
        at = end + outputs
    return layer_arrays


class HandWritten:
    """The training of one network: θ and its gradient, one buffer per layer, and scratch."""

    def __init__(self, task: Task, threads: int) -> None:
        size = sum((i + 1) * o for i, o in dense_pairs(task))
        self.task, self.threads, self.pools = task, threads, ThreadpoolController()
        self.is_relu = task.layers[1][0] == "relu"
        self.data, self.targets = task.data()
        self.theta, self.grad = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.weights, self.grads = views(self.theta, task), views(self.grad, task)
        first = initial_weights(task)
        for i, (w, b) in enumerate(self.weights):
            w[...], b[...] = first[f"{2 * i}.weight"], first[f"{2 * i}.bias"]
        self.rng = np.random.default_rng(2)
        self._make_buffers()
        self._make_loss()
        self._make_optimizer()

    def _make_buffers(self) -> None:
        """Activations, their gradients, and the operands of every layer in both directions."""
        batch = self.task.batch
        values = [np.zeros((batch, units), np.float32) for units in self.task.sizes]
        deltas = [np.zeros_like(v) for v in values]
        scratch = [np.zeros_like(v) for v in values]
        zeros = [np.zeros_like(v) for v in values]
        self.x, self.y, self.delta = values[0], values[-1], deltas[-1]
        pairs = zip(self.weights, self.grads, strict=True)
        self.layers = [
            (values[i], w, b, values[i + 1], zeros[i + 1]) for i, (w, b) in enumerate(self.weights)
        ]
        self.reverse = [
            (values[i], values[i].T, w.T, dw, db, deltas[i], deltas[i + 1], scratch[i])
            for i, ((w, _), (dw, db)) in enumerate(pairs)
        ][::-1]
        self.last = self.layers.pop()
        self.first = self.reverse.pop()
        self.ones = np.ones(batch, np.float32)
        self.one, self.zero = constant(1.0), constant(0.0)

    def _make_loss(self) -> None:
        batch, outputs = self.y.shape
        self.loss: Callable[[Array], float] = self.mse
        self.flat_delta = self.delta.reshape(-1)
        self.scale = constant(2.0 / self.y.size)
        if self.task.loss == "cross_entropy":
            self.loss = self.cross_entropy
            self.starts = np.arange(batch) * outputs
            self.at = np.zeros(batch, np.int64)
            self.labels = np.zeros(batch, np.int64)
            self.picked = np.zeros(batch, np.float32)
            self.row, self.total = np.zeros((2, batch, 1), np.float32)
            self.column, self.flat_y = self.row[:, 0], self.y.reshape(-1)
            self.scale = constant(1.0 / batch)

    def _make_optimizer(self) -> None:
        self.steps, self.rate = 0, constant(LEARNING_RATE)
        self.update: Callable[[], None] = self.sgd
        if self.task.optimizer == "adam":
            self.update = self.adam
            self.beta1, self.beta2 = constant(BETA1), constant(BETA2)
            self.mean, self.square, self.tmp = np.zeros((3, self.theta.size), np.float32)

    # --- the step ---------------------------------------------------------------------------

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        total, steps, batch = 0.0, 0, self.task.batch
        count = len(self.data)
        order = self.rng.permutation(count) if shuffle else np.arange(count)
        with self.pools.limit(limits=self.threads, user_api="blas"):
            for at in range(0, count, batch):
                total += self.forward_backward(order[at : at + batch])
                self.update()
                steps += 1
        return total / steps

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the samples `chosen`, without an update."""
        loss = self.forward_backward(np.resize(chosen, self.task.batch))  # repeats keep the mean
        named: Weights = {}
        for i, (dw, db) in enumerate(self.grads):
            named |= {f"{2 * i}.weight": dw.copy(), f"{2 * i}.bias": db.copy()}
        return loss, named

    def forward_backward(self, chosen: Array) -> float:
        """The loss on the samples `chosen`; their gradient is then in `grad`."""
        dot, add, multiply, subtract = np.dot, np.add, np.multiply, np.subtract
        relu = self.is_relu
        self.data.take(chosen, 0, self.x, "clip")
        for x, w, b, y, zeros in self.layers:
            dot(x, w, y)
            add(y, b, y)
            if relu:
                np.maximum(y, zeros, out=y)
            else:
                np.tanh(y, y)
        x, w, b, y, _ = self.last
        dot(x, w, y)
        add(y, b, y)
        loss = self.loss(chosen)
        ones, one, zero = self.ones, self.one, self.zero
        for x, x_t, w_t, dw, db, dx, dy, slope in self.reverse:
            dot(x_t, dy, dw)
            dot(ones, dy, db)
            dot(dy, w_t, dx)
            if relu:
                np.greater(x, zero, slope)
            else:
                multiply(x, x, slope)
                subtract(one, slope, slope)
            multiply(dx, slope, dx)
        _, x_t, _, dw, db, _, dy, _ = self.first
        dot(x_t, dy, dw)
        dot(ones, dy, db)
        return loss

    def mse(self, chosen: Array) -> float:
        """Mean of (y − x)² over all values; `delta` is its gradient."""
        flat = self.flat_delta
        np.subtract(self.y, self.x, self.delta)
        loss = float(np.dot(flat, flat)) / flat.size
        np.multiply(flat, self.scale, flat)
        return loss

    def cross_entropy(self, chosen: Array) -> float:
        """Mean of log Σ eʸ − y_t over the batch; `delta` is its gradient."""
        y, d, row, total, at, picked = (
            self.y, self.delta, self.row, self.total, self.at, self.picked,
        )  # fmt: skip
        self.targets.take(chosen, 0, self.labels, "clip")
        np.add(self.starts, self.labels, at)
        np.maximum.reduce(y, axis=1, keepdims=True, out=row)
        np.subtract(y, row, d)
        np.exp(d, d)
        np.add.reduce(d, axis=1, keepdims=True, out=total)
        np.divide(d, total, d)
        np.log(total, total)
        np.add(row, total, row)
        self.flat_y.take(at, 0, picked, "clip")
        loss = float(np.add.reduce(self.column) - np.add.reduce(picked)) / len(y)
        self.flat_delta.take(at, 0, picked, "clip")
        np.subtract(picked, self.one, picked)
        self.flat_delta.put(at, picked, "clip")
        np.multiply(d, self.scale, d)
        return loss

    def sgd(self) -> None:
        """θ ← θ − η g."""
        np.multiply(self.grad, self.rate, self.grad)
        np.subtract(self.theta, self.grad, self.theta)

    def adam(self) -> None:
        """Adam in nine passes: moments without their factors (1−β), ε scaled accordingly."""
        self.steps += 1
        grad, mean, square, tmp = self.grad, self.mean, self.square, self.tmp
        first = (1.0 - BETA1) / (1.0 - BETA1**self.steps)
        root = sqrt((1.0 - BETA2) / (1.0 - BETA2**self.steps))
        np.multiply(mean, self.beta1, mean)
        np.add(mean, grad, mean)
        np.multiply(square, self.beta2, square)
        np.multiply(grad, grad, grad)
        np.add(square, grad, square)
        np.sqrt(square, tmp)
        np.add(tmp, EPSILON / root, tmp)
        np.divide(mean, tmp, tmp)
        np.multiply(tmp, LEARNING_RATE * first / root, tmp)
        np.subtract(self.theta, tmp, self.theta)


def variants(task: Task) -> VariantMakers:
    """One or two threads for the products."""
    return {
        f"{threads} threads": lambda threads=threads: HandWritten(task, threads)  # type: ignore[misc]
        for threads in range(1, THREADS + 1)
    }
