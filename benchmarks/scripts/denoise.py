"""configs/denoise.yaml in PyTorch, with the test error: `python denoise.py DATA WEIGHTS`."""

from __future__ import annotations

import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional
from training import fit


def noisy(x: Tensor) -> Tensor:
    """Gaussian noise of 0.3 on every pixel."""
    return x + 0.3 * torch.randn_like(x)


def loss(y: Tensor, target: Tensor) -> Tensor:
    """Binary cross entropy, summed over pixels, averaged over images."""
    return functional.binary_cross_entropy(y, target, reduction="sum") / len(y)


x, labels = load_digits(return_X_y=True)
x = torch.tensor(x / 16.0, dtype=torch.float32)
rest, test, labels, _ = train_test_split(x, labels, test_size=0.2, stratify=labels)
train, held = train_test_split(rest, test_size=1 / 8, stratify=labels)

net = nn.Sequential(
    nn.Linear(64, 64), nn.Sigmoid(), nn.Linear(64, 32), nn.Sigmoid(),
    nn.Linear(32, 64), nn.Sigmoid(), nn.Linear(64, 64), nn.Sigmoid(),
)  # fmt: skip
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
fit(net, optimizer, loss, (train, train), (noisy(held), held), 500, 32, noisy)
torch.save(net.state_dict(), sys.argv[2])
with torch.no_grad():
    error = functional.mse_loss(net(noisy(test)), test).item()
print(f"test mean squared error {error:.4f}")
