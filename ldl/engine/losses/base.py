"""The base of losses: rows of prediction and target, a reduction, class weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call, Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.shape_checks import format_shape
from ldl.engine.memory import scalar
from ldl.errors import SettingError, ShapeError
from ldl.fields import NonNegative

InputKind = Literal["probabilities", "binary_logits", "logits", "log_probabilities"]
ClassWeights = tuple[NonNegative, ...]

TINY = 1e-12  # keeps a division or a logarithm finite; far below any value that matters


@dataclass(frozen=True)
class LossScratch:
    """Rows (N, F) of the prediction, of the dense target, and of what backward needs of them."""

    prediction: Array
    target: Array
    difference: Array


@dataclass(frozen=True, eq=False)
class Loss(Layer):
    """One value a sample from a prediction and its target.

    `fuses` names an activation whose backward this loss can take over: it then writes the
    gradient of the activation's input, in the simpler and more exact combined form. `input_kind`
    says what the outputs of a classifier trained on this loss are.
    """

    fuses: ClassVar[type[Layer] | None] = None
    input_kind: ClassVar[InputKind] = "probabilities"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """One value a sample; the difference from the target is kept for backward."""
        values = (prod(matched(x).shape),)
        buffers = {"difference": ScratchSpec(values)}
        if x[1].integer:
            buffers["target"] = ScratchSpec(values)
        return LayerPlan(y=(), buffers=buffers)

    def prepare(self, ctx: Context) -> Any:
        """Rows (N, F) of prediction and target, a LossScratch."""
        samples, target = len(ctx.x[0]), ctx.buffers.get("target", ctx.x[1])
        return LossScratch(
            ctx.x[0].reshape(samples, -1),
            target.reshape(samples, -1),
            ctx.buffers["difference"],
        )

    @staticmethod
    def make_target(ctx: Context, scratch: LossScratch) -> Iterator[Call]:
        """The calls that write the dense target of class indices; none where it is dense."""
        labels, target = ctx.x[1], scratch.target
        if "target" not in ctx.buffers:
            return
        if target.shape[1] == 1:
            yield partial(np.copyto, target[:, 0], labels)
            return
        starts = np.arange(len(target)) * target.shape[1]
        positions = np.empty_like(starts)
        yield partial(target.fill, 0.0)
        yield partial(np.add, starts, labels, positions)
        yield partial(np.put, target, positions, 1.0, mode="clip")

    @staticmethod
    def input_gradient(ctx: Context) -> Array:
        """∂L/∂p as rows (N, F)."""
        gradient: Array = ctx.dx[0].reshape(len(ctx.x[0]), -1)
        return gradient

    @property
    def decision_threshold(self) -> float:
        """The value of a single output above which it means class 1."""
        return 0.5 if self.input_kind == "probabilities" else 0.0

    def fused_backward(self, ctx: Context, scratch: Any) -> Iterator[Call]:
        """The calls that overwrite `ctx.dx[0]` with ∂L/∂(input of the fused activation)."""
        raise NotImplementedError


def matched(x: tuple[TensorSpec, ...]) -> TensorSpec:
    """The prediction's spec. Raises ShapeError where the target does not fit it."""
    if len(x) != 2:
        raise ShapeError(f"a loss takes a prediction and a target, got {len(x)} inputs")
    prediction, target = x
    if prediction.integer:
        raise ShapeError("the prediction must be numbers, not class indices")
    if target.integer and (len(prediction.shape) > 1 or target.shape):
        raise ShapeError(
            f"class indices go with a prediction of one axis, got "
            f"{format_shape(prediction.shape)}: flatten before the last layer"
        )
    if not target.integer and target.shape != prediction.shape:
        raise ShapeError(
            f"the prediction is {format_shape(prediction.shape)} and the target "
            f"{format_shape(target.shape)}"
        )
    return prediction


@dataclass(frozen=True, eq=False)
class Reducing(Loss):
    """A loss over F values that takes their mean or their sum within each sample."""

    slope: ClassVar[float] = 1.0  # the constant factor of the gradient
    reduction: Literal["mean", "sum"] = "mean"

    def scale(self, ctx: Context) -> float:
        """The factor of a sample's sum: 1/F for the mean."""
        values = ctx.x[0].size // len(ctx.x[0])
        return 1.0 / values if self.reduction == "mean" else 1.0

    def scaled(self, ctx: Context) -> Call:
        """The call that multiplies the sums in y with the factor."""
        return partial(np.multiply, ctx.y, scalar(self.scale(ctx), ctx.y.dtype), ctx.y)

    def rate(self, ctx: Context) -> Array:
        """The factor of the gradient: slope · scale · ∂L/∂y, which is the same for each sample."""
        return scalar(self.slope * self.scale(ctx) * float(ctx.dy[0]), ctx.y.dtype)


def logits_of(x: tuple[TensorSpec, ...], name: str) -> TensorSpec:
    """The prediction's spec. Raises ShapeError unless it holds values for two classes or more.

    `name` begins the message.
    """
    prediction = matched(x)
    if len(prediction.shape) != 1 or prediction.shape[0] < 2:
        shape = format_shape(prediction.shape)
        raise ShapeError(f"{name} (C) of two classes or more, got {shape}")
    return prediction


def check_weights(weights: Sequence[float] | None) -> None:
    """Raise SettingError unless some class has a weight above 0."""
    if weights is not None and not any(weights):
        raise SettingError("class_weights", "needs at least one weight above 0")


def check_count(weights: Sequence[float] | None, classes: int) -> None:
    """Raise ShapeError unless there is one weight for each class."""
    if weights is not None and len(weights) != classes:
        raise ShapeError(f"class_weights has {len(weights)} numbers for {classes} classes")
