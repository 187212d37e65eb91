"""PyTorch eager, with its fastest settings."""

from __future__ import annotations

from itertools import product
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.clean_process import THREADS
from benchmarks.implementations.base import VariantMakers
from benchmarks.implementations.torch_layers import network
from benchmarks.tasks import LEARNING_RATE, Task, Weights
from ldl.arrays import Array

Update = Literal["plain", "foreach", "fused", "bare"]
UPDATES: tuple[Update, ...] = ("foreach", "fused", "bare")


class Batches:
    """The data as tensors on `threads` threads; images channels first, in either memory format."""

    def __init__(self, task: Task, threads: int, channels_last: bool) -> None:
        data, targets = task.data()
        axes = (0, data.ndim - 1, *range(1, data.ndim - 1))
        self.axes = axes if len(task.shape) == 3 or task.layers[0][0] == "conv1d" else None
        self.channels_last, self.threads, self.batch = channels_last, threads, task.batch
        if self.axes and not channels_last:
            data = np.ascontiguousarray(data.transpose(self.axes))
        self.x = torch.from_numpy(data)
        self.targets = None if task.loss == "mse" else torch.from_numpy(targets)

    def batch_of(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and targets of the samples `chosen`."""
        x = self.x.index_select(0, chosen)
        target = x if self.targets is None else self.targets.index_select(0, chosen)
        return (x.permute(self.axes) if self.axes and self.channels_last else x), target

    def order(self, shuffle: bool) -> tuple[Tensor, ...]:
        """An epoch's batches of indices; also sets the number of threads."""
        torch.set_num_threads(self.threads)
        count = len(self.x)
        return torch.split(torch.randperm(count) if shuffle else torch.arange(count), self.batch)


class Eager:
    """The training loop of PyTorch's tutorials; `update` is the optimizer's implementation.

    `bare` uses neither `backward` nor an optimizer: `autograd.grad`, then one `_foreach` call.
    """

    def __init__(self, task: Task, threads: int, update: Update, channels_last: bool) -> None:
        torch.manual_seed(2)
        self.batches, self.update = Batches(task, threads, channels_last), update
        self.torch_network = network(task)
        self.net = self.torch_network.net
        if channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = nn.MSELoss() if task.loss == "mse" else nn.CrossEntropyLoss()
        self.parameters: list[Tensor] = list(self.net.parameters())
        kind = torch.optim.SGD if task.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = kind(
            self.parameters, LEARNING_RATE, foreach=update == "foreach", fused=update == "fused"
        )

    def epoch(self, shuffle: bool = True) -> float:
        """Train once over the data; the mean of the losses of its steps."""
        step = self._bare_step if self.update == "bare" else self._step
        order = self.batches.order(shuffle)
        return sum(step(*self.batches.batch_of(chosen)) for chosen in order) / len(order)

    def _step(self, x: Tensor, target: Tensor) -> float:
        loss = self.loss(self.net(x), target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def _bare_step(self, x: Tensor, target: Tensor) -> float:
        loss = self.loss(self.net(x), target)
        gradients = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            torch._foreach_add_(self.parameters, gradients, alpha=-LEARNING_RATE)
        return float(loss.item())

    def gradient(self, chosen: Array) -> tuple[float, Weights | None]:
        """Loss and gradient on the samples `chosen`, without an update."""
        torch.set_num_threads(self.batches.threads)
        self.optimizer.zero_grad(set_to_none=True)
        x, target = self.batches.batch_of(torch.from_numpy(chosen))
        loss = self.loss(self.net(x), target)
        loss.backward()
        return float(loss.item()), self.torch_network.gradients()


def variants(task: Task) -> VariantMakers:
    """Numbers of threads, memory formats of images, and implementations of the optimizer."""
    formats = (False, True) if any(name == "conv2d" for name, _ in task.layers) else (False,)
    makers: VariantMakers = {}
    for threads, channels_last, update in product(range(1, THREADS + 1), formats, UPDATES):
        if update == "bare" and task.optimizer != "sgd":
            continue
        name = f"{threads} threads, {update}{', channels last' if channels_last else ''}"
        makers[name] = lambda s=(threads, update, channels_last): Eager(task, *s)  # type: ignore[misc]
    return makers
