"""configs/classify_digits.yaml in PyTorch: `python digits_mlp.py DATA WEIGHTS`."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from training import finish, fit

x, y = load_digits(return_X_y=True)
x = torch.tensor(x / 16.0, dtype=torch.float32)
y = torch.tensor(y)
x_rest, x_test, y_rest, y_test = train_test_split(x, y, test_size=0.2, stratify=y)
x_train, x_held, y_train, y_held = train_test_split(x_rest, y_rest, test_size=1 / 8)

net = nn.Sequential(
    nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10)
)  # fmt: skip
optimizer = torch.optim.Adam(net.parameters(), lr=0.002)
loss = nn.CrossEntropyLoss()
fit(net, optimizer, loss, (x_train, y_train), (x_held, y_held), epochs=200, batch=64)
finish(net, (x_test, y_test))
