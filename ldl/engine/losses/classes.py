"""Losses of classifiers: cross entropy, negative log likelihood, KL divergence, hinge."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Context, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.losses.base import (
    TINY,
    InputKind,
    Loss,
    Reducing,
    Weights,
    check_count,
    check_weights,
    logits_of,
    matched,
)
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import NonNegative, Share


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
    class_weights: Weights | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are all 0."""
        check_weights(self.class_weights)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One value a sample; kept for backward: the softmax, and a target that is not as given."""
        prediction = logits_of(x, "cross_entropy takes logits")
        check_count(self.class_weights, prediction.shape[0])
        tmp = {"d": ScratchSpec(prediction.shape), "row": ScratchSpec((1,), "forward")}
        if self.label_smoothing or self.class_weights is not None:
            tmp["t"] = ScratchSpec(prediction.shape)
        return LayerPlan(y=(), tmp=tmp)

    def bind(self, node: Context) -> None:
        """Views as for every loss; for class indices, where each sample's row starts."""
        tmp, (samples, classes) = node.tmp, node.x[0].shape
        tmp["sums"] = tmp["row"][:, 0]
        tmp["picked"] = np.empty_like(node.y)
        if node.x[1].ndim == 1:
            tmp["starts"] = np.arange(samples) * classes
            tmp["at"] = np.empty_like(tmp["starts"])
            tmp["shifted"] = tmp["d"].reshape(-1)
        if node.x[1].ndim > 1 or "t" in tmp:
            tmp["dense"] = tmp.get("t", node.x[1])
            tmp["total"] = np.empty_like(node.y)
            tmp["totals"] = tmp["total"].reshape(samples, 1)
        if "t" in tmp:
            self._bind_target(node, classes)
        if node.dy is not None and node.dx[0] is not None:
            tmp["dy"] = scalar(float(node.dy[0]), node.y.dtype)
            tmp["dz"] = node.dx[0].reshape(-1)

    def _bind_target(self, node: Context, classes: int) -> None:
        """The numbers that make a smoothed or weighted target."""
        tmp, dtype = node.tmp, node.y.dtype
        tmp["keep"] = scalar(1.0 - self.label_smoothing, dtype)
        tmp["spread"] = scalar(self.label_smoothing / classes, dtype)
        tmp["peak"] = scalar(1.0 - self.label_smoothing + self.label_smoothing / classes, dtype)
        if self.class_weights is not None:
            tmp["w"] = np.array(self.class_weights, dtype)

    def _make_target(self, node: Context) -> None:
        """Overwrite the dense target: smoothed, then weighted."""
        tmp, t = node.tmp, node.tmp["t"]
        if "at" in tmp:
            t.fill(tmp["spread"])
            np.put(t, tmp["at"], tmp["peak"], mode="clip")
        else:
            np.multiply(node.x[1], tmp["keep"], t)
            np.add(t, tmp["spread"], t)
        if "w" in tmp:
            np.multiply(t, tmp["w"], t)

    def forward(self, node: Context) -> None:
        """Overwrite y (N,): log Σ e^(z − max) − (z_t − max), which loses no digits to max."""
        tmp, z, d = node.tmp, node.x[0], node.tmp["d"]
        np.maximum.reduce(z, axis=1, keepdims=True, out=tmp["row"])
        np.subtract(z, tmp["row"], d)
        if "at" in tmp:
            np.add(tmp["starts"], node.x[1], tmp["at"])
        if "t" in tmp:
            self._make_target(node)
        if "dense" in tmp:
            np.vecdot(tmp["dense"], d, tmp["picked"])
        else:
            tmp["shifted"].take(tmp["at"], 0, tmp["picked"], "clip")
        np.exp(d, d)
        np.add.reduce(d, axis=1, keepdims=True, out=tmp["row"])
        np.divide(d, tmp["row"], d)
        np.log(tmp["sums"], node.y)
        if "dense" in tmp:
            np.add.reduce(tmp["dense"], axis=1, out=tmp["total"])
            np.multiply(node.y, tmp["total"], node.y)
        np.subtract(node.y, tmp["picked"], node.y)

    def backward(self, node: Context) -> None:
        """∂z = (softmax(z) · Σ t − t) · ∂y."""
        tmp, d, dz = node.tmp, node.tmp["d"], node.dx[0]
        if "dense" in tmp:
            np.multiply(d, tmp["totals"], dz)
            np.subtract(dz, tmp["dense"], dz)
            np.multiply(dz, tmp["dy"], dz)
        else:
            np.multiply(d, tmp["dy"], dz)
            tmp["dz"].take(tmp["at"], 0, tmp["picked"], "clip")
            np.subtract(tmp["picked"], tmp["dy"], tmp["picked"])
            tmp["dz"].put(tmp["at"], tmp["picked"], "clip")


@dataclass(frozen=True, eq=False)
class Nll(Loss):
    """L = −w_t y_t on log-probabilities y (N, C), averaged over samples: log_softmax comes before.

    The target t is a class index, or a dense row: L = −Σ_k w_k t_k y_k. `class_weights` are w;
    the mean is over samples, where PyTorch's divides by the sum of the targets' weights instead.
    """

    input_kind: ClassVar[InputKind] = "log_probabilities"
    class_weights: Weights | None = None

    def __post_init__(self) -> None:
        """Refuse weights that are all 0."""
        check_weights(self.class_weights)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """As every loss; the weighted target is kept for backward."""
        prediction = logits_of(x, "nll takes log-probabilities")
        check_count(self.class_weights, prediction.shape[0])
        return super().plan(x)

    def bind(self, node: Context) -> None:
        """As every loss, with −∂L/∂y and the classes' weights."""
        super().bind(node)
        tmp, dtype = node.tmp, node.y.dtype
        tmp["w"] = np.array(self.class_weights or [1.0] * node.x[0].shape[1], dtype)
        if "dy" in tmp:
            tmp["rate"] = scalar(-float(tmp["dy"]), dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        tmp = node.tmp
        np.multiply(self.target(node), tmp["w"], tmp["d"])
        np.vecdot(tmp["d"], tmp["p"], node.y)
        np.negative(node.y, node.y)

    def backward(self, node: Context) -> None:
        """∂y_k = −w_k t_k · ∂L."""
        np.multiply(node.tmp["d"], node.tmp["rate"], node.tmp["dp"])


@dataclass(frozen=True, eq=False)
class KlDivergence(Reducing):
    """L = Σ_k t_k (log t_k − y_k) on log-probabilities y, averaged over samples; 0 log 0 is 0.

    D(t ‖ e^y) of Kullback and Leibler, On Information and Sufficiency, 1951; PyTorch's KLDivLoss
    with `batchmean`. With `reduction: mean`, the mean over the values of a sample.
    """

    input_kind: ClassVar[InputKind] = "log_probabilities"
    slope: ClassVar[float] = -1.0
    reduction: Literal["mean", "sum"] = "sum"

    def bind(self, node: Context) -> None:
        """As every loss, with the least number that a logarithm is taken of."""
        super().bind(node)
        node.tmp["floor"] = np.full_like(node.tmp["d"], TINY)

    def forward(self, node: Context) -> None:
        """Overwrite y (N,)."""
        tmp, t, d = node.tmp, self.target(node), node.tmp["d"]
        np.maximum(t, tmp["floor"], out=d)
        np.log(d, d)
        np.subtract(d, tmp["p"], d)
        np.vecdot(t, d, node.y)
        np.multiply(node.y, tmp["scale"], node.y)

    def backward(self, node: Context) -> None:
        """∂y_k = −t_k · ∂L."""
        np.multiply(node.tmp["t"], node.tmp["rate"], node.tmp["dp"])


@dataclass(frozen=True, eq=False)
class Hinge(Loss):
    """L = max(0, m + max_{k≠t} z_k − z_t) on scores z (N, C), averaged over samples.

    m is `margin`. On a single score z of two classes, L = max(0, m − s z), s = −1 for class 0 and
    1 for class 1. Targets are class indices. Source: Crammer and Singer, On the Algorithmic
    Implementation of Multiclass Kernel-based Vector Machines, 2001 (Keras's CategoricalHinge;
    PyTorch's MultiMarginLoss adds up all k instead). Of equal rivals the first one is pushed.
    """

    input_kind: ClassVar[InputKind] = "logits"
    margin: NonNegative = 1.0

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One value a sample; the scores without the target's, and for each sample its slope."""
        prediction = matched(x)
        if not x[1].integer:
            raise ShapeError("hinge takes class indices as its target")
        return LayerPlan(y=(), tmp={"d": ScratchSpec((prod(prediction.shape),), "forward")})

    def bind(self, node: Context) -> None:
        """Rows (N, C) of scores and gradient, and where in them each sample's two places are."""
        tmp, samples, dtype = node.tmp, len(node.x[0]), node.y.dtype
        tmp["p"] = node.x[0].reshape(samples, -1)
        tmp["margin"] = scalar(self.margin, dtype)
        tmp["zeros"] = np.zeros_like(node.y)
        tmp["slope"], tmp["part"] = np.empty_like(node.y), np.empty_like(node.y)
        tmp["least"] = scalar(-np.inf, dtype)
        tmp["starts"] = np.arange(samples) * tmp["p"].shape[1]
        for name in ("at", "rival"):
            tmp[name] = np.empty_like(tmp["starts"])
        if node.dy is not None and node.dx[0] is not None:
            tmp["dp"] = node.dx[0].reshape(samples, -1)
            tmp["dy"] = scalar(float(node.dy[0]), dtype)

    def forward(self, node: Context) -> None:
        """Overwrite y (N,) and the slopes: ±1 where the margin is not kept, else 0."""
        tmp, y, slope = node.tmp, node.y, node.tmp["slope"]
        if tmp["p"].shape[1] == 1:
            np.multiply(node.x[1], 2, tmp["at"])
            np.subtract(1, tmp["at"], tmp["at"])
            np.copyto(slope, tmp["at"])
            np.multiply(tmp["p"][:, 0], slope, y)
        else:
            self._rivals(node, slope)
            np.take(tmp["p"], tmp["at"], out=y, mode="clip")
            np.subtract(slope, y, y)
            slope.fill(1.0)
        np.add(y, tmp["margin"], y)
        np.maximum(y, tmp["zeros"], out=y)
        np.greater(y, tmp["zeros"], tmp["part"])
        np.multiply(slope, tmp["part"], slope)

    def _rivals(self, node: Context, best: Array) -> None:
        """Overwrite where the target's score and its best rival's are, and the rival's score."""
        tmp, d = node.tmp, node.tmp["d"]
        np.add(tmp["starts"], node.x[1], tmp["at"])
        np.copyto(d, tmp["p"])
        np.put(d, tmp["at"], tmp["least"], mode="clip")
        d.argmax(axis=1, out=tmp["rival"])
        np.add(tmp["rival"], tmp["starts"], tmp["rival"])
        np.take(d, tmp["rival"], out=best, mode="clip")

    def backward(self, node: Context) -> None:
        """∂z: 1 at the best rival and −1 at the target where the margin is not kept, times ∂y."""
        tmp, slope, dp = node.tmp, node.tmp["slope"], node.tmp["dp"]
        part = tmp["part"]
        np.multiply(slope, tmp["dy"], part)
        if dp.shape[1] == 1:
            np.copyto(dp[:, 0], part)
            return
        dp.fill(0.0)
        np.put(dp, tmp["rival"], part, mode="clip")
        np.negative(part, part)
        np.put(dp, tmp["at"], part, mode="clip")
