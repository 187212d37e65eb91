"""Rows for rnn, gru and lstm; formulas go sample by sample and step by step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from ldl.arrays import Array
from ldl.engine.layers import LAYERS

from .table import Case, Input

Gates = Callable[[Array, Array, Array, Array], tuple[Array, Array]]


def rnn_step(x: Array, h: Array, h_old: Array, c_old: Array) -> tuple[Array, Array]:
    """tanh(x + h); x and h are the products of input and state, with biases."""
    return np.tanh(x + h), c_old


def relu_step(x: Array, h: Array, h_old: Array, c_old: Array) -> tuple[Array, Array]:
    """relu(x + h)."""
    return np.where(x + h > 0, x + h, 0.0), c_old


def gru_step(x: Array, h: Array, h_old: Array, c_old: Array) -> tuple[Array, Array]:
    """Gates reset, update, new; the reset gate acts on the product of the state."""
    (xr, xz, xn), (hr, hz, hn) = np.split(x, 3), np.split(h, 3)
    r, z = expit(xr + hr), expit(xz + hz)
    return (1 - z) * np.tanh(xn + r * hn) + z * h_old, c_old


def lstm_step(x: Array, h: Array, h_old: Array, c_old: Array) -> tuple[Array, Array]:
    """Gates input, forget, cell, output."""
    i, f, g, o = np.split(x + h, 4)
    c = expit(f) * c_old + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def unrolled(step: Gates, units: int, return_sequences: bool) -> Callable[..., Array]:
    """The formula: all states of each sample, or the last one."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        rows = []
        for sample in x[0]:
            h, c, states = np.zeros(units), np.zeros(units), []
            for value in sample:
                from_x = value @ w["weight_ih"] + w.get("bias_ih", 0.0)
                from_h = h @ w["weight_hh"] + w.get("bias_hh", 0.0)
                h, c = step(from_x, from_h, h, c)
                states.append(h)
            rows.append(np.stack(states) if return_sequences else h)
        return np.stack(rows)

    return formula


def recurrent_cases() -> list[Case]:
    """Rows for each kind: one step, channel or unit; all states or the last; without biases."""
    kinds = [
        ("rnn", rnn_step, {}),
        ("rnn", relu_step, {"nonlinearity": "relu"}),
        ("gru", gru_step, {}),
        ("lstm", lstm_step, {}),
    ]
    sizes = [
        ((3, 2), 3, {}),
        ((5, 3), 2, {"return_sequences": True}),
        ((1, 2), 2, {}),
        ((1, 1), 1, {"return_sequences": True}),
        ((4, 1), 3, {"bias": False}),
        ((2, 5), 1, {"bias": False, "return_sequences": True}),
        ((7, 2), 1, {}),
    ]
    return [
        Case(
            entry,
            LAYERS[entry](units, **options, **extra),
            (Input(shape),),
            unrolled(step, units, options.get("return_sequences", False)),
        )
        for entry, step, extra in kinds
        for shape, units, options in sizes
    ]
