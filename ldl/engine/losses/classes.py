"""Losses of classifiers: cross entropy, negative log likelihood, KL divergence, hinge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import ClassVar, Literal

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call, Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.losses.base import (
    TINY,
    ClassWeights,
    InputKind,
    Loss,
    LossScratch,
    Reducing,
    check_count,
    check_weights,
    logits_of,
    matched,
)
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import NonNegative, Share


@dataclass(frozen=True)
class CrossEntropyScratch:
    """Positions of the target classes in the flat (N, C), or the dense target (N, C).

    `picked` is one number a sample, `totals` the sum of each row of the dense target.
    """

    positions: Array | None
    dense: Array | None
    picked: Array
    totals: Array


@dataclass(frozen=True, eq=False)
class CrossEntropy(Loss):
    """L = log Σ_k e^(z_k) − z_t on logits z (N, C), averaged over samples; softmax is applied here.

    The target t is a class index, or a dense row of weights: L = Σ_k t_k (log Σ e^z − z_k).
    `label_smoothing` ε takes (1 − ε) t + ε/C for t. `class_weights` w take w_k t_k for t_k, and
    the mean is over samples, where PyTorch's divides by the sum of the targets' weights instead.
    Source of the smoothing: Szegedy et al., Rethinking the Inception Architecture, 2016.
    """

    input_kind: ClassVar[InputKind] = "logits"
    label_smoothing: Share = 0.0
    class_weights: ClassWeights | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are all 0."""
        check_weights(self.class_weights)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One value a sample; backward needs the softmax, and a target that is transformed."""
        prediction = logits_of(x, "cross_entropy takes logits")
        check_count(self.class_weights, prediction.shape[0])
        shape = prediction.shape
        buffers = {"softmax": ScratchSpec(shape), "row": ScratchSpec((1,), "forward")}
        if self.label_smoothing or self.class_weights is not None:
            buffers["target"] = ScratchSpec(shape)
        return LayerPlan(y=(), buffers=buffers)

    def prepare(self, ctx: Context) -> CrossEntropyScratch:
        """Memory for the positions, and the dense target where there is one."""
        labels, target = ctx.x[1], ctx.buffers.get("target")
        positions = np.empty(len(labels), np.int64) if labels.ndim == 1 else None
        dense = target if target is not None or labels.ndim == 1 else labels
        return CrossEntropyScratch(positions, dense, np.empty_like(ctx.y), np.empty_like(ctx.y))

    def _make_target(self, ctx: Context, positions: Array | None) -> Iterator[Call]:
        """Overwrite the dense target: smoothed, then weighted."""
        t, dtype, smoothing = ctx.buffers["target"], ctx.y.dtype, self.label_smoothing
        spread = smoothing / t.shape[1]
        if positions is not None:
            yield partial(t.fill, scalar(spread, dtype))
            peak = scalar(1.0 - smoothing + spread, dtype)
            yield partial(np.put, t, positions, peak, mode="clip")
        else:
            yield partial(np.multiply, ctx.x[1], scalar(1.0 - smoothing, dtype), t)
            yield partial(np.add, t, scalar(spread, dtype), t)
        if self.class_weights is not None:
            yield partial(np.multiply, t, np.array(self.class_weights, dtype), t)

    def forward(self, ctx: Context, scratch: CrossEntropyScratch) -> Iterator[Call]:
        """Overwrite y (N,): log Σ e^(z − max) − (z_t − max), in which max costs no digits."""
        z, y, softmax, row = ctx.x[0], ctx.y, ctx.buffers["softmax"], ctx.buffers["row"]
        positions, dense, picked = scratch.positions, scratch.dense, scratch.picked
        yield partial(np.maximum.reduce, z, axis=1, keepdims=True, out=row)
        yield partial(np.subtract, z, row, softmax)
        if positions is not None:
            yield partial(np.add, np.arange(len(z)) * z.shape[1], ctx.x[1], positions)
        if "target" in ctx.buffers:
            yield from self._make_target(ctx, positions)
        if dense is not None:
            yield partial(np.vecdot, dense, softmax, picked)
        else:
            yield partial(softmax.reshape(-1).take, positions, 0, picked, "clip")
        yield partial(np.exp, softmax, softmax)
        yield partial(np.add.reduce, softmax, axis=1, keepdims=True, out=row)
        yield partial(np.divide, softmax, row, softmax)
        yield partial(np.log, row[:, 0], y)
        if dense is not None:
            yield partial(np.add.reduce, dense, axis=1, out=scratch.totals)
            yield partial(np.multiply, y, scratch.totals, y)
        yield partial(np.subtract, y, picked, y)

    def backward(self, ctx: Context, scratch: CrossEntropyScratch) -> Iterator[Call]:
        """∂z = (softmax(z) · Σ t − t) · ∂y."""
        softmax, dz, picked = ctx.buffers["softmax"], ctx.dx[0], scratch.picked
        dy = scalar(float(ctx.dy[0]), ctx.y.dtype)
        if scratch.dense is not None:
            yield partial(np.multiply, softmax, scratch.totals[:, None], dz)
            yield partial(np.subtract, dz, scratch.dense, dz)
            yield partial(np.multiply, dz, dy, dz)
        else:
            flat, positions = dz.reshape(-1), scratch.positions
            yield partial(np.multiply, softmax, dy, dz)
            yield partial(flat.take, positions, 0, picked, "clip")
            yield partial(np.subtract, picked, dy, picked)
            yield partial(flat.put, positions, picked, "clip")


@dataclass(frozen=True, eq=False)
class Nll(Loss):
    """L = −w_t y_t on log-probabilities y (N, C), averaged over samples: log_softmax comes before.

    The target t is a class index, or a dense row: L = −Σ_k w_k t_k y_k. `class_weights` are w;
    the mean is over samples, where PyTorch's divides by the sum of the targets' weights instead.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    input_kind: ClassVar[InputKind] = "log_probabilities"
    class_weights: ClassWeights | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are all 0."""
        check_weights(self.class_weights)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As every loss; the weighted target is kept for backward."""
        prediction = logits_of(x, "nll takes log-probabilities")
        check_count(self.class_weights, prediction.shape[0])
        return super().plan(x)

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        classes, weighted = ctx.x[0].shape[1], scratch.difference
        w = np.array(self.class_weights or [1.0] * classes, ctx.y.dtype)
        yield from self.make_target(ctx, scratch)
        yield partial(np.multiply, scratch.target, w, weighted)
        yield partial(np.vecdot, weighted, scratch.prediction, ctx.y)
        yield partial(np.negative, ctx.y, ctx.y)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂y_k = −w_k t_k · ∂L."""
        rate = scalar(-float(ctx.dy[0]), ctx.y.dtype)
        yield partial(np.multiply, scratch.difference, rate, self.input_gradient(ctx))


@dataclass(frozen=True, eq=False)
class KlDivergence(Reducing):
    """L = Σ_k t_k (log t_k − y_k) on log-probabilities y, averaged over samples; 0 log 0 is 0.

    D(t ‖ e^y) of Kullback and Leibler, On Information and Sufficiency, 1951; PyTorch's KLDivLoss
    with `batchmean`. With `reduction: mean`, the mean over the values of a sample.
    """

    input_kind: ClassVar[InputKind] = "log_probabilities"
    slope: ClassVar[float] = -1.0
    reduction: Literal["mean", "sum"] = "sum"

    def forward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """Overwrite y (N,)."""
        t, d = scratch.target, scratch.difference
        yield from self.make_target(ctx, scratch)
        yield partial(np.maximum, t, np.full_like(d, TINY), out=d)
        yield partial(np.log, d, d)
        yield partial(np.subtract, d, scratch.prediction, d)
        yield partial(np.vecdot, t, d, ctx.y)
        yield self.scaled(ctx)

    def backward(self, ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """∂y_k = −t_k · ∂L."""
        yield partial(np.multiply, scratch.target, self.rate(ctx), self.input_gradient(ctx))


@dataclass(frozen=True)
class HingeScratch:
    """Scores (N, C); positions of targets and best rivals in the flat scores; the slopes (N,)."""

    scores: Array
    targets: Array
    rivals: Array
    slopes: Array


@dataclass(frozen=True, eq=False)
class Hinge(Loss):
    """L = max(0, m + max_{k≠t} z_k − z_t) on scores z (N, C), averaged over samples.

    m is `margin`. On a single score z of two classes, L = max(0, m − s z), s = −1 for class 0 and
    1 for class 1. Targets are class indices. Source: Crammer and Singer, On the Algorithmic
    Implementation of Multiclass Kernel-based Vector Machines, 2001 (Keras's CategoricalHinge;
    PyTorch's MultiMarginLoss adds up all k instead). The first of equal rivals gets the gradient.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    input_kind: ClassVar[InputKind] = "logits"
    margin: NonNegative = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One value a sample; a buffer for the scores without the target's."""
        prediction = matched(x)
        if not x[1].integer:
            raise ShapeError("hinge takes class indices as its target")
        return LayerPlan(
            y=(), buffers={"rivals": ScratchSpec((prod(prediction.shape),), "forward")}
        )

    def prepare(self, ctx: Context) -> HingeScratch:
        """Rows (N, C) of scores, and memory for positions and slopes."""
        samples = len(ctx.x[0])
        targets, rivals = np.empty(samples, np.int64), np.empty(samples, np.int64)
        scores = ctx.x[0].reshape(samples, -1)
        return HingeScratch(scores, targets, rivals, np.empty_like(ctx.y))

    def forward(self, ctx: Context, scratch: HingeScratch) -> Iterator[Call]:
        """Overwrite y (N,) and the slopes: ±1 where the margin is not kept, else 0."""
        y, slopes, scores, targets = ctx.y, scratch.slopes, scratch.scores, scratch.targets
        zeros, positive = np.zeros_like(y), np.empty_like(y)
        if scores.shape[1] == 1:
            yield partial(np.multiply, ctx.x[1], 2, targets)
            yield partial(np.subtract, 1, targets, targets)
            yield partial(np.copyto, slopes, targets)
            yield partial(np.multiply, scores[:, 0], slopes, y)
        else:
            yield from self._best_rivals(ctx, scratch)
            yield partial(np.take, scores, targets, out=y, mode="clip")
            yield partial(np.subtract, slopes, y, y)
            yield partial(slopes.fill, 1.0)
        yield partial(np.add, y, scalar(self.margin, y.dtype), y)
        yield partial(np.maximum, y, zeros, out=y)
        yield partial(np.greater, y, zeros, positive)
        yield partial(np.multiply, slopes, positive, slopes)

    @staticmethod
    def _best_rivals(ctx: Context, scratch: HingeScratch) -> Iterator[Call]:
        """Overwrite the positions of target and best rival; `slopes` gets the rival's score."""
        other_scores, targets, rivals = ctx.buffers["rivals"], scratch.targets, scratch.rivals
        starts = np.arange(len(targets)) * scratch.scores.shape[1]
        yield partial(np.add, starts, ctx.x[1], targets)
        yield partial(np.copyto, other_scores, scratch.scores)
        yield partial(np.put, other_scores, targets, scalar(-np.inf, ctx.y.dtype), mode="clip")
        yield partial(other_scores.argmax, axis=1, out=rivals)
        yield partial(np.add, rivals, starts, rivals)
        yield partial(np.take, other_scores, rivals, out=scratch.slopes, mode="clip")

    def backward(self, ctx: Context, scratch: HingeScratch) -> Iterator[Call]:
        """∂z: 1 at the best rival and −1 at the target where the margin is not kept, times ∂y."""
        dz, share = self.input_gradient(ctx), np.empty_like(ctx.y)
        dy = scalar(float(ctx.dy[0]), ctx.y.dtype)
        yield partial(np.multiply, scratch.slopes, dy, share)
        if dz.shape[1] == 1:
            yield partial(np.copyto, dz[:, 0], share)
            return
        yield partial(dz.fill, 0.0)
        yield partial(np.put, dz, scratch.rivals, share, mode="clip")
        yield partial(np.negative, share, share)
        yield partial(np.put, dz, scratch.targets, share, mode="clip")
