"""A task's network in JAX, with the engine's weights and layouts; both have channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from benchmarks.tasks import Layers

Tree = dict[str, Array]
MOMENTUM, EPSILON = 0.1, 1e-5  # of the normalisation layers


def apply(
    layers: Layers, w: Tree, statistics: Tree, x: Array, prefix: str = ""
) -> tuple[Array, Tree]:
    """The output for a batch x (N, …), and the updated running statistics."""
    for i, (name, settings) in enumerate(layers):
        node = f"{prefix}{i}"
        if name == "residual":
            y, statistics = apply(settings["layers"], w, statistics, x, f"{node}.")
            x = x + y
        elif name == "batch_norm":
            x, statistics = batch_norm(w, statistics, node, x)
        else:
            x = RULES[name](w, node, x, **settings)
    return x, statistics


def linear(w: Tree, node: str, x: Array, units: int) -> Array:
    """x·w + b."""
    return x @ w[f"{node}.weight"] + w[f"{node}.bias"]


def conv(
    w: Tree, node: str, x: Array, out_channels: int, kernel_size: int, padding: int,
    bias: bool = True,
) -> Array:  # fmt: skip
    """A convolution over one or two axes."""
    axes = x.ndim - 2
    letters = "HW"[:axes]
    formats = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    y = lax.conv_general_dilated(
        x, w[f"{node}.weight"], (1,) * axes, [(padding, padding)] * axes, dimension_numbers=formats
    )
    return y + w[f"{node}.bias"] if bias else y


def maxpool(w: Tree, node: str, x: Array, kernel_size: int) -> Array:
    """The maximum over windows as separate axes: a faster backward pass than reduce_window."""
    inner = [size // kernel_size for size in x.shape[1:-1]]
    whole = x[(slice(None), *(slice(n * kernel_size) for n in inner))]
    split = [size for n in inner for size in (n, kernel_size)]
    axes = tuple(range(2, 2 + len(split), 2))
    return whole.reshape(len(x), *split, x.shape[-1]).max(axes)


def avgpool2d(w: Tree, node: str, x: Array, kernel_size: int, stride: int | None = None) -> Array:
    """The mean of each window."""
    steps = (1, stride or kernel_size, stride or kernel_size, 1)
    window = (1, kernel_size, kernel_size, 1)
    sums: Array = lax.reduce_window(x, 0.0, lax.add, window, steps, "VALID")
    return sums / kernel_size**2


def batch_norm(w: Tree, statistics: Tree, node: str, x: Array) -> tuple[Array, Tree]:
    """Normalise over samples, rows and columns; update the running statistics."""
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    count = x.size // x.shape[-1]
    batch_statistics = {"running_mean": mean, "running_var": var * count / (count - 1)}
    updated = {
        f"{node}.{key}": (1 - MOMENTUM) * statistics[f"{node}.{key}"] + MOMENTUM * value
        for key, value in batch_statistics.items()
    }
    normal = (x - mean) * lax.rsqrt(var + EPSILON)
    return normal * w[f"{node}.weight"] + w[f"{node}.bias"], {**statistics, **updated}


def layer_norm(w: Tree, node: str, x: Array) -> Array:
    """Normalise over channels."""
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + EPSILON) * w[f"{node}.weight"] + w[f"{node}.bias"]


def patches(w: Tree, node: str, x: Array, size: int) -> Array:
    """The patches of an image as rows."""
    samples, height, width, channels = x.shape
    rows, columns = height // size, width // size
    squares = x.reshape(samples, rows, size, columns, size, channels).swapaxes(2, 3)
    return squares.reshape(samples, rows * columns, -1)


def class_token(w: Tree, node: str, x: Array) -> Array:
    """[token, x₁, …]."""
    token = jnp.broadcast_to(w[f"{node}.token"], (len(x), 1, x.shape[-1]))
    return jnp.concatenate((token, x), 1)


def attention(w: Tree, node: str, x: Array, heads: int) -> Array:
    """Self-attention through JAX's own function."""
    samples, length, channels = x.shape
    qkv = x @ w[f"{node}.in_proj_weight"] + w[f"{node}.in_proj_bias"]
    q, k, v = jnp.moveaxis(qkv.reshape(samples, length, 3, heads, -1), 2, 0)
    mixed = jax.nn.dot_product_attention(q, k, v).reshape(samples, length, channels)
    return mixed @ w[f"{node}.out_proj_weight"] + w[f"{node}.out_proj_bias"]


def lstm(w: Tree, node: str, x: Array, units: int) -> Array:
    """The last state; the inputs of all steps are multiplied in one product."""
    ih, hh, bias_ih, bias_hh = (
        w[f"{node}.{key}"] for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    gate_inputs = (x @ ih + (bias_ih + bias_hh)).swapaxes(0, 1)

    def step(state: tuple[Array, Array], a: Array) -> tuple[tuple[Array, Array], None]:
        h, c = state
        i, f, g, o = jnp.split(a + h @ hh, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), units), x.dtype)
    (h, _), _ = lax.scan(step, (zeros, zeros), gate_inputs)
    return h


RULES: dict[str, Callable[..., Any]] = {
    "linear": linear,
    "conv1d": conv,
    "conv2d": conv,
    "maxpool1d": maxpool,
    "maxpool2d": maxpool,
    "avgpool2d": avgpool2d,
    "layer_norm": layer_norm,
    "patches": patches,
    "class_token": class_token,
    "positional_embedding": lambda w, node, x: x + w[f"{node}.weight"],
    "multi_head_attention": attention,
    "select": lambda w, node, x, index: x[:, index],
    "lstm": lstm,
    "flatten": lambda w, node, x: x.reshape(len(x), -1),
    "tanh": lambda w, node, x: jnp.tanh(x),
    "relu": lambda w, node, x: jax.nn.relu(x),
    "gelu": lambda w, node, x: jax.nn.gelu(x, approximate=False),
}
