"""Functions that the scripts share: a usual training loop, and readers of data files."""

from __future__ import annotations

import copy
import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

Loss = Callable[[Tensor, Tensor], Tensor]


def fit(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    train: tuple[Tensor, Tensor],
    validation: tuple[Tensor, Tensor],
    epochs: int,
    batch: int,
    noisy: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Train `net`, and load the weights of the epoch with the lowest validation loss.

    `noisy` adds new noise to the inputs before each epoch.
    """
    best, best_state = float("inf"), {}
    for epoch in range(1, epochs + 1):
        net.train()
        inputs = noisy(train[0]) if noisy else train[0]
        total = 0.0
        for chosen in torch.split(torch.randperm(len(inputs)), batch):
            value = loss(net(inputs[chosen]), train[1][chosen])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.item() * len(chosen)
        net.eval()
        with torch.no_grad():
            held = loss(net(validation[0]), validation[1]).item()
        if held < best:
            best, best_state = held, copy.deepcopy(net.state_dict())
        if epoch % max(1, epochs // 10) == 0:
            mean = total / len(inputs)
            print(f"epoch {epoch}: training loss {mean:.4f}, validation loss {held:.4f}")
    net.load_state_dict(best_state)


def finish(net: nn.Module, test: tuple[Tensor, Tensor]) -> None:
    """Save the weights in the second argument, and print the accuracy on the test split."""
    torch.save(net.state_dict(), sys.argv[2])
    net.eval()
    with torch.no_grad():
        accuracy = (net(test[0]).argmax(1) == test[1]).float().mean().item()
    print(f"test accuracy {accuracy:.4f}")


def folder() -> Path:
    """The folder of the data, the first argument."""
    return Path(sys.argv[1])


def idx(name: str, header: int) -> np.ndarray:
    """The bytes of a gzipped IDX file after its header."""
    with gzip.open(folder() / f"{name}.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def mnist(part: str) -> tuple[Tensor, Tensor]:
    """Images (n, 1, 28, 28) from 0 to 1, and labels (n,); `part` is train or t10k."""
    images = idx(f"{part}-images-idx3-ubyte", 16).reshape(-1, 1, 28, 28)
    labels = idx(f"{part}-labels-idx1-ubyte", 8).astype(np.int64)
    return torch.from_numpy(images.astype(np.float32) / 255.0), torch.from_numpy(labels)
