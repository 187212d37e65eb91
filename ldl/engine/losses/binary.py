"""Binary cross entropy, on probabilities and on logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.activation import Sigmoid
from ldl.engine.losses.base import TINY, InputKind, Reducing, Weights, check_weights
from ldl.engine.memory import scalar
from ldl.errors import SettingError


@dataclass(frozen=True, eq=False)
class _Binary(Reducing):
    """L = −w₁ t·log p − w₀ (1 − t)·log(1 − p), from the two logarithms."""

    class_weights: Weights | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are not two."""
        if self.class_weights is not None and len(self.class_weights) != 2:
            raise SettingError("class_weights", "takes two numbers: for the targets 0 and 1")
        check_weights(self.class_weights)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As every loss, with one more buffer for the second logarithm."""
        base = super().plan(x)
        return LayerPlan(y=(), tmp={**base.tmp, "u": ScratchSpec(base.tmp["d"].shape)})

    def bind(self, node: Context) -> None:
        """As every loss, with constants and a place for the second sum."""
        super().bind(node)
        tmp, dtype = node.tmp, node.y.dtype
        tmp["sum"] = np.empty_like(node.y)
        tmp["one"] = scalar(1.0, dtype)
        np.negative(tmp["scale"], tmp["scale"])
        if self.class_weights is not None:
            zero, one = self.class_weights
            tmp["w0"], tmp["w1"] = scalar(zero, dtype), scalar(one, dtype)
            tmp["w"] = scalar(one - zero, dtype)

    def _join(self, node: Context, t: Array, ones: Array, zeros: Array) -> None:
        """Overwrite y from log p and log(1 − p).

        The two products are summed apart, their difference would cancel. `ones` is lost.
        """
        tmp = node.tmp
        np.vecdot(t, ones, node.y)
        np.subtract(tmp["one"], t, ones)
        np.vecdot(ones, zeros, tmp["sum"])
        if self.class_weights is not None:
            np.multiply(node.y, tmp["w1"], node.y)
            np.multiply(tmp["sum"], tmp["w0"], tmp["sum"])
        np.add(node.y, tmp["sum"], node.y)
        np.multiply(node.y, tmp["scale"], node.y)

    def _slope(self, node: Context, p: Array, out: Array) -> None:
        """dp = (p − t) · ∂y by way of `out`; with weights ((w₁ − w₀) p − w₁) t + w₀ p for p − t."""
        tmp, dp = node.tmp, node.tmp["dp"]
        if self.class_weights is None:
            np.subtract(p, tmp["t"], out)
        else:
            np.multiply(p, tmp["w0"], dp)
            np.multiply(p, tmp["w"], out)
            np.subtract(out, tmp["w1"], out)
            np.multiply(out, tmp["t"], out)
            np.add(out, dp, out)
        np.multiply(out, tmp["rate"], dp)


@dataclass(frozen=True, eq=False)
class Bce(_Binary):
    """L = −t·log p − (1 − t)·log(1 − p), averaged over the values of a sample, then over samples.

    p are probabilities in [0, 1]; logarithms stop at −100, as PyTorch's do. Straight after a
    sigmoid its gradient is taken with respect to the sigmoid's input, where it is p − t.
    `class_weights: [w₀, w₁]` multiply the second and the first term: w₁/w₀ is PyTorch's
    pos_weight. The mean is over samples whatever the weights are.
    """

    fuses: ClassVar[type[Layer] | None] = Sigmoid

    def bind(self, node: Context) -> None:
        """As both binary losses, with the logarithms' floor."""
        super().bind(node)
        tmp = node.tmp
        tmp["floor"] = np.full_like(tmp["d"], -100.0)  # NumPy's maximum is faster than against -100

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        tmp = node.tmp
        p, t, d, u = tmp["p"], self.target(node), tmp["d"], tmp["u"]
        np.log(p, u)
        np.maximum(u, tmp["floor"], out=u)
        np.subtract(tmp["one"], p, d)  # log1p can be five times slower, for 1e-7 at most
        np.log(d, d)
        np.maximum(d, tmp["floor"], out=d)
        self._join(node, t, u, d)

    def backward(self, node: Context) -> None:
        """∂p = (p − t) / (p (1 − p)) · ∂y."""
        tmp = node.tmp
        self.fused_backward(node)
        u, dp = tmp["u"], tmp["dp"]
        np.multiply(tmp["p"], tmp["p"], u)
        np.subtract(tmp["p"], u, u)
        np.maximum(u, TINY, out=u)
        np.divide(dp, u, dp)

    def fused_backward(self, node: Context) -> None:
        """∂z = (p − t) · ∂y, where p = σ(z)."""
        self._slope(node, node.tmp["p"], node.tmp["d"])


@dataclass(frozen=True, eq=False)
class BceWithLogits(_Binary):
    """L = −t·log σ(z) − (1 − t)·log σ(−z) on logits z, averaged over the values, then over samples.

    As bce after a sigmoid, but right for any logit: log σ(z) = min(z, 0) + log max(σ(z), σ(−z)).
    `class_weights: [w₀, w₁]` multiply the second and the first term: w₁/w₀ is PyTorch's
    pos_weight. The mean is over samples whatever the weights are.
    """

    input_kind: ClassVar[InputKind] = "binary_logits"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As both binary losses; the probabilities are kept for backward."""
        base = super().plan(x)
        shape = base.tmp["d"].shape
        return LayerPlan(
            y=(), tmp={**base.tmp, "sigma": ScratchSpec(shape), "v": ScratchSpec(shape, "forward")}
        )

    def bind(self, node: Context) -> None:
        """As both binary losses, with zeros, against which NumPy compares fast."""
        super().bind(node)
        node.tmp["zeros"] = np.zeros_like(node.tmp["d"])

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        tmp = node.tmp
        z, t, d, u, v, sigma = (
            tmp["p"],
            self.target(node),
            tmp["d"],
            tmp["u"],
            tmp["v"],
            tmp["sigma"],
        )
        np.negative(z, sigma)
        np.exp(sigma, sigma)
        np.add(sigma, tmp["one"], sigma)
        np.reciprocal(sigma, sigma)
        np.subtract(tmp["one"], sigma, v)
        np.maximum(v, sigma, out=v)
        np.log(v, v)
        np.minimum(z, tmp["zeros"], out=u)
        np.add(u, v, u)
        np.maximum(z, tmp["zeros"], out=d)
        np.subtract(v, d, d)
        self._join(node, t, u, d)

    def backward(self, node: Context) -> None:
        """∂z = (σ(z) − t) · ∂y."""
        self._slope(node, node.tmp["sigma"], node.tmp["d"])
