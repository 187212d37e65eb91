"""Rows of the table of rounding errors: each layer and loss, its inputs, PyTorch's version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ldl.arrays import Array, Shape

Draw = Callable[[np.random.Generator, Shape], Array]
TorchFunction = Callable[..., Tensor]  # of the inputs; of layers with weights also of these


def values(rng: np.random.Generator, shape: Shape) -> Array:
    """Normal, with a mean that is not 0: sums grow with the number of their terms."""
    return rng.normal(0.3, 1.0, shape)


def wide(rng: np.random.Generator, shape: Shape) -> Array:
    """From −8 to 8."""
    return rng.uniform(-8.0, 8.0, shape)


def probabilities(rng: np.random.Generator, shape: Shape) -> Array:
    """From 0.02 to 0.98."""
    return rng.uniform(0.02, 0.98, shape)


def shares(rng: np.random.Generator, shape: Shape) -> Array:
    """Rows that add up to 1."""
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def log_shares(rng: np.random.Generator, shape: Shape) -> Array:
    """Logarithms of rows that add up to 1."""
    return np.log(shares(rng, shape))


def indices(count: int) -> Draw:
    """Whole numbers from 0 to count − 1."""
    return lambda rng, shape: rng.integers(count, size=shape)


@dataclass(frozen=True)
class Row:
    """A layer or loss, the shapes of its inputs with the samples' axis, and PyTorch's version."""

    entry: str
    settings: Mapping[str, Any]
    shapes: tuple[Shape, ...]
    torch_function: TorchFunction
    draws: tuple[Draw, ...] = field(default=(values,))

    def __str__(self) -> str:
        shapes = "-".join("x".join(map(str, shape)) for shape in self.shapes)
        settings = [f"{name}={value}" for name, value in self.settings.items()]
        return "-".join([self.entry, shapes, *settings]).replace(" ", "")


# --- layers with weights ------------------------------------------------------------------------


def channels_second(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of (N, C, …) applied to (N, …, C)."""
    return function(x.movedim(-1, 1)).movedim(1, -1)


def outputs_first(w: Tensor) -> Tensor:
    """A kernel (K…, C_in, C_out) as PyTorch has it, (C_out, C_in, K…)."""
    return w.permute(w.ndim - 1, w.ndim - 2, *range(w.ndim - 2))


def convolution(function: TorchFunction, **settings: Any) -> TorchFunction:
    """A convolution of PyTorch on the engine's arrays."""
    return lambda x, w: channels_second(
        lambda image: function(image, outputs_first(w["weight"]), w["bias"], **settings), x
    )


def convolutions() -> list[Row]:
    """Convolutions of the sizes in which the engine has different methods."""
    rows = []
    shape: Shape
    settings: dict[str, Any]
    for shape, filters, settings in (
        ((32, 28, 28, 1), 16, {"kernel_size": 3, "padding": 1}),
        ((32, 28, 28, 16), 8, {"kernel_size": 3, "padding": 1}),
        ((16, 14, 14, 32), 64, {"kernel_size": 3, "padding": 1}),
        ((8, 12, 12, 6), 16, {"kernel_size": 5}),
        ((8, 14, 14, 8), 8, {"kernel_size": 7, "padding": 3}),
        ((8, 32, 32, 3), 16, {"kernel_size": 3, "stride": 2, "padding": 1}),
        ((16, 8, 8, 8), 8, {"kernel_size": 3, "groups": 4}),
        ((16, 9, 9, 8), 8, {"kernel_size": 1}),
    ):
        torch_settings = {k: v for k, v in settings.items() if k != "kernel_size"}
        torch_function = convolution(functional.conv2d, **torch_settings)
        row_settings = {"out_channels": filters, **settings}
        rows.append(Row("conv2d", row_settings, (shape,), torch_function))
    for shape, filters, settings in (
        ((16, 256, 1), 16, {"kernel_size": 5}),
        ((16, 120, 16), 32, {"kernel_size": 3, "padding": 1}),
    ):
        torch_settings = {k: v for k, v in settings.items() if k != "kernel_size"}
        torch_function = convolution(functional.conv1d, **torch_settings)
        row_settings = {"out_channels": filters, **settings}
        rows.append(Row("conv1d", row_settings, (shape,), torch_function))
    for shape, filters, settings in (
        ((32, 28, 28, 8), 16, {"kernel_size": 3, "padding": 1}),
        ((32, 28, 28, 16), 1, {"kernel_size": 3, "padding": 1}),
        ((32, 7, 7, 32), 16, {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}),
        ((16, 10, 10, 4), 6, {"kernel_size": 5}),
    ):
        torch_settings = {k: v for k, v in settings.items() if k != "kernel_size"}
        torch_function = convolution(functional.conv_transpose2d, **torch_settings)
        row_settings = {"out_channels": filters, **settings}
        rows.append(Row("conv_transpose2d", row_settings, (shape,), torch_function))
    transposed = convolution(functional.conv_transpose1d, stride=2)
    settings = {"out_channels": 8, "kernel_size": 4, "stride": 2}
    rows.append(Row("conv_transpose1d", settings, ((16, 60, 16),), transposed))
    return rows


def linear(x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Linear."""
    return functional.linear(x, w["weight"].T, w["bias"])


def batch_norm(x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Batch normalisation in training."""
    size = x.shape[-1]
    state = torch.zeros(size, dtype=x.dtype), torch.ones(size, dtype=x.dtype)
    return channels_second(
        lambda values: functional.batch_norm(values, *state, w["weight"], w["bias"], True), x
    )


def layer_norm(x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Layer normalisation."""
    return functional.layer_norm(x, x.shape[-1:], w["weight"], w["bias"])


def recurrent(module_class: Callable[..., nn.Module]) -> TorchFunction:
    """All states of a recurrent layer."""

    def run(x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
        module = module_class(x.shape[-1], w["weight_hh"].shape[0], batch_first=True).to(x.dtype)
        tensors = {
            f"{name}_l0": tensor.T if tensor.ndim == 2 else tensor for name, tensor in w.items()
        }
        states: Tensor = torch.func.functional_call(module, tensors, (x,))[0]
        return states

    return run


def attention(x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Self-attention with four heads."""
    module = nn.MultiheadAttention(x.shape[-1], 4, batch_first=True).to(x.dtype)
    names = {name: name.replace("out_proj_", "out_proj.") for name in w}
    tensors = {names[n]: tensor.T if tensor.ndim == 2 else tensor for n, tensor in w.items()}
    arguments = (x, x, x)
    y: Tensor = torch.func.functional_call(module, tensors, arguments, {"need_weights": False})[0]
    return y


def film(x: Tensor, condition: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """Scale and shift by a condition."""
    gamma, beta = (
        functional.linear(condition, w[f"{name}_weight"].T, w[f"{name}_bias"])
        for name in ("scale", "shift")
    )
    return x * gamma[:, None] + beta[:, None]


def class_token(x: Tensor, w: Mapping[str, Tensor]) -> Tensor:
    """The token before the sequence."""
    return torch.cat([w["token"].expand(len(x), 1, -1), x], 1)


def weighted() -> list[Row]:
    """The other layers with weights."""
    sequence = ((32, 20, 24),)
    return [
        Row("linear", {"units": 64}, ((64, 784),), linear),
        Row("linear", {"units": 10}, ((256, 64),), linear),
        Row("linear", {"units": 16}, ((16, 40, 32),), linear),
        Row("batch_norm", {}, ((64, 100),), batch_norm),
        Row("batch_norm", {}, ((32, 14, 14, 16),), batch_norm),
        Row("layer_norm", {}, ((64, 100),), layer_norm),
        Row("layer_norm", {}, ((16, 30, 64),), layer_norm),
        Row("rnn", {"units": 32, "return_sequences": True}, sequence, recurrent(nn.RNN)),
        Row("gru", {"units": 32, "return_sequences": True}, sequence, recurrent(nn.GRU)),
        Row("lstm", {"units": 32, "return_sequences": True}, sequence, recurrent(nn.LSTM)),
        Row("multi_head_attention", {"heads": 4}, ((16, 24, 32),), attention),
        Row("film", {}, ((32, 20, 16), (32, 8)), film, (values, values)),
        Row("class_token", {}, ((64, 10, 16),), class_token),
        Row("positional_embedding", {}, ((64, 10, 16),), lambda x, w: x + w["weight"]),
        Row(
            "embedding", {"units": 8, "entries": 12}, ((64, 30),),
            lambda x, w: functional.embedding(x, w["weight"]), (indices(12),),
        ),
    ]  # fmt: skip


# --- layers without weights ---------------------------------------------------------------------


def pooled(function: TorchFunction, **settings: Any) -> TorchFunction:
    """A pooling of PyTorch on (N, …, C)."""
    return lambda x: channels_second(lambda image: function(image, **settings), x)


def patches(x: Tensor) -> Tensor:
    """Squares of 4 × 4 pixels as rows."""
    samples, height, width, channels = x.shape
    squares = x.reshape(samples, height // 4, 4, width // 4, 4, channels).swapaxes(2, 3)
    return squares.reshape(samples, -1, 16 * channels)


def unweighted() -> list[Row]:
    """Activations, poolings, merges and views."""
    flat, image, sequence = ((64, 200),), ((16, 12, 12, 8),), ((16, 40, 8),)
    two = (values, values)
    activations: list[tuple[str, dict[str, Any], TorchFunction]] = [
        ("identity", {}, lambda x: x.clone()),
        ("tanh", {}, torch.tanh),
        ("sigmoid", {}, torch.sigmoid),
        ("relu", {}, torch.relu),
        ("leaky_relu", {}, functional.leaky_relu),
        ("elu", {}, functional.elu),
        ("gelu", {}, functional.gelu),
        ("gelu", {"approximate": "tanh"}, lambda x: functional.gelu(x, approximate="tanh")),
        ("silu", {}, functional.silu),
        ("softplus", {}, functional.softplus),
        ("softmax", {}, lambda x: torch.softmax(x, -1)),
        ("log_softmax", {}, lambda x: torch.log_softmax(x, -1)),
    ]
    return [
        *(Row(entry, settings, flat, f, (wide,)) for entry, settings, f in activations),
        Row("maxpool1d", {"kernel_size": 2}, sequence,
            pooled(functional.max_pool1d, kernel_size=2)),
        Row("avgpool1d", {"kernel_size": 4}, sequence,
            pooled(functional.avg_pool1d, kernel_size=4)),
        Row("maxpool2d", {"kernel_size": 3, "stride": 2}, image,
            pooled(functional.max_pool2d, kernel_size=3, stride=2)),
        Row("avgpool2d", {"kernel_size": 3, "stride": 2}, image,
            pooled(functional.avg_pool2d, kernel_size=3, stride=2)),
        Row("upsample", {"scale": 2}, image, pooled(functional.interpolate, scale_factor=2)),
        Row("mean", {"axis": 0}, ((16, 300, 8),), lambda x: x.mean(1)),
        Row("mean", {"axis": (0, 1)}, image, lambda x: x.mean((1, 2))),
        Row("add", {}, flat * 3, lambda a, b, c: a + b + c, (*two, values)),
        Row("multiply", {}, flat * 3, lambda a, b, c: a * b * c, (*two, values)),
        Row("concat", {}, flat * 2, lambda a, b: torch.cat([a, b], -1), two),
        Row("flatten", {}, image, lambda x: x.flatten(1)),
        Row("reshape", {"shape": (8, -1)}, flat, lambda x: x.reshape(len(x), 8, -1)),
        Row("patches", {"size": 4}, image, patches),
        Row("select", {"index": 3}, sequence, lambda x: x[:, 3]),
        Row("dropout", {"rate": 0.0}, flat, lambda x: functional.dropout(x, 0.0)),
    ]  # fmt: skip


# --- losses -------------------------------------------------------------------------------------


def rows_of(function: TorchFunction, reduction: str = "mean") -> TorchFunction:
    """The mean or sum over the values of each sample of an elementwise loss of PyTorch."""

    def run(p: Tensor, t: Tensor) -> Tensor:
        losses = function(p, t, reduction="none").flatten(1)
        return losses.mean(1) if reduction == "mean" else losses.sum(1)

    return run


def rmse(p: Tensor, t: Tensor) -> Tensor:
    """The root of the mean square of each sample."""
    return functional.mse_loss(p, t, reduction="none").flatten(1).mean(1).sqrt()


def hinge(p: Tensor, t: Tensor) -> Tensor:
    """The margin to the best rival."""
    target = torch.gather(p, 1, t[:, None])
    rivals = p.scatter(1, t[:, None], -torch.inf).amax(1)
    return torch.relu(1.0 + rivals - target[:, 0])


def losses() -> list[Row]:
    """Every loss, on many values a sample or on classes."""
    images, classes = ((32, 784), (32, 784)), ((64, 10), (64,))
    labels, dense = indices(10), ((64, 10), (64, 10))
    return [
        Row("mse", {}, images, rows_of(functional.mse_loss), (values, values)),
        Row("mae", {}, images, rows_of(functional.l1_loss), (values, values)),
        Row("rmse", {}, images, rmse, (values, values)),
        Row("huber", {}, images, rows_of(functional.huber_loss), (values, values)),
        Row("bce", {}, images, rows_of(functional.binary_cross_entropy), (probabilities,) * 2),
        Row("bce_with_logits", {}, images,
            rows_of(functional.binary_cross_entropy_with_logits), (wide, probabilities)),
        Row("cross_entropy", {}, classes,
            lambda p, t: functional.cross_entropy(p, t, reduction="none"), (wide, labels)),
        Row("cross_entropy", {"label_smoothing": 0.1}, dense,
            lambda p, t: functional.cross_entropy(p, t, reduction="none", label_smoothing=0.1),
            (wide, shares)),
        Row("nll", {}, classes,
            lambda p, t: functional.nll_loss(p, t, reduction="none"), (log_shares, labels)),
        Row("kl_divergence", {}, dense, rows_of(functional.kl_div, "sum"), (log_shares, shares)),
        Row("hinge", {}, classes, hinge, (values, labels)),
    ]  # fmt: skip


ROWS = [*convolutions(), *weighted(), *unweighted(), *losses()]
