"""Losses: layers on (prediction, target) that give one value a sample; the graph takes the mean.

A target is dense, of the prediction's shape, or class indices (N,). Against a prediction of C
values, indices stand for one-hot rows; against a single value they are the numbers 0 and 1.
No gradient flows to targets.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import numpy as np

from ldl.engine.layer import Buffer, Layer, Node, Plan, Spec
from ldl.engine.layers.activation import Sigmoid
from ldl.engine.layers.shapes import words
from ldl.engine.memory import Array, scalar
from ldl.errors import ShapeError

TINY = 1e-12  # keeps a division or a logarithm finite; far below any value that matters


@dataclass(frozen=True, eq=False)
class Loss(Layer):
    """One value a sample from a prediction and its target.

    `absorbs` names an activation whose backward this loss can take over: it then writes the
    gradient of the activation's input, in the simpler and more exact combined form.
    """

    absorbs: ClassVar[type[Layer] | None] = None

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """One value a sample; the difference from the target is kept for backward."""
        prediction = matched(x)
        tmp = {"d": Buffer((prod(prediction.shape),))}
        if x[1].integer:
            tmp["t"] = Buffer((prod(prediction.shape),))
        return Plan(y=(), tmp=tmp)

    def bind(self, node: Node) -> None:
        """Rows (N, F) of prediction, target and gradient; ∂L/∂y, the same for every sample."""
        tmp, samples = node.tmp, len(node.x[0])
        tmp["p"] = node.x[0].reshape(samples, -1)
        if "t" in tmp:
            tmp["starts"] = np.arange(samples) * tmp["p"].shape[1]
            tmp["at"] = np.empty_like(tmp["starts"])
        else:
            tmp["t"] = node.x[1].reshape(samples, -1)
        if node.dy is not None and node.dx[0] is not None:
            tmp["dp"] = node.dx[0].reshape(samples, -1)
            tmp["dy"] = scalar(float(node.dy[0]), node.y.dtype)

    def target(self, node: Node) -> Array:
        """The dense target (N, F), from class indices where they are given."""
        tmp = node.tmp
        if "starts" not in tmp:
            return tmp["t"]
        if tmp["t"].shape[1] == 1:
            np.copyto(tmp["t"][:, 0], node.x[1])
            return tmp["t"]
        tmp["t"].fill(0.0)
        np.add(tmp["starts"], node.x[1], tmp["at"])
        np.put(tmp["t"], tmp["at"], 1.0, mode="clip")
        return tmp["t"]

    def backward_absorbed(self, node: Node) -> None:
        """Overwrite `node.dx[0]` with ∂L/∂(input of the absorbed activation)."""
        raise NotImplementedError


def matched(x: tuple[Spec, ...]) -> Spec:
    """The prediction's spec, once it is sure that the target fits it."""
    if len(x) != 2:
        raise ShapeError(f"a loss takes a prediction and a target, got {len(x)} inputs")
    prediction, target = x
    if prediction.integer:
        raise ShapeError("the prediction must be numbers, not class indices")
    if target.integer and (len(prediction.shape) > 1 or target.shape):
        raise ShapeError(
            f"class indices go with a prediction of one axis, got {words(prediction.shape)}"
        )
    if not target.integer and target.shape != prediction.shape:
        raise ShapeError(
            f"the prediction is {words(prediction.shape)} and the target {words(target.shape)}"
        )
    return prediction


@dataclass(frozen=True, eq=False)
class Reducing(Loss):
    """A loss over F values that takes their mean or their sum within each sample."""

    slope: ClassVar[float] = 1.0  # the constant in the gradient
    reduction: Literal["mean", "sum"] = "mean"

    def bind(self, node: Node) -> None:
        """As every loss, with the factor of a sample's sum, and it times ∂L/∂y and a slope."""
        super().bind(node)
        tmp = node.tmp
        scale = 1.0 / tmp["p"].shape[1] if self.reduction == "mean" else 1.0
        tmp["scale"] = scalar(scale, node.y.dtype)
        if "dy" in tmp:
            tmp["rate"] = scalar(self.slope * scale * float(node.dy[0]), node.y.dtype)


@dataclass(frozen=True, eq=False)
class Mse(Reducing):
    """L = (p − t)², averaged over the values of a sample, then over samples.

    With `reduction: sum` the squared Euclidean distance, averaged over samples.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    slope: ClassVar[float] = 2.0

    def forward(self, node: Node) -> None:
        """Overwrite y (N,)."""
        d = node.tmp["d"]
        np.subtract(node.tmp["p"], self.target(node), d)
        np.vecdot(d, d, node.y)
        np.multiply(node.y, node.tmp["scale"], node.y)

    def backward(self, node: Node) -> None:
        """∂p = 2 (p − t) · ∂y."""
        np.multiply(node.tmp["d"], node.tmp["rate"], node.tmp["dp"])


@dataclass(frozen=True, eq=False)
class Mae(Reducing):
    """L = |p − t|, averaged over the values of a sample, then over samples; slope 0 at p = t."""

    def forward(self, node: Node) -> None:
        """Overwrite y (N,)."""
        d = node.tmp["d"]
        np.subtract(node.tmp["p"], self.target(node), d)
        np.absolute(d, d)
        np.add.reduce(d, axis=1, out=node.y)
        np.multiply(node.y, node.tmp["scale"], node.y)

    def backward(self, node: Node) -> None:
        """∂p = sign(p − t) · ∂y."""
        tmp = node.tmp
        np.subtract(tmp["p"], tmp["t"], tmp["d"])
        np.sign(tmp["d"], tmp["d"])
        np.multiply(tmp["d"], tmp["rate"], tmp["dp"])


@dataclass(frozen=True, eq=False)
class Rmse(Reducing):
    """L = √(mean of (p − t)² over the values of a sample), averaged over samples.

    The root is taken a sample at a time, so for one value a sample it is the absolute error.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"y"})

    def bind(self, node: Node) -> None:
        """As every loss, with the losses as a column and one more."""
        super().bind(node)
        node.tmp["root"] = node.y.reshape(-1, 1)
        node.tmp["column"] = np.empty_like(node.tmp["root"])

    def forward(self, node: Node) -> None:
        """Overwrite y (N,)."""
        d = node.tmp["d"]
        np.subtract(node.tmp["p"], self.target(node), d)
        np.vecdot(d, d, node.y)
        np.multiply(node.y, node.tmp["scale"], node.y)
        np.sqrt(node.y, node.y)

    def backward(self, node: Node) -> None:
        """∂p = (p − t) / L · ∂y, and 0 where L is 0."""
        tmp = node.tmp
        np.maximum(tmp["root"], TINY, out=tmp["column"])
        np.divide(tmp["rate"], tmp["column"], tmp["column"])
        np.multiply(tmp["d"], tmp["column"], tmp["dp"])


@dataclass(frozen=True, eq=False)
class Bce(Reducing):
    """L = −t·log p − (1 − t)·log(1 − p), averaged over the values of a sample, then over samples.

    p are probabilities in [0, 1]; logarithms stop at −100, as PyTorch's do. Straight after a
    sigmoid its gradient is taken with respect to the sigmoid's input, where it is p − t.
    """

    absorbs: ClassVar[type[Layer] | None] = Sigmoid

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """As every loss, with one more buffer for the second logarithm."""
        base = super().plan(x)
        return Plan(y=(), tmp={**base.tmp, "u": Buffer(base.tmp["d"].shape)})

    def bind(self, node: Node) -> None:
        """As every loss, with constants and a place for the second sum."""
        super().bind(node)
        tmp = node.tmp
        tmp["sum"] = np.empty_like(node.y)
        tmp["one"] = scalar(1.0, node.y.dtype)
        np.negative(tmp["scale"], tmp["scale"])
        tmp["floor"] = np.full_like(tmp["d"], -100.0)  # NumPy's maximum is faster than against -100

    def forward(self, node: Node) -> None:
        """Overwrite y (N,); the two products are summed apart, their difference would cancel."""
        tmp = node.tmp
        p, t, d, u = tmp["p"], self.target(node), tmp["d"], tmp["u"]
        np.log(p, u)
        np.maximum(u, tmp["floor"], out=u)
        np.vecdot(t, u, node.y)
        np.subtract(tmp["one"], p, d)  # log1p would be five times slower, for 1e-7 at most
        np.log(d, d)
        np.maximum(d, tmp["floor"], out=d)
        np.subtract(tmp["one"], t, u)
        np.vecdot(u, d, tmp["sum"])
        np.add(node.y, tmp["sum"], node.y)
        np.multiply(node.y, tmp["scale"], node.y)

    def backward(self, node: Node) -> None:
        """∂p = (p − t) / (p (1 − p)) · ∂y."""
        tmp = node.tmp
        u, dp = tmp["u"], tmp["dp"]
        np.multiply(tmp["p"], tmp["p"], u)
        np.subtract(tmp["p"], u, u)
        np.maximum(u, TINY, out=u)
        self.backward_absorbed(node)
        np.divide(dp, u, dp)

    def backward_absorbed(self, node: Node) -> None:
        """∂z = (p − t) · ∂y, where p = σ(z)."""
        tmp = node.tmp
        np.subtract(tmp["p"], tmp["t"], tmp["d"])
        np.multiply(tmp["d"], tmp["rate"], tmp["dp"])


@dataclass(frozen=True, eq=False)
class CrossEntropy(Loss):
    """L = log Σ_k e^(z_k) − z_t on logits z (N, C), averaged over samples; softmax is applied here.

    The target t is a class index, or a dense row of weights: L = Σ_k t_k (log Σ e^z − z_k).
    """

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """One value a sample; the softmax is kept for backward."""
        prediction = matched(x)
        if len(prediction.shape) != 1 or prediction.shape[0] < 2:
            shape = words(prediction.shape)
            raise ShapeError(f"cross_entropy takes logits (C) of two classes or more, got {shape}")
        return Plan(y=(), tmp={"d": Buffer(prediction.shape), "row": Buffer((1,), "forward")})

    def bind(self, node: Node) -> None:
        """Views as for every loss; for class indices, where each sample's row starts."""
        tmp, (samples, classes) = node.tmp, node.x[0].shape
        tmp["sums"] = tmp["row"][:, 0]
        tmp["picked"] = np.empty_like(node.y)
        if node.x[1].ndim == 1:
            tmp["starts"] = np.arange(samples) * classes
            tmp["at"] = np.empty_like(tmp["starts"])
            tmp["shifted"] = tmp["d"].reshape(-1)
        else:
            tmp["total"] = np.empty_like(node.y)
            tmp["totals"] = tmp["total"].reshape(samples, 1)
        if node.dy is not None and node.dx[0] is not None:
            tmp["dy"] = scalar(float(node.dy[0]), node.y.dtype)
            tmp["dz"] = node.dx[0].reshape(-1)

    def forward(self, node: Node) -> None:
        """Overwrite y (N,): log Σ e^(z − max) − (z_t − max), which loses no digits to max."""
        tmp, z, d = node.tmp, node.x[0], node.tmp["d"]
        np.maximum.reduce(z, axis=1, keepdims=True, out=tmp["row"])
        np.subtract(z, tmp["row"], d)
        if "at" in tmp:
            np.add(tmp["starts"], node.x[1], tmp["at"])
            np.take(tmp["shifted"], tmp["at"], out=tmp["picked"], mode="clip")
        else:
            np.vecdot(node.x[1], d, tmp["picked"])
        np.exp(d, d)
        np.add.reduce(d, axis=1, keepdims=True, out=tmp["row"])
        np.divide(d, tmp["row"], d)
        np.log(tmp["sums"], node.y)
        if "at" not in tmp:
            np.add.reduce(node.x[1], axis=1, out=tmp["total"])
            np.multiply(node.y, tmp["total"], node.y)
        np.subtract(node.y, tmp["picked"], node.y)

    def backward(self, node: Node) -> None:
        """∂z = (softmax(z) · Σ t − t) · ∂y."""
        tmp, d, dz = node.tmp, node.tmp["d"], node.dx[0]
        if "at" in tmp:
            np.multiply(d, tmp["dy"], dz)
            np.take(tmp["dz"], tmp["at"], out=tmp["picked"], mode="clip")
            np.subtract(tmp["picked"], tmp["dy"], tmp["picked"])
            np.put(tmp["dz"], tmp["at"], tmp["picked"], mode="clip")
        else:
            np.multiply(d, tmp["totals"], dz)
            np.subtract(dz, node.x[1], dz)
            np.multiply(dz, tmp["dy"], dz)


LOSSES: dict[str, type[Loss]] = {
    "mse": Mse,
    "mae": Mae,
    "rmse": Rmse,
    "bce": Bce,
    "cross_entropy": CrossEntropy,
}
