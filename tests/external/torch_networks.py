"""The networks of configs/, written for PyTorch by hand, with their losses and optimizers.

Images come as (N, H, W, C) and are flattened in that order, as the engine has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler

Feeds = Mapping[str, Tensor]


@dataclass(frozen=True)
class Twin:
    """A configuration in PyTorch: its network, what a batch gives, and how it is trained.

    `judge` gives the output and the loss, the mean over samples. A step takes `batch` samples, or
    all of ten batches where `whole`.
    """

    net: Callable[[], nn.Module]
    judge: Callable[[nn.Module, Feeds], tuple[Tensor, Tensor]]
    optimizer: Callable[[Any], Optimizer]
    schedule: Callable[[Optimizer], LRScheduler] | None = None
    overrides: tuple[str, ...] = ()
    batch: int = 16
    whole: bool = False


# --- parts ---------------------------------------------------------------------------------------


class Second(nn.Module):
    """(N, …, C) to (N, C, …), as PyTorch wants it."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(-1, 1)


class Last(nn.Module):
    """(N, C, …) to (N, …, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1)


class LastState(nn.Module):
    """The state after the last step, of an LSTM's three outputs."""

    def forward(self, found: tuple[Tensor, tuple[Tensor, Tensor]]) -> Tensor:
        return found[1][0][0]


class Token(nn.Module):
    """A trained row before the others."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(x), 1, -1), x], dim=1)


class Positions(nn.Module):
    """A trained row for each position, kept as columns: matrices are handed over turned."""

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, length))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight.T


class Block(nn.Module):
    """A transformer's block, normalised before each part."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.before_mlp = nn.LayerNorm(32)
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        z = self.before_attention(x)
        x = x + self.attention(z, z, z, need_weights=False)[0]
        y: Tensor = x + self.mlp(self.before_mlp(x))
        return y


class VisionTransformer(nn.Module):
    """Four patches of 14×14 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(196, 32)
        self.token, self.positions = Token(32), Positions(5, 32)
        self.blocks = nn.Sequential(Block(), Block())
        self.normal, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = functional.unfold(x.movedim(-1, 1), 14, stride=14).transpose(1, 2)
        z = self.blocks(self.positions(self.token(self.embed(patches))))
        logits: Tensor = self.head(self.normal(z)[:, 0])
        return logits


def reader(channels: int = 1) -> nn.Sequential:
    """From a picture of 14×14 pixels to 64 numbers."""
    return nn.Sequential(
        Second(), nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3),
        nn.ReLU(), Last(), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(),
    )  # fmt: skip


class Pairs(nn.Module):
    """Two pictures through one reader; is the first digit at most the second?"""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Sequential(reader(), nn.Linear(64, 10))
        self.head = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        left, right = self.read(first), self.read(second)
        return self.head(torch.cat([left, right], dim=1)), left, right


def mlp(*sizes: int, activation: type[nn.Module], last: type[nn.Module] | None) -> nn.Sequential:
    """Linear layers with activations between them and `last` at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1], *([last()] if last else []))


# --- what a batch gives --------------------------------------------------------------------------


def classes(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """Logits and their cross entropy."""
    y = net(feeds["x"])
    return y, functional.cross_entropy(y, feeds["target.labels"])


def binary(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """One probability and its cross entropy."""
    y = net(feeds["x"])
    return y, functional.binary_cross_entropy(y[:, 0], feeds["target.labels"].to(y.dtype))


def values(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """Values and their mean squared error."""
    y = net(feeds["x"])
    return y, functional.mse_loss(y, feeds["target.labels"])


def squares(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """A reconstruction and its squared distance."""
    y = net(feeds["x"])
    return y, functional.mse_loss(y, feeds["x"], reduction="sum") / len(y)


def pixels(target: str) -> Callable[[nn.Module, Feeds], tuple[Tensor, Tensor]]:
    """A reconstruction and its binary cross entropy, summed over an image."""

    def judge(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
        y = net(feeds["x"])
        return y, functional.binary_cross_entropy(y, feeds[target], reduction="sum") / len(y)

    return judge


def pair(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """The answer alone."""
    y, _, _ = net(feeds["first"], feeds["second"])
    return y, functional.cross_entropy(y, feeds["target.labels"])


def pair_and_digits(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """The answer, and each digit by half its weight."""
    y, left, right = net(feeds["first"], feeds["second"])
    loss = functional.cross_entropy(y, feeds["target.labels"])
    loss = loss + 0.5 * functional.cross_entropy(left, feeds["target.first_digit"])
    return y, loss + 0.5 * functional.cross_entropy(right, feeds["target.second_digit"])


def channels(net: nn.Module, feeds: Feeds) -> tuple[Tensor, Tensor]:
    """The answer, from both pictures as channels of one."""
    y = net(torch.cat([feeds["first"], feeds["second"]], dim=-1))
    return y, functional.cross_entropy(y, feeds["target.labels"])


# --- the networks --------------------------------------------------------------------------------


def lenet5() -> nn.Module:
    return nn.Sequential(
        Second(), nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5),
        nn.Tanh(), nn.AvgPool2d(2), Last(), nn.Flatten(), nn.Linear(400, 120), nn.Tanh(),
        nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def conv1d_usps() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 256)), nn.Conv1d(1, 32, 3), nn.MaxPool1d(2), Last(), nn.Flatten(),
        nn.Linear(4064, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def conv2d_usps() -> nn.Module:
    return nn.Sequential(
        Second(), nn.Conv2d(1, 32, 3), nn.ReLU(), nn.AvgPool2d(2, 1), nn.Conv2d(32, 64, 3),
        nn.ReLU(), nn.AvgPool2d(2), Last(), nn.Flatten(), nn.Linear(1600, 100), nn.ReLU(),
        nn.Linear(100, 10),
    )  # fmt: skip


def cifar10() -> nn.Module:
    return nn.Sequential(
        Second(),
        nn.Conv2d(3, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 5, padding=2), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        Last(), nn.Flatten(), nn.Linear(1024, 1000), nn.ReLU(), nn.Dropout(0.0),
        nn.Linear(1000, 10),
    )  # fmt: skip


def conv_autoenc() -> nn.Module:
    return nn.Sequential(
        Second(), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 8, 3, padding=1),
        nn.Upsample(scale_factor=2), nn.ReLU(), nn.ConvTranspose2d(8, 1, 3, padding=1),
        nn.Sigmoid(), Last(),
    )  # fmt: skip


def lstm_digits() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (8, 8)), nn.LSTM(8, 64, batch_first=True), LastState(), nn.Linear(64, 10)
    )


def adam(rate: float) -> Callable[[Any], Optimizer]:
    return lambda parameters: Adam(parameters, lr=rate)


def sgd(rate: float, momentum: float = 0.0) -> Callable[[Any], Optimizer]:
    return lambda parameters: SGD(parameters, lr=rate, momentum=momentum)


TWINS = {
    "autoenc": Twin(
        lambda: mlp(64, 64, 32, 2, 32, 64, 64, activation=nn.Tanh, last=nn.Sigmoid),
        squares, adam(0.002),
    ),
    "cifar10": Twin(
        cifar10, classes, sgd(0.01, 0.9), lambda optimizer: ExponentialLR(optimizer, 0.95),
        overrides=("network.15.dropout.rate=0",), batch=6,
    ),
    "classify_digits": Twin(
        lambda: mlp(64, 64, 32, 10, activation=nn.Tanh, last=None), classes, adam(0.002)
    ),
    "conv1d_usps": Twin(conv1d_usps, classes, adam(0.001)),
    "conv2d_usps": Twin(conv2d_usps, classes, adam(0.001)),
    "conv_autoenc": Twin(conv_autoenc, pixels("x"), adam(0.003)),
    "denoise": Twin(
        lambda: mlp(64, 64, 32, 64, 64, activation=nn.Sigmoid, last=nn.Sigmoid),
        pixels("target.x"), sgd(0.01, 0.9),
    ),
    "digit_pairs": Twin(Pairs, pair_and_digits, adam(0.001)),
    "digit_pairs_plain": Twin(
        lambda: nn.Sequential(reader(2), nn.Linear(64, 2)), channels, adam(0.001)
    ),
    "digit_pairs_shared": Twin(Pairs, pair, adam(0.001)),
    "flowers": Twin(lambda: mlp(4, 16, 3, activation=nn.ReLU, last=None), classes, adam(0.01)),
    "gaussians": Twin(
        lambda: mlp(2, 16, 1, activation=nn.Tanh, last=nn.Sigmoid), binary, sgd(0.5), whole=True
    ),
    "lenet5": Twin(lenet5, classes, adam(0.001)),
    "lstm_digits": Twin(lstm_digits, classes, adam(0.005)),
    "mnist_mlp": Twin(
        lambda: mlp(784, 256, 128, 10, activation=nn.ReLU, last=None), classes, adam(0.001)
    ),
    "regression": Twin(lambda: nn.Linear(1, 1), values, sgd(0.05), whole=True),
    "transformer": Twin(VisionTransformer, classes, adam(0.001)),
}  # fmt: skip
