"""PyTorch's side, eager, as its own tutorials write it and with its fastest settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import nn

from benchmarks.tasks import LEARNING_RATE, Task, Weights
from ldl.engine.memory import Array

Loop = Literal["plain", "foreach", "fused"]


class Eager:
    """A `Sequential` on `threads` threads; `loop` is how the optimizer walks the parameters."""

    def __init__(self, task: Task, threads: int, loop: Loop) -> None:
        torch.manual_seed(2)
        self.task, self.threads = task, threads
        data, targets = task.data()
        self.data = torch.from_numpy(data)
        self.targets = self.data if task.loss == "mse" else torch.from_numpy(targets)
        self.net = self._network()
        self.loss = nn.MSELoss() if task.loss == "mse" else nn.CrossEntropyLoss()
        kind = torch.optim.SGD if task.optimizer == "sgd" else torch.optim.Adam
        self.optimizer = kind(
            self.net.parameters(), LEARNING_RATE, foreach=loop == "foreach", fused=loop == "fused"
        )

    def _network(self) -> nn.Sequential:
        layers: list[nn.Module] = []
        for w, b in self.task.weights():
            linear = nn.Linear(*w.shape)
            linear.weight.data.copy_(torch.from_numpy(w.T))
            linear.bias.data.copy_(torch.from_numpy(b))
            layers += [linear, nn.Tanh() if self.task.activation == "tanh" else nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def epoch(self) -> float:
        """Train once over the shuffled data; the mean of the losses of its steps."""
        torch.set_num_threads(self.threads)
        total, steps, batch = 0.0, 0, self.task.batch
        order = torch.randperm(len(self.data))
        for start in range(0, len(order), batch):
            loss = self._loss(order[start : start + batch])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            total += loss.item()
            steps += 1
        return total / steps

    def _loss(self, chosen: torch.Tensor) -> torch.Tensor:
        x = self.data[chosen]
        target = x if self.targets is self.data else self.targets[chosen]
        loss: torch.Tensor = self.loss(self.net(x), target)
        return loss

    def gradient(self, chosen: Array) -> tuple[float, Weights]:
        """Loss and gradient (∂w, ∂b a layer) on the samples `chosen`, without an update."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(torch.from_numpy(chosen))
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item(), list(self._gradients())

    def _gradients(self) -> Iterator[tuple[Array, Array]]:
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                assert layer.weight.grad is not None
                assert layer.bias.grad is not None
                yield layer.weight.grad.numpy().T, layer.bias.grad.numpy()


VARIANTS: tuple[tuple[int, Loop], ...] = tuple(
    (threads, loop) for threads in (1, 2) for loop in ("plain", "foreach", "fused")
)
