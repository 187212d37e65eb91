"""A task's network in JAX, on the engine's own weights and layouts: channels are last in both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from benchmarks.tasks import Layers

Tree = dict[str, Array]
MOMENTUM, EPSILON = 0.1, 1e-5  # of the normalising layers


def apply(layers: Layers, w: Tree, kept: Tree, x: Array, before: str = "") -> tuple[Array, Tree]:
    """The output for a batch x (N, …), and what is kept (running statistics) afterwards."""
    for i, (name, settings) in enumerate(layers):
        here = f"{before}{i}"
        if name == "residual":
            y, kept = apply(settings["layers"], w, kept, x, f"{here}.")
            x = x + y
        elif name == "batch_norm":
            x, kept = batch_norm(w, kept, here, x)
        else:
            x = RULES[name](w, here, x, **settings)
    return x, kept


def linear(w: Tree, here: str, x: Array, units: int) -> Array:
    """x·w + b."""
    return x @ w[f"{here}.weight"] + w[f"{here}.bias"]


def conv(
    w: Tree, here: str, x: Array, out_channels: int, kernel_size: int, padding: int,
    bias: bool = True,
) -> Array:  # fmt: skip
    """Over one axis or two."""
    axes = x.ndim - 2
    letters = "HW"[:axes]
    formats = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    y = lax.conv_general_dilated(
        x, w[f"{here}.weight"], (1,) * axes, [(padding, padding)] * axes, dimension_numbers=formats
    )
    return y + w[f"{here}.bias"] if bias else y


def maxpool(w: Tree, here: str, x: Array, kernel_size: int) -> Array:
    """Windows side by side, as axes of their own: quicker backwards than reduce_window."""
    inner = [size // kernel_size for size in x.shape[1:-1]]
    whole = x[(slice(None), *(slice(n * kernel_size) for n in inner))]
    split = [size for n in inner for size in (n, kernel_size)]
    axes = tuple(range(2, 2 + len(split), 2))
    return whole.reshape(len(x), *split, x.shape[-1]).max(axes)


def avgpool2d(w: Tree, here: str, x: Array, kernel_size: int, stride: int | None = None) -> Array:
    """Sums of windows."""
    steps = (1, stride or kernel_size, stride or kernel_size, 1)
    window = (1, kernel_size, kernel_size, 1)
    sums: Array = lax.reduce_window(x, 0.0, lax.add, window, steps, "VALID")
    return sums / kernel_size**2


def batch_norm(w: Tree, kept: Tree, here: str, x: Array) -> tuple[Array, Tree]:
    """Over samples, rows and columns; the running statistics follow."""
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    count = x.size // x.shape[-1]
    seen = {"running_mean": mean, "running_var": var * count / (count - 1)}
    followed = {
        f"{here}.{key}": (1 - MOMENTUM) * kept[f"{here}.{key}"] + MOMENTUM * value
        for key, value in seen.items()
    }
    normal = (x - mean) * lax.rsqrt(var + EPSILON)
    return normal * w[f"{here}.weight"] + w[f"{here}.bias"], {**kept, **followed}


def layer_norm(w: Tree, here: str, x: Array) -> Array:
    """Over channels."""
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(var + EPSILON) * w[f"{here}.weight"] + w[f"{here}.bias"]


def patches(w: Tree, here: str, x: Array, size: int) -> Array:
    """The squares of a picture as rows."""
    samples, height, width, channels = x.shape
    rows, columns = height // size, width // size
    squares = x.reshape(samples, rows, size, columns, size, channels).swapaxes(2, 3)
    return squares.reshape(samples, rows * columns, -1)


def class_token(w: Tree, here: str, x: Array) -> Array:
    """[token, x₁, …]."""
    token = jnp.broadcast_to(w[f"{here}.token"], (len(x), 1, x.shape[-1]))
    return jnp.concatenate((token, x), 1)


def attention(w: Tree, here: str, x: Array, heads: int) -> Array:
    """Self-attention through JAX's own function."""
    samples, length, channels = x.shape
    qkv = x @ w[f"{here}.in_proj_weight"] + w[f"{here}.in_proj_bias"]
    q, k, v = jnp.moveaxis(qkv.reshape(samples, length, 3, heads, -1), 2, 0)
    mixed = jax.nn.dot_product_attention(q, k, v).reshape(samples, length, channels)
    return mixed @ w[f"{here}.out_proj_weight"] + w[f"{here}.out_proj_bias"]


def lstm(w: Tree, here: str, x: Array, units: int) -> Array:
    """The last state; the inputs' products of all steps are one."""
    ih, hh, bias_ih, bias_hh = (
        w[f"{here}.{key}"] for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    given = (x @ ih + (bias_ih + bias_hh)).swapaxes(0, 1)

    def step(state: tuple[Array, Array], a: Array) -> tuple[tuple[Array, Array], None]:
        h, c = state
        i, f, g, o = jnp.split(a + h @ hh, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zeros = jnp.zeros((len(x), units), x.dtype)
    (h, _), _ = lax.scan(step, (zeros, zeros), given)
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
    "positional_embedding": lambda w, here, x: x + w[f"{here}.weight"],
    "multi_head_attention": attention,
    "select": lambda w, here, x, index: x[:, index],
    "lstm": lstm,
    "flatten": lambda w, here, x: x.reshape(len(x), -1),
    "tanh": lambda w, here, x: jnp.tanh(x),
    "relu": lambda w, here, x: jax.nn.relu(x),
    "gelu": lambda w, here, x: jax.nn.gelu(x, approximate=False),
}
