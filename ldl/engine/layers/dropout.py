"""Dropout: values left out at random in training, nothing when judging."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ldl.engine.layer import Context, Layer, LayerPlan, ScratchSpec, TensorSpec
from ldl.engine.layers.shape_checks import one_input
from ldl.engine.memory import scalar
from ldl.fields import Momentum


def prepare_mask(node: Context, rate: float) -> None:
    """Beside the buffer `mask`: its memory as float32 draws, and constants for `draw_mask`.

    The draws are float32 whatever the node computes in, so float64 sees the same mask.
    """
    tmp = node.tmp
    mask = tmp["mask"]
    tmp["draws"] = mask.reshape(-1).view(np.float32)[: mask.size].reshape(mask.shape)
    tmp["dropped"] = scalar(rate, np.float32)
    tmp["grown"] = scalar(1.0 / (1.0 - rate), mask.dtype)


def draw_mask(node: Context) -> None:
    """Overwrite `mask`: 0 with probability `rate`, else 1 / (1 − rate)."""
    tmp = node.tmp
    node.rng.random(out=tmp["draws"], dtype=np.float32)
    np.greater_equal(tmp["draws"], tmp["dropped"], tmp["mask"])
    np.multiply(tmp["mask"], tmp["grown"], tmp["mask"])


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """y = x · m,  m = 0 with probability `rate`, else 1 / (1 − rate), drawn for each value.

    When judging y = x. Source: Srivastava et al., Dropout, 2014, inverted, as PyTorch has it.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    in_place: ClassVar[bool] = True
    pointwise: ClassVar[bool] = True
    rate: Momentum = 0.5

    @property
    def data_parallel(self) -> bool:
        """No: the draws would depend on how the batch is divided."""
        return False

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """The input's shape; the mask is kept for backward."""
        shape = one_input(x)
        return LayerPlan(y=shape, tmp={"mask": ScratchSpec(shape)})

    def mirror(self, x: TensorSpec) -> Layer:
        """The same dropout."""
        return replace(self)

    def bind(self, node: Context) -> None:
        """Constants."""
        prepare_mask(node, self.rate)

    def forward(self, node: Context) -> None:
        """Overwrite y and the mask."""
        if node.train:
            draw_mask(node)
            np.multiply(node.x[0], node.tmp["mask"], node.y)
        elif node.y is not node.x[0]:
            np.copyto(node.y, node.x[0])

    def backward(self, node: Context) -> None:
        """∂x = ∂y · m."""
        if node.train:
            np.multiply(node.dy, node.tmp["mask"], node.dx[0])
        elif node.dx[0] is not node.dy:
            np.copyto(node.dx[0], node.dy)
