"""PyTorch compiled: the whole step as one graph where it can be traced, else the loss.

One graph of batch, forward, backward and update is about twice as fast on small networks as a
compiled loss with an eager backward and optimizer around it.
"""

from __future__ import annotations

from copy import deepcopy
from types import FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value
from torch.nn import functional

from benchmarks.clean_process import THREADS
from benchmarks.implementations.base import VariantMakers
from benchmarks.implementations.torch_eager import Batches, Eager
from benchmarks.implementations.torch_layers import network
from benchmarks.tasks import LEARNING_RATE, Task, Weights, multiply_adds
from ldl.arrays import Array

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
SMALL, LARGE = (
    3_000_000,
    300_000_000,
)  # multiply-adds per step: below, one thread is faster; above, all threads
Tensors = dict[str, Tensor]


class WholeStep:
    """A compiled step: batch, loss, gradients and the in-place update of all weights."""

    def __init__(self, task: Task, threads: int) -> None:
        torch.manual_seed(2)
        torch.set_num_threads(threads)
        self.task, self.batches = task, Batches(task, threads, False)
        self.torch_network = network(task)
        self.net = self.torch_network.net
        self.weights = {name: w.detach() for name, w in self.net.named_parameters()}
        self.buffers = dict(self.net.named_buffers())
        adam = task.optimizer == "adam"
        self.moments = [
            {name: torch.zeros_like(w) for name, w in self.weights.items()} for _ in range(2 * adam)
        ]
        self.steps = torch.zeros(())
        # A code object of its own, so that its compiled graphs are not mixed with other variants'.
        original = WholeStep._step
        step = FunctionType(original.__code__.replace(), original.__globals__).__get__(self)
        self.step = torch.compile(step, fullgraph=True, dynamic=False)
        self._compile()

    def _compile(self) -> None:
        """Run a step on copies, so that the weights do not change."""
        state = deepcopy((self.weights, self.moments, self.buffers, self.steps))
        with torch.no_grad():
            self.step(*state, self.batches.order(False)[0])

    def _loss(self, weights: Tensors, buffers: Tensors, x: Tensor, target: Tensor) -> Tensor:
        y = functional_call(self.net, {**weights, **buffers}, (x,))
        measure = functional.mse_loss if self.task.loss == "mse" else functional.cross_entropy
        loss: Tensor = measure(y, target)
        return loss

    def _step(
        self,
        weights: Tensors,
        moments: list[Tensors],
        buffers: Tensors,
        steps: Tensor,
        chosen: Tensor,
    ) -> Tensor:
        x, target = self.batches.batch_of(chosen)
        gradients, loss = grad_and_value(self._loss)(weights, buffers, x, target)
        if moments:
            self._adam(weights, gradients, moments, steps)
        else:
            for name, w in weights.items():
                w.sub_(gradients[name], alpha=LEARNING_RATE)
        value: Tensor = loss
        return value

    @staticmethod
    def _adam(weights: Tensors, gradients: Tensors, moments: list[Tensors], steps: Tensor) -> None:
        steps.add_(1.0)
        first, second = 1.0 - BETA1**steps, 1.0 - BETA2**steps
        for name, w in weights.items():
            gradient, mean, square = gradients[name], moments[0][name], moments[1][name]
            mean.lerp_(gradient, 1.0 - BETA1)
            square.mul_(BETA2).add_((1.0 - BETA2) * gradient * gradient)
            w.sub_(LEARNING_RATE * (mean / first) / ((square / second).sqrt() + EPSILON))

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        order, total = self.batches.order(shuffle), 0.0
        with torch.no_grad():
            for chosen in order:
                loss = self.step(self.weights, self.moments, self.buffers, self.steps, chosen)
                total += loss.item()
        return total / len(order)

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient, not compiled; the losses of an epoch check the compiled step."""
        x, target = self.batches.batch_of(torch.from_numpy(chosen))
        with torch.no_grad():
            buffers = {name: array.clone() for name, array in self.buffers.items()}
            gradients, loss = grad_and_value(self._loss)(self.weights, buffers, x, target)
        for name, parameter in self.net.named_parameters():
            parameter.grad = gradients[name]
        return float(loss.item()), self.torch_network.gradients()


class CompiledLoss(Eager):
    """The eager loop around a compiled network and loss, with the fused optimizer."""

    def __init__(self, task: Task, threads: int) -> None:
        super().__init__(task, threads, "fused", False)
        self.compiled: Any = torch.compile(self._loss, dynamic=False)
        self.compiled(*self.batches.batch_of(self.batches.order(False)[0])).backward()

    def _loss(self, x: Tensor, target: Tensor) -> Tensor:
        loss: Tensor = self.loss(self.net(x), target)
        return loss

    def _step(self, x: Tensor, target: Tensor) -> float:
        loss = self.compiled(x, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())


def variants(task: Task) -> VariantMakers:
    """Numbers of threads; the compiler selects the memory format and cannot trace an LSTM's loop.

    Each number of threads is compiled separately, which takes ten seconds or more. Therefore both
    are tried only where either may be faster.
    """
    makers: VariantMakers = {}
    work = multiply_adds(task)
    fewest, most = (THREADS if work > LARGE else 1), (1 if work < SMALL else THREADS)
    for threads in range(fewest, most + 1):
        if any(name == "lstm" for name, _ in task.layers):
            makers[f"{threads} threads, loss"] = lambda n=threads: CompiledLoss(task, n)  # type: ignore[misc]
        else:
            makers[f"{threads} threads, step"] = lambda n=threads: WholeStep(task, n)  # type: ignore[misc]
    return makers
