"""configs/conv1d_usps.yaml for five epochs in PyTorch: `python conv1d_usps.py DATA WEIGHTS`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from training import finish, fit, folder

usps = np.load(folder() / "usps.npz")


def part(name: str) -> tuple[Tensor, Tensor]:
    """Signals (n, 1, 256) and labels; `name` is train or test."""
    signals = usps[f"x_{name}"].reshape(-1, 1, 256).astype(np.float32)
    return torch.from_numpy(signals), torch.from_numpy(usps[f"y_{name}"].astype(np.int64))


x, y = part("train")
order = torch.randperm(len(x))
count = len(x) // 10
train, held = order[count:], order[:count]

net = nn.Sequential(
    nn.Conv1d(1, 32, 3), nn.MaxPool1d(2), nn.Flatten(),
    nn.Linear(4064, 100), nn.ReLU(), nn.Linear(100, 10),
)  # fmt: skip
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
loss = nn.CrossEntropyLoss()
fit(net, optimizer, loss, (x[train], y[train]), (x[held], y[held]), epochs=5, batch=32)
finish(net, part("test"))
