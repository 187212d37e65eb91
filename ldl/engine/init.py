"""Initialisers: the distributions from which weights start, drawn in float64."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal, Protocol

import numpy as np

from ldl.arrays import Array, Shape
from ldl.fields import NonNegative, Positive


@dataclass(frozen=True)
class Fans:
    """The number of inputs of one output of a weight, and of outputs of one input."""

    fan_in: int
    fan_out: int


class Initialiser(Protocol):
    """Draws the initial values of one weight array."""

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        ...


@dataclass(frozen=True)
class Zeros:
    """w = 0."""

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        return np.zeros(shape)


@dataclass(frozen=True)
class Ones:
    """w = 1."""

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        return np.ones(shape)


@dataclass(frozen=True)
class Normal:
    """w ~ N(mean, std²)."""

    std: NonNegative = 0.01
    mean: float = 0.0

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        return rng.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform:
    """w ~ U(−s/√fan_in, s/√fan_in), with s = `scale`.

    Source: LeCun et al., Efficient BackProp, 1998, section 4.6; with s = 1 the default of
    PyTorch's linear and convolution layers.
    """

    scale: Positive = 1.0

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        limit = self.scale / sqrt(fans.fan_in)
        return rng.uniform(-limit, limit, shape)


def _scaled(variance: float, distribution: str, shape: Shape, rng: np.random.Generator) -> Array:
    """Values of `shape` with mean 0 and this variance, from a normal or uniform distribution."""
    if distribution == "normal":
        return rng.normal(0.0, sqrt(variance), shape)
    limit = sqrt(3.0 * variance)
    return rng.uniform(-limit, limit, shape)


@dataclass(frozen=True)
class Glorot:
    """Var w = gain² · 2 / (fan_in + fan_out), mean 0; for tanh, sigmoid and linear outputs.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, 2010, equation 16.
    """

    distribution: Literal["uniform", "normal"] = "uniform"
    gain: Positive = 1.0

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        variance = self.gain**2 * 2.0 / (fans.fan_in + fans.fan_out)
        return _scaled(variance, self.distribution, shape, rng)


@dataclass(frozen=True)
class He:
    """Var w = 2 / fan_in, mean 0; for layers before a relu.

    Source: He et al., Delving Deep into Rectifiers, 2015, equation 10.
    """

    distribution: Literal["uniform", "normal"] = "uniform"

    def draw(self, shape: Shape, fans: Fans, rng: np.random.Generator) -> Array:
        """Values of `shape`, float64."""
        return _scaled(2.0 / fans.fan_in, self.distribution, shape, rng)


INITIALISERS: dict[str, type[Initialiser]] = {
    "zeros": Zeros,
    "ones": Ones,
    "normal": Normal,
    "uniform": Uniform,
    "glorot": Glorot,
    "he": He,
}
