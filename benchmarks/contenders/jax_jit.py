"""JAX's side: the whole step compiled, called once a step or scanned over the epoch.

Data, weights and moments stay on the device and are donated, so that they are updated in place;
the order of an epoch goes in as indices.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.clean import THREADS
from benchmarks.contenders.base import Variants
from benchmarks.contenders.jax_layers import Tree, apply
from benchmarks.tasks import LEARNING_RATE, Task, Weights, graph, start
from ldl.arrays import Array

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
Carry = tuple[Any, ...]  # weights, what is kept, moments, steps done


class Jit:
    """A call a step: the number of the step travels with the weights, so no argument is new."""

    def __init__(self, task: Task, threads: int) -> None:
        self.task = task
        data, targets = task.data()
        self.data = jnp.asarray(data)
        self.targets = None if task.loss == "mse" else jnp.asarray(targets)  # else: the inputs
        # Copies: what is donated must not be NumPy's memory.
        w = {name: jnp.array(array, copy=True) for name, array in start(task).items()}
        kept = {name: jnp.array(array, copy=True) for name, array in graph(task).state.items()}
        moments = [jax.tree.map(jnp.zeros_like, w) for _ in range(2 * (task.optimizer == "adam"))]
        self.carry: Carry = (w, kept, moments, jnp.int32(0))
        self.rng = np.random.default_rng(2)
        self.value_and_grad = jax.value_and_grad(self.loss, has_aux=True)
        options: Any = {"xla_cpu_multi_thread_eigen": threads > 1}
        jitted = jax.jit(self._whole(), donate_argnums=0, compiler_options=options)
        order = self.order(False)
        self.compiled = jitted.lower(self.carry, order, self.data, self.targets).compile()

    def _whole(self) -> Any:
        """What is compiled: the next step of an epoch's order."""

        def next_step(carry: Carry, order: Any, data: Any, targets: Any) -> Any:
            at = carry[-1] % self.task.batches
            chosen = lax.dynamic_index_in_dim(order, at, keepdims=False)
            x = data[chosen]
            return self.step(carry, x, x if targets is None else targets[chosen])

        return next_step

    def loss(self, w: Tree, kept: Tree, x: Any, target: Any) -> tuple[Any, Tree]:
        """The mean loss of a batch, and what is kept afterwards."""
        y, kept = apply(self.task.layers, w, kept, x)
        if self.task.loss == "mse":
            return jnp.mean((y - target) ** 2), kept
        picked = jnp.take_along_axis(jax.nn.log_softmax(y), target[:, None], 1)
        return -picked.mean(), kept

    def step(self, carry: Carry, x: Any, target: Any) -> tuple[Carry, Any]:
        """One update, and its loss."""
        w, kept, moments, steps = carry
        (loss, kept), gradient = self.value_and_grad(w, kept, x, target)
        steps = steps + 1
        if not moments:
            w = jax.tree.map(lambda a, g: a - LEARNING_RATE * g, w, gradient)
            return (w, kept, moments, steps), loss
        mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments[0], gradient)
        square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments[1], gradient)
        first, second = (1 - beta ** steps.astype(jnp.float32) for beta in (BETA1, BETA2))
        w = jax.tree.map(
            lambda a, m, v: a - LEARNING_RATE * (m / first) / (jnp.sqrt(v / second) + EPSILON),
            w, mean, square,
        )  # fmt: skip
        return (w, kept, [mean, square], steps), loss

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
        (loss, _), found = jax.jit(self.value_and_grad)(*self.carry[:2], x, target)
        return float(loss), {name: np.asarray(array) for name, array in found.items()}


class Scan(Jit):
    """A call an epoch: the steps are a `lax.scan`, all of whose batches are gathered before."""

    def _whole(self) -> Any:
        """What is compiled: an epoch."""

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


def variants(task: Task) -> Variants:
    """One or two threads."""
    return _with_threads(Jit, task)


def scanned(task: Task) -> Variants:
    """The same, scanned."""
    return _with_threads(Scan, task)


def _with_threads(kind: type[Jit], task: Task) -> Variants:
    return {
        f"{threads} threads": lambda threads=threads: kind(task, threads)  # type: ignore[misc]
        for threads in range(1, THREADS + 1)
    }
