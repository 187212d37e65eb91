"""The experiments of configs/ in PyTorch: networks, losses, optimizers and schedules.

Images are (N, H, W, C), and are flattened in that order, as in the engine.
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

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class TorchExperiment:
    """An experiment in PyTorch: a function that makes its network, its loss and its optimizer.

    `output_and_loss` gives the output for a batch, and the mean loss over samples. A step has
    `batch` samples, or those of ten batches with `full_batch`. `overrides` are those of the
    configuration.
    """

    module: Callable[[], nn.Module]
    output_and_loss: Callable[[nn.Module, Batch], tuple[Tensor, Tensor]]
    optimizer: Callable[[Any], Optimizer]
    schedule: Callable[[Optimizer], LRScheduler] | None = None
    overrides: tuple[str, ...] = ()
    batch: int = 16
    full_batch: bool = False


# --- modules -------------------------------------------------------------------------------------


class ChannelsFirst(nn.Module):
    """(N, …, C) to (N, C, …), the layout of PyTorch."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(-1, 1)


class ChannelsLast(nn.Module):
    """(N, C, …) to (N, …, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1)


class LastState(nn.Module):
    """The last state, of the three outputs of an LSTM."""

    def forward(self, outputs: tuple[Tensor, tuple[Tensor, Tensor]]) -> Tensor:
        return outputs[1][0][0]


class ClassToken(nn.Module):
    """A trained first position of a sequence."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.token.expand(len(x), 1, -1), x], dim=1)


class PositionalEmbedding(nn.Module):
    """A trained row for each position; the weight is transposed, as matrices of PyTorch are."""

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, length))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight.T


class TransformerBlock(nn.Module):
    """A transformer block with normalisation before attention and before the MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(32)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.mlp_norm = nn.LayerNorm(32)
        self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        z = self.attention_norm(x)
        x = x + self.attention(z, z, z, need_weights=False)[0]
        y: Tensor = x + self.mlp(self.mlp_norm(x))
        return y


class VisionTransformer(nn.Module):
    """A classifier of four patches of 14×14 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(196, 32)
        self.token, self.positions = ClassToken(32), PositionalEmbedding(5, 32)
        self.blocks = nn.Sequential(TransformerBlock(), TransformerBlock())
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        patches = functional.unfold(x.movedim(-1, 1), 14, stride=14).transpose(1, 2)
        z = self.blocks(self.positions(self.token(self.embed(patches))))
        logits: Tensor = self.head(self.norm(z)[:, 0])
        return logits


def image_encoder(channels: int = 1) -> nn.Sequential:
    """From images of 14×14 pixels to 64 features."""
    return nn.Sequential(
        ChannelsFirst(), nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3), nn.ReLU(), ChannelsLast(), nn.Flatten(), nn.Linear(512, 64),
        nn.ReLU(),
    )  # fmt: skip


class DigitPairs(nn.Module):
    """Two images through one encoder; is the first digit at most the second?"""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(image_encoder(), nn.Linear(64, 10))
        self.head = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        left, right = self.encoder(first), self.encoder(second)
        return self.head(torch.cat([left, right], dim=1)), left, right


def mlp(*sizes: int, activation: type[nn.Module], output: type[nn.Module] | None) -> nn.Sequential:
    """Linear layers with activations between them and `output` at the end."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1], *([output()] if output else []))


# --- outputs and losses --------------------------------------------------------------------------


def class_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Logits and their cross entropy."""
    y = module(batch["x"])
    return y, functional.cross_entropy(y, batch["target.labels"])


def binary_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """One probability and its cross entropy."""
    y = module(batch["x"])
    return y, functional.binary_cross_entropy(y[:, 0], batch["target.labels"].to(y.dtype))


def squared_error(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Values and their mean squared error."""
    y = module(batch["x"])
    return y, functional.mse_loss(y, batch["target.labels"])


def reconstruction_error(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """A reconstruction and its squared distance."""
    y = module(batch["x"])
    return y, functional.mse_loss(y, batch["x"], reduction="sum") / len(y)


def pixel_loss(target: str) -> Callable[[nn.Module, Batch], tuple[Tensor, Tensor]]:
    """A reconstruction and its binary cross entropy, summed over an image."""

    def output_and_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        y = module(batch["x"])
        return y, functional.binary_cross_entropy(y, batch[target], reduction="sum") / len(y)

    return output_and_loss


def pair_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """The comparison of the digits, and its cross entropy."""
    y, _, _ = module(batch["first"], batch["second"])
    return y, functional.cross_entropy(y, batch["target.labels"])


def pair_and_digit_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """The comparison, and its loss with half that of each digit."""
    y, left, right = module(batch["first"], batch["second"])
    loss = functional.cross_entropy(y, batch["target.labels"])
    loss = loss + 0.5 * functional.cross_entropy(left, batch["target.first_digit"])
    return y, loss + 0.5 * functional.cross_entropy(right, batch["target.second_digit"])


def stacked_pair_loss(module: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """The comparison from both images as channels of one, and its cross entropy."""
    y = module(torch.cat([batch["first"], batch["second"]], dim=-1))
    return y, functional.cross_entropy(y, batch["target.labels"])


# --- networks ------------------------------------------------------------------------------------


def lenet5() -> nn.Module:
    return nn.Sequential(
        ChannelsFirst(), nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), ChannelsLast(), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def conv1d_usps() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 256)), nn.Conv1d(1, 32, 3), nn.MaxPool1d(2), ChannelsLast(),
        nn.Flatten(), nn.Linear(4064, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def conv2d_usps() -> nn.Module:
    return nn.Sequential(
        ChannelsFirst(), nn.Conv2d(1, 32, 3), nn.ReLU(), nn.AvgPool2d(2, 1), nn.Conv2d(32, 64, 3),
        nn.ReLU(), nn.AvgPool2d(2), ChannelsLast(), nn.Flatten(), nn.Linear(1600, 100), nn.ReLU(),
        nn.Linear(100, 10),
    )  # fmt: skip


def cifar10() -> nn.Module:
    return nn.Sequential(
        ChannelsFirst(),
        nn.Conv2d(3, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 64, 5, padding=2), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        ChannelsLast(), nn.Flatten(), nn.Linear(1024, 1000), nn.ReLU(), nn.Dropout(0.0),
        nn.Linear(1000, 10),
    )  # fmt: skip


def conv_autoenc() -> nn.Module:
    return nn.Sequential(
        ChannelsFirst(), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 8, 3, padding=1),
        nn.Upsample(scale_factor=2), nn.ReLU(), nn.ConvTranspose2d(8, 1, 3, padding=1),
        nn.Sigmoid(), ChannelsLast(),
    )  # fmt: skip


def lstm_digits() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (8, 8)), nn.LSTM(8, 64, batch_first=True), LastState(), nn.Linear(64, 10)
    )


def adam(learning_rate: float) -> Callable[[Any], Optimizer]:
    return lambda parameters: Adam(parameters, lr=learning_rate)


def sgd(learning_rate: float, momentum: float = 0.0) -> Callable[[Any], Optimizer]:
    return lambda parameters: SGD(parameters, lr=learning_rate, momentum=momentum)


TORCH_EXPERIMENTS = {
    "autoenc": TorchExperiment(
        lambda: mlp(64, 64, 32, 2, 32, 64, 64, activation=nn.Tanh, output=nn.Sigmoid),
        reconstruction_error,
        adam(0.002),
    ),
    "cifar10": TorchExperiment(
        cifar10,
        class_loss,
        sgd(0.01, 0.9),
        lambda optimizer: ExponentialLR(optimizer, 0.95),
        overrides=("network.15.dropout.rate=0",),
        batch=6,
    ),
    "classify_digits": TorchExperiment(
        lambda: mlp(64, 64, 32, 10, activation=nn.Tanh, output=None), class_loss, adam(0.002)
    ),
    "conv1d_usps": TorchExperiment(conv1d_usps, class_loss, adam(0.001)),
    "conv2d_usps": TorchExperiment(conv2d_usps, class_loss, adam(0.001)),
    "conv_autoenc": TorchExperiment(conv_autoenc, pixel_loss("x"), adam(0.003)),
    "denoise": TorchExperiment(
        lambda: mlp(64, 64, 32, 64, 64, activation=nn.Sigmoid, output=nn.Sigmoid),
        pixel_loss("target.x"),
        sgd(0.01, 0.9),
    ),
    "digit_pairs": TorchExperiment(DigitPairs, pair_and_digit_loss, adam(0.001)),
    "digit_pairs_plain": TorchExperiment(
        lambda: nn.Sequential(image_encoder(2), nn.Linear(64, 2)), stacked_pair_loss, adam(0.001)
    ),
    "digit_pairs_shared": TorchExperiment(DigitPairs, pair_loss, adam(0.001)),
    "flowers": TorchExperiment(
        lambda: mlp(4, 16, 3, activation=nn.ReLU, output=None), class_loss, adam(0.01)
    ),
    "gaussians": TorchExperiment(
        lambda: mlp(2, 16, 1, activation=nn.Tanh, output=nn.Sigmoid),
        binary_loss,
        sgd(0.5),
        full_batch=True,
    ),
    "lenet5": TorchExperiment(lenet5, class_loss, adam(0.001)),
    "lstm_digits": TorchExperiment(lstm_digits, class_loss, adam(0.005)),
    "mnist_mlp": TorchExperiment(
        lambda: mlp(784, 256, 128, 10, activation=nn.ReLU, output=None), class_loss, adam(0.001)
    ),
    "regression": TorchExperiment(
        lambda: nn.Linear(1, 1), squared_error, sgd(0.05), full_batch=True
    ),
    "transformer": TorchExperiment(VisionTransformer, class_loss, adam(0.001)),
}
