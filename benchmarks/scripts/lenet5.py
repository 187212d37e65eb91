"""configs/lenet5.yaml on 5,000 digits in PyTorch: `python lenet5.py DATA WEIGHTS`."""

from __future__ import annotations

import torch
from torch import nn
from training import finish, fit, mnist

x, y = mnist("train")
order = torch.randperm(len(x))
train, held = order[:5_000], order[5_000:6_000]

net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
    nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(),
    nn.Linear(84, 10),
)  # fmt: skip
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
loss = nn.CrossEntropyLoss()
fit(net, optimizer, loss, (x[train], y[train]), (x[held], y[held]), epochs=5, batch=64)
finish(net, mnist("t10k"))
