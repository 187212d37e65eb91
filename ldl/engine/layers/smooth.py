"""Smooth activation functions: elu, gelu, silu, softplus. Each value alone; shapes stay."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.erfc import prepare, upper_tail
from ldl.engine.layer import Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar
from ldl.fields import NonNegative, Positive


@dataclass(frozen=True, eq=False)
class Elu(Activation):
    """y = x where x > 0, else α (eˣ − 1).

    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by
    Exponential Linear Units, 2016. The slope at 0 is α.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    alpha: NonNegative = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the slopes are kept from forward to backward."""
        shape = one_input(x)
        return LayerPlan(
            y=shape, tmp={"slope": ScratchSpec(shape), "work": ScratchSpec(shape, "forward")}
        )

    def bind(self, node: Context) -> None:
        """Zeros of y's shape, against which NumPy compares fast, and the constants."""
        tmp, dtype = node.tmp, node.y.dtype
        tmp["zeros"] = np.zeros_like(node.y)
        tmp["alpha"], tmp["rest"] = scalar(self.alpha, dtype), scalar(1.0 - self.alpha, dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y = max(x, 0) + α e^min(x, 0) − α, and the slopes: 1 where x > 0."""
        tmp, y, slope, work = node.tmp, node.y, node.tmp["slope"], node.tmp["work"]
        np.minimum(node.x[0], tmp["zeros"], out=slope)
        np.exp(slope, slope)
        np.multiply(slope, tmp["alpha"], slope)
        np.subtract(slope, tmp["alpha"], work)
        np.maximum(node.x[0], tmp["zeros"], out=y)
        np.add(y, work, y)
        np.greater(y, tmp["zeros"], work)
        np.multiply(work, tmp["rest"], work)
        np.add(slope, work, slope)

    def backward(self, node: Context) -> None:
        """∂x = ∂y · slope."""
        np.multiply(node.dy, node.tmp["slope"], node.dx[0])


@dataclass(frozen=True, eq=False)
class Silu(Activation):
    """y = x · σ(x), also called swish.

    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units for Neural Network Function
    Approximation in Reinforcement Learning, 2018.
    """

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; σ(x) is kept from forward to backward."""
        shape = one_input(x)
        return LayerPlan(
            y=shape, tmp={"sigma": ScratchSpec(shape), "slope": ScratchSpec(shape, "backward")}
        )

    def bind(self, node: Context) -> None:
        """The number 1."""
        node.tmp["one"] = scalar(1.0, node.y.dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        sigma = node.tmp["sigma"]
        np.negative(node.x[0], sigma)
        np.exp(sigma, sigma)
        np.add(sigma, node.tmp["one"], sigma)
        np.reciprocal(sigma, sigma)
        np.multiply(node.x[0], sigma, node.y)

    def backward(self, node: Context) -> None:
        """∂x = ∂y · (σ + y (1 − σ))."""
        sigma, slope = node.tmp["sigma"], node.tmp["slope"]
        np.subtract(node.tmp["one"], sigma, slope)
        np.multiply(slope, node.y, slope)
        np.add(slope, sigma, slope)
        np.multiply(node.dy, slope, node.dx[0])


@dataclass(frozen=True, eq=False)
class Softplus(Activation):
    """y = log(1 + e^(βx)) / β, a smooth relu.

    Computed as (max(βx, 0) + log(1 + e^−|βx|)) / β, which never overflows. With u the exponential
    and w = 1 + u as rounded, log(1 + u) is log w + (u − (w − 1)) / w: the second term is what
    rounding took, so that far left y is e^(βx) / β and not 0. PyTorch's `threshold` is not needed.
    Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option
    Pricing, 2001; the correction: Hewlett-Packard, HP-15C Advanced Functions Handbook, 1982.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x"})
    beta: Positive = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape, and scratch for u, w and w − 1."""
        shape = one_input(x)
        scratch = {name: ScratchSpec(shape, "forward") for name in ("u", "w", "v")}
        return LayerPlan(y=shape, tmp={**scratch, "slope": ScratchSpec(shape, "backward")})

    def bind(self, node: Context) -> None:
        """Zeros of y's shape, against which NumPy compares fast, and the constants."""
        tmp, dtype = node.tmp, node.y.dtype
        tmp["zeros"], tmp["one"] = np.zeros_like(node.y), scalar(1.0, dtype)
        tmp["beta"], tmp["share"] = scalar(self.beta, dtype), scalar(1.0 / self.beta, dtype)
        tmp["minus"] = scalar(-self.beta, dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y."""
        tmp, y = node.tmp, node.y
        u, w, v, one = tmp["u"], tmp["w"], tmp["v"], tmp["one"]
        np.absolute(node.x[0], u)
        np.multiply(u, tmp["minus"], u)
        np.exp(u, u)
        np.maximum(node.x[0], tmp["zeros"], out=y)
        np.multiply(y, tmp["beta"], y)
        np.add(u, one, w)
        np.subtract(w, one, v)
        np.subtract(u, v, u)
        np.divide(u, w, u)
        np.log(w, w)
        np.add(w, u, w)
        np.add(y, w, y)
        np.multiply(y, tmp["share"], y)

    def backward(self, node: Context) -> None:
        """∂x = ∂y · σ(βx)."""
        slope = node.tmp["slope"]
        np.multiply(node.x[0], node.tmp["minus"], slope)
        np.exp(slope, slope)
        np.add(slope, node.tmp["one"], slope)
        np.divide(node.dy, slope, node.dx[0])


@dataclass(frozen=True, eq=False)
class Gelu(Activation):
    """y = x Φ(x), with Φ the normal distribution: y = max(x, 0) − |x| Q(|x|), Q = ½ erfc(·/√2).

    With `approximate: tanh`, y = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), which is faster.
    Source: Hendrycks and Gimpel, Gaussian Error Linear Units, 2016; `ldl.engine.erfc` says how
    Q is computed.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    approximate: Literal["none", "tanh"] = "none"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the slopes are kept from forward to backward."""
        shape = one_input(x)
        work = {name: ScratchSpec(shape, "forward") for name in ("u", "v", "w")}
        return LayerPlan(y=shape, tmp={**work, "slope": ScratchSpec(shape)})

    def bind(self, node: Context) -> None:
        """Zeros of y's shape, against which NumPy compares fast, and the constants."""
        tmp, dtype, rate = node.tmp, node.y.dtype, sqrt(2.0 / pi)
        tmp["zeros"], tmp["half"] = np.zeros_like(node.y), scalar(0.5, dtype)
        tmp["one"], tmp["two"] = scalar(1.0, dtype), scalar(2.0, dtype)
        tmp["exponent"], tmp["peak"] = scalar(-0.5, dtype), scalar(1.0 / sqrt(2.0 * pi), dtype)
        tmp["rate"], tmp["cubic"] = scalar(rate, dtype), scalar(0.044715 * rate, dtype)
        tmp["bend"] = scalar(3.0 * 0.044715 * rate, dtype)
        prepare(dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y and the slopes."""
        if self.approximate == "tanh":
            self._by_tanh(node)
        else:
            self._by_tail(node)

    def _by_tail(self, node: Context) -> None:
        """The slope is h = Q − |x| φ(x) where x < 0, and 1 − h where x > 0."""
        tmp, x, y = node.tmp, node.x[0], node.y
        u, tail, work, slope = tmp["u"], tmp["v"], tmp["w"], tmp["slope"]
        np.absolute(x, u)
        np.multiply(u, u, slope)
        np.multiply(slope, tmp["exponent"], slope)
        np.exp(slope, slope)
        upper_tail(u, slope, tail, work)
        np.multiply(slope, tmp["peak"], slope)
        np.multiply(slope, u, slope)
        np.subtract(tail, slope, slope)
        np.multiply(u, tail, tail)
        np.greater(x, tmp["zeros"], u)
        np.multiply(slope, tmp["two"], work)
        np.subtract(tmp["one"], work, work)
        np.multiply(work, u, work)
        np.add(slope, work, slope)
        np.maximum(x, tmp["zeros"], out=y)
        np.subtract(y, tail, y)

    def _by_tanh(self, node: Context) -> None:
        """With g = ½ (1 + tanh) and c its argument's slope, y = x g and y′ = g + 2 (1 − g) y c."""
        tmp, x, y = node.tmp, node.x[0], node.y
        c, g, slope = tmp["u"], tmp["v"], tmp["slope"]
        np.multiply(x, x, c)
        np.multiply(c, tmp["cubic"], g)
        np.add(g, tmp["rate"], g)
        np.multiply(g, x, g)
        np.tanh(g, g)
        np.subtract(tmp["one"], g, slope)
        np.add(g, tmp["one"], g)
        np.multiply(g, tmp["half"], g)
        np.multiply(c, tmp["bend"], c)
        np.add(c, tmp["rate"], c)
        np.multiply(x, g, y)
        np.multiply(slope, c, slope)
        np.multiply(slope, y, slope)
        np.add(slope, g, slope)

    def backward(self, node: Context) -> None:
        """∂x = ∂y · slope."""
        np.multiply(node.dy, node.tmp["slope"], node.dx[0])
