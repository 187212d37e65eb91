"""Binary cross entropy, on probabilities and on logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call, Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.activation import Sigmoid
from ldl.engine.losses.base import (
    TINY,
    ClassWeights,
    InputKind,
    LossScratch,
    Reducing,
    check_weights,
)
from ldl.engine.memory import scalar
from ldl.errors import SettingError


@dataclass(frozen=True, eq=False)
class _BinaryCrossEntropy(Reducing):
    """L = −w₁ t·log p − w₀ (1 − t)·log(1 − p), from the two logarithms."""

    class_weights: ClassWeights | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are not two."""
        if self.class_weights is not None and len(self.class_weights) != 2:
            raise SettingError("class_weights", "takes two numbers: for the targets 0 and 1")
        check_weights(self.class_weights)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As every loss, with one more buffer, for a logarithm."""
        buffers = dict(super().plan(x).buffers)
        return LayerPlan(y=(), buffers={**buffers, "log": ScratchSpec(buffers["difference"].shape)})

    def _join(self, ctx: Context, target: Array, log_p: Array, log_q: Array) -> Iterator[Call]:
        """Overwrite y from log p and q = log(1 − p); `log_p` is overwritten.

        The two products are summed separately, because their difference would cancel.
        """
        dtype, sums = ctx.y.dtype, np.empty_like(ctx.y)
        yield partial(np.vecdot, target, log_p, ctx.y)
        yield partial(np.subtract, scalar(1.0, dtype), target, log_p)
        yield partial(np.vecdot, log_p, log_q, sums)
        if self.class_weights is not None:
            w0, w1 = self.class_weights
            yield partial(np.multiply, ctx.y, scalar(w1, dtype), ctx.y)
            yield partial(np.multiply, sums, scalar(w0, dtype), sums)
        yield partial(np.add, ctx.y, sums, ctx.y)
        yield partial(np.multiply, ctx.y, scalar(-self.scale(ctx), dtype), ctx.y)

    def _logit_gradient(
        self, ctx: Context, scratch: LossScratch, probabilities: Array
    ) -> Iterator[Call]:
        """∂z = (p − t) · ∂y; with weights ((w₁ − w₀) p − w₁) t + w₀ p in place of p − t."""
        dz, dtype, work = self.input_gradient(ctx), ctx.y.dtype, scratch.difference
        if self.class_weights is None:
            yield partial(np.subtract, probabilities, scratch.target, work)
        else:
            w0, w1 = self.class_weights
            yield partial(np.multiply, probabilities, scalar(w0, dtype), dz)
            yield partial(np.multiply, probabilities, scalar(w1 - w0, dtype), work)
            yield partial(np.subtract, work, scalar(w1, dtype), work)
            yield partial(np.multiply, work, scratch.target, work)
            yield partial(np.add, work, dz, work)
        yield partial(np.multiply, work, self.rate(ctx), dz)


@dataclass(frozen=True, eq=False)
class Bce(_BinaryCrossEntropy):
    """L = −t·log p − (1 − t)·log(1 − p), averaged over the values of a sample, then over samples.

    p are probabilities in [0, 1]; logarithms stop at −100, as PyTorch's do. Straight after a
    sigmoid its gradient is taken with respect to the sigmoid's input, where it is p − t.
    `class_weights: [w₀, w₁]` multiply the second and the first term: w₁/w₀ is PyTorch's
    pos_weight. The mean is over samples whatever the weights are.
    """

    fuses: ClassVar[type[Layer] | None] = Sigmoid

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        p, log_p, log_q = scratch.prediction, ctx.buffers["log"], scratch.difference
        floor = np.full_like(log_p, -100.0)  # NumPy's maximum is slower against the number
        yield from self.make_target(ctx, scratch)
        yield partial(np.log, p, log_p)
        yield partial(np.maximum, log_p, floor, out=log_p)
        # log1p can be five times slower, for an error of 1e-7 at most.
        yield partial(np.subtract, scalar(1.0, p.dtype), p, log_q)
        yield partial(np.log, log_q, log_q)
        yield partial(np.maximum, log_q, floor, out=log_q)
        yield from self._join(ctx, scratch.target, log_p, log_q)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂p = (p − t) / (p (1 − p)) · ∂y."""
        p, dp, variance = scratch.prediction, self.input_gradient(ctx), ctx.buffers["log"]
        yield from self.fused_backward(ctx, scratch)
        yield partial(np.subtract, scalar(1.0, p.dtype), p, variance)  # p − p² would cancel
        yield partial(np.multiply, variance, p, variance)
        yield partial(np.maximum, variance, TINY, out=variance)
        yield partial(np.divide, dp, variance, dp)

    def fused_backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂z = (p − t) · ∂y, where p = σ(z)."""
        return self._logit_gradient(ctx, scratch, scratch.prediction)


@dataclass(frozen=True, eq=False)
class BceWithLogits(_BinaryCrossEntropy):
    """L = −t·log σ(z) − (1 − t)·log σ(−z) on logits z, averaged over the values, then over samples.

    As bce after a sigmoid, but right for any logit: log σ(z) = min(z, 0) + log max(σ(z), σ(−z)).
    `class_weights: [w₀, w₁]` multiply the second and the first term: w₁/w₀ is PyTorch's
    pos_weight. The mean is over samples whatever the weights are.
    """

    input_kind: ClassVar[InputKind] = "binary_logits"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As both binary losses; the probabilities are kept for backward."""
        buffers = dict(super().plan(x).buffers)
        shape = buffers["difference"].shape
        buffers |= {"sigma": ScratchSpec(shape), "work": ScratchSpec(shape, "forward")}
        return LayerPlan(y=(), buffers=buffers)

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        z, log_p, log_q = scratch.prediction, ctx.buffers["log"], scratch.difference
        sigma, work = ctx.buffers["sigma"], ctx.buffers["work"]
        one, zeros = scalar(1.0, z.dtype), np.zeros_like(log_q)
        yield from self.make_target(ctx, scratch)
        yield partial(np.negative, z, sigma)
        yield partial(np.exp, sigma, sigma)
        yield partial(np.add, sigma, one, sigma)
        yield partial(np.reciprocal, sigma, sigma)
        yield partial(np.subtract, one, sigma, work)
        yield partial(np.maximum, work, sigma, out=work)
        yield partial(np.log, work, work)
        yield partial(np.minimum, z, zeros, out=log_p)
        yield partial(np.add, log_p, work, log_p)
        yield partial(np.maximum, z, zeros, out=log_q)
        yield partial(np.subtract, work, log_q, log_q)
        yield from self._join(ctx, scratch.target, log_p, log_q)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂z = (σ(z) − t) · ∂y."""
        return self._logit_gradient(ctx, scratch, ctx.buffers["sigma"])
