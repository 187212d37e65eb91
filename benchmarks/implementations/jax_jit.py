"""JAX: the whole step compiled, called once per step or scanned over the epoch.

Data, weights and moments stay on the device and are donated, so that they are updated in place. The
order of an epoch is passed as indices.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.clean_process import THREADS
from benchmarks.implementations.base import VariantMakers
from benchmarks.implementations.jax_layers import Tree, apply
from benchmarks.tasks import LEARNING_RATE, Task, Weights, graph, initial_weights
from ldl.arrays import Array

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
Carry = tuple[Any, ...]  # weights, running statistics, moments, steps done


class Jit:
    """One call per step; the step number is part of the carry, so no new argument is passed."""

    def __init__(self, task: Task, threads: int) -> None:
        self.task = task
        data, targets = task.data()
        self.data = jnp.asarray(data)
        self.targets = None if task.loss == "mse" else jnp.asarray(targets)  # None: the inputs
        # Copies, because donated memory must not belong to NumPy.
        w = {name: jnp.array(array, copy=True) for name, array in initial_weights(task).items()}
        statistics = {
            name: jnp.array(array, copy=True) for name, array in graph(task).state.items()
        }
        moments = [jax.tree.map(jnp.zeros_like, w) for _ in range(2 * (task.optimizer == "adam"))]
        self.carry: Carry = (w, statistics, moments, jnp.int32(0))
        self.rng = np.random.default_rng(2)
        self.value_and_grad = jax.value_and_grad(self.loss, has_aux=True)
        options: Any = {"xla_cpu_multi_thread_eigen": threads > 1}
        jitted = jax.jit(self._whole(), donate_argnums=0, compiler_options=options)
        order = self.order(False)
        self.compiled = jitted.lower(self.carry, order, self.data, self.targets).compile()

    def _whole(self) -> Any:
        """The compiled function: the next step of the epoch."""

        def next_step(carry: Carry, order: Any, data: Any, targets: Any) -> Any:
            at = carry[-1] % self.task.batches
            chosen = lax.dynamic_index_in_dim(order, at, keepdims=False)
            x = data[chosen]
            return self.step(carry, x, x if targets is None else targets[chosen])

        return next_step

    def loss(self, w: Tree, statistics: Tree, x: Any, target: Any) -> tuple[Any, Tree]:
        """The mean loss of a batch, and the updated running statistics."""
        y, statistics = apply(self.task.layers, w, statistics, x)
        if self.task.loss == "mse":
            return jnp.mean((y - target) ** 2), statistics
        picked = jnp.take_along_axis(jax.nn.log_softmax(y), target[:, None], 1)
        return -picked.mean(), statistics

    def step(self, carry: Carry, x: Any, target: Any) -> tuple[Carry, Any]:
        """One update: the new carry and the loss."""
        w, statistics, moments, steps = carry
        (loss, statistics), gradient = self.value_and_grad(w, statistics, x, target)
        steps = steps + 1
        if not moments:
            w = jax.tree.map(lambda a, g: a - LEARNING_RATE * g, w, gradient)
            return (w, statistics, moments, steps), loss
        mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradient)
        square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradient)
        first, second = (1 - beta ** steps.astype(jnp.float32) for beta in (BETA1, BETA2))
        w = jax.tree.map(
            lambda a, m, v: a - LEARNING_RATE * (m / first) / (jnp.sqrt(v / second) + EPSILON),
            w, mean, square,
        )  # fmt: skip
        return (w, statistics, [mean, square], steps), loss

    def order(self, shuffle: bool) -> Any:
        """An epoch's batches of indices, (batches, batch)."""
        count = len(self.data)
        order = self.rng.permutation(count) if shuffle else np.arange(count)
        return jnp.asarray(order.reshape(-1, self.task.batch).astype(np.int32))

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        order, losses = self.order(shuffle), []
        for _ in range(self.task.batches):
            self.carry, loss = self.compiled(self.carry, order, self.data, self.targets)
            losses.append(loss)
        return sum(map(float, losses)) / len(losses)

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the samples `chosen`, without an update."""
        x = self.data[chosen]
        target = x if self.targets is None else self.targets[chosen]
        (loss, _), gradient = jax.jit(self.value_and_grad)(*self.carry[:2], x, target)
        return float(loss), {name: np.asarray(array) for name, array in gradient.items()}


class Scan(Jit):
    """One call per epoch: the steps are a `lax.scan` over batches that are gathered before."""

    def _whole(self) -> Any:
        """The compiled function: an epoch."""

        def run(carry: Carry, order: Any, data: Any, targets: Any) -> Any:
            x = data[order]
            batches = (x, x if targets is None else targets[order])
            return lax.scan(lambda c, batch: self.step(c, *batch), carry, batches)

        return run

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        order = self.order(shuffle)
        self.carry, losses = self.compiled(self.carry, order, self.data, self.targets)
        return float(losses.mean())


def variants(task: Task) -> VariantMakers:
    """One or two threads."""
    return _with_threads(Jit, task)


def scanned(task: Task) -> VariantMakers:
    """One or two threads, with a scan per epoch."""
    return _with_threads(Scan, task)


def _with_threads(kind: type[Jit], task: Task) -> VariantMakers:
    return {
        f"{threads} threads": lambda threads=threads: kind(task, threads)  # type: ignore[misc]
        for threads in range(1, THREADS + 1)
    }
