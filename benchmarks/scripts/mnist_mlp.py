"""configs/mnist_mlp.yaml for five epochs in PyTorch: `python mnist_mlp.py DATA WEIGHTS`."""

from __future__ import annotations

import torch
from torch import nn
from training import finish, fit, mnist

x, y = mnist("train")
order = torch.randperm(len(x))
train, held = order[:50_000], order[50_000:]

net = nn.Sequential(
    nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(),
    nn.Linear(128, 10),
)  # fmt: skip
optimizer = torch.optim.Adam(net.parameters(), lr=0.001)
loss = nn.CrossEntropyLoss()
fit(net, optimizer, loss, (x[train], y[train]), (x[held], y[held]), epochs=5, batch=64)
finish(net, mnist("t10k"))
