"""What every loss has in common: rows of prediction and target, a reduction, class weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.shape_checks import words
from ldl.engine.memory import scalar
from ldl.errors import SettingError, ShapeError
from ldl.fields import NonNegative

InputKind = Literal["probabilities", "binary_logits", "logits", "log_probabilities"]
Weights = tuple[NonNegative, ...]

TINY = 1e-12  # keeps a division or a logarithm finite; far below any value that matters


@dataclass(frozen=True, eq=False)
class Loss(Layer):
    """One value a sample from a prediction and its target.

    `fuses` names an activation whose backward this loss can take over: it then writes the
    gradient of the activation's input, in the simpler and more exact combined form. `takes` says
    what the prediction of a classifier trained on this loss means.
    """

    fuses: ClassVar[type[Layer] | None] = None
    input_kind: ClassVar[InputKind] = "probabilities"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One value a sample; the difference from the target is kept for backward."""
        prediction = matched(x)
        tmp = {"d": ScratchSpec((prod(prediction.shape),))}
        if x[1].integer:
            tmp["t"] = ScratchSpec((prod(prediction.shape),))
        return LayerPlan(y=(), tmp=tmp)

    def bind(self, node: Context) -> None:
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

    def target(self, node: Context) -> Array:
        """The dense target (N, F), from class indices where they are given."""
        tmp = node.tmp
        t: Array = tmp["t"]
        if "starts" not in tmp:
            return t
        if t.shape[1] == 1:
            np.copyto(t[:, 0], node.x[1])
            return t
        t.fill(0.0)
        np.add(tmp["starts"], node.x[1], tmp["at"])
        np.put(t, tmp["at"], 1.0, mode="clip")
        return t

    @property
    def decision_threshold(self) -> float:
        """The value of a single output above which it stands for class 1."""
        return 0.5 if self.input_kind == "probabilities" else 0.0

    def fused_backward(self, node: Context) -> None:
        """Overwrite `node.dx[0]` with ∂L/∂(input of the absorbed activation)."""
        raise NotImplementedError


def matched(x: tuple[TensorSpec, ...]) -> TensorSpec:
    """The prediction's spec, once it is sure that the target fits it."""
    if len(x) != 2:
        raise ShapeError(f"a loss takes a prediction and a target, got {len(x)} inputs")
    prediction, target = x
    if prediction.integer:
        raise ShapeError("the prediction must be numbers, not class indices")
    if target.integer and (len(prediction.shape) > 1 or target.shape):
        raise ShapeError(
            f"class indices go with a prediction of one axis, got {words(prediction.shape)}: "
            "flatten before the last layer"
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

    def bind(self, node: Context) -> None:
        """As every loss, with the factor of a sample's sum, and it times ∂L/∂y and a slope."""
        super().bind(node)
        tmp = node.tmp
        scale = 1.0 / tmp["p"].shape[1] if self.reduction == "mean" else 1.0
        tmp["scale"] = scalar(scale, node.y.dtype)
        if "dy" in tmp:
            tmp["rate"] = scalar(self.slope * scale * float(node.dy[0]), node.y.dtype)


def logits_of(x: tuple[TensorSpec, ...], name: str) -> TensorSpec:
    """The prediction's spec, once it is sure that it holds a value for each of two classes or more.

    Raises ShapeError in the name of the loss.
    """
    prediction = matched(x)
    if len(prediction.shape) != 1 or prediction.shape[0] < 2:
        shape = words(prediction.shape)
        raise ShapeError(f"{name} (C) of two classes or more, got {shape}")
    return prediction


def check_weights(weights: Sequence[float] | None) -> None:
    """Raise SettingError where no class has a weight above 0."""
    if weights is not None and not any(weights):
        raise SettingError("class_weights", "needs at least one weight above 0")


def check_count(weights: Sequence[float] | None, classes: int) -> None:
    """Raise ShapeError where there is not one weight for each class."""
    if weights is not None and len(weights) != classes:
        raise ShapeError(f"class_weights has {len(weights)} numbers for {classes} classes")
