"""The protocol that all layers share: what a layer says when planned and does to a node.

Letters, for the whole package: N samples in a batch, L length, H height, W width, C channels or
classes, I inputs and O outputs of a layer, F values a sample, K kernel size; x input, y output,
w weights, θ all weights in one vector, L also the loss where ∂ stands before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.communicator import ALONE, Meeting
from ldl.engine.init import Fans, Initialiser
from ldl.errors import ShapeError


@dataclass(frozen=True)
class TensorSpec:
    """One value of the graph: a sample's shape; `integer` marks class indices."""

    shape: Shape
    integer: bool = False


@dataclass(frozen=True)
class ParameterSpec:
    """A trained array: its shape, how it starts, and whether weight decay applies to it.

    One that is `behind` lies in memory right behind the one before it.
    """

    shape: Shape
    init: Initialiser
    fans: Fans
    decay: bool = True
    behind: bool = False

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)


@dataclass(frozen=True)
class ScratchSpec:
    """Scratch of a node, (N, *shape), and the passes in which its content has to last."""

    shape: Shape
    live: Literal["both", "forward", "backward"] = "both"
    integer: bool = False


@dataclass(frozen=True)
class LayerPlan:
    """What a layer needs at a node: output shape, weights, kept state, scratch, cost."""

    y: Shape
    w: Mapping[str, ParameterSpec] = field(default_factory=dict)
    state: Mapping[str, Array] = field(default_factory=dict)
    tmp: Mapping[str, ScratchSpec] = field(default_factory=dict)
    multiply_adds: int = 0
    products: int = 1  # one after the other, among which the multiply-adds are divided


@dataclass(slots=True)
class Context:
    """One place where a layer is applied; it owns that call's memory."""

    x: tuple[Array, ...]
    y: Array
    dx: tuple[Any, ...]  # arrays, or None where nobody needs that gradient
    dy: Any  # an array, of a loss one number repeated; None where there is no backward
    w: dict[str, Array]
    dw: dict[str, Array]
    state: dict[str, Array]
    tmp: dict[str, Any]  # arrays, and what bind makes of them
    rng: np.random.Generator
    train: bool
    meeting: Meeting = ALONE  # with the other parts of a divided batch
    rows: Any = None  # x[0]'s memory where samples are last, (F+1, N), with a row to spare beneath


class Window(Protocol):
    """How far a window reaches along an axis, and how far apart two windows are."""

    @property
    def reach(self) -> int:
        """From the first to the last value, both included."""
        ...

    @property
    def stride(self) -> int:
        """Values from one window to the next."""
        ...


Order = Literal["first", "same", "any"]


@dataclass(frozen=True, eq=False)
class Layer:
    """A rule from inputs to output; it holds no arrays. The same layer at two nodes shares weights.

    `backward_reads` names what backward still reads of a node: "x", "y", both or neither.
    An `in_place` layer gives the right result when y is x[0]'s memory and dx[0] is dy's.
    A `pointwise` layer mixes no positions: its values depend on the same place of its inputs.
    A `view` only renames its input's axes: the graph gives y and dx[0] the memory of x[0] and dy.
    `order` says which of its values (N, F) may have samples last in memory: none ("first"), all
    or none ("same"), or each as it comes ("any").
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x"})
    in_place: ClassVar[bool] = False
    pointwise: ClassVar[bool] = False
    view: ClassVar[bool] = False
    order: ClassVar[Order] = "first"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Shapes, weights and scratch for inputs `x`; raises ShapeError where they do not fit."""
        raise NotImplementedError

    def windows(self, x: TensorSpec) -> tuple[Window, ...]:
        """The windows that slide over each axis but the channels; none for other layers."""
        return ()

    @property
    def data_parallel(self) -> bool:
        """Whether a batch can be divided: nothing is drawn, and sums over it go by `meeting`."""
        return True

    def mirror(self, x: TensorSpec) -> Layer:
        """The layer that leads back to inputs `x`, for the decoder of an autoencoder.

        Raises ShapeError where there is none.
        """
        raise ShapeError("has no mirror image: write the decoder's layers out")

    def bind(self, node: Context) -> None:
        """Prepare once, in `node.tmp`, the views and constants that every step uses."""

    def forward(self, node: Context) -> None:
        """Overwrite `node.y` (and what backward needs in `node.tmp`)."""
        raise NotImplementedError

    def backward(self, node: Context) -> None:
        """Overwrite `node.dw` and every `node.dx` that is not None."""
        raise NotImplementedError


Call = Callable[[], object]


class Recorded(Layer):
    """A layer that does the same few calls at every step, on the same arrays.

    A binding lists them once. For small networks that counts: where a call takes a third of a
    microsecond, finding its arrays anew takes another.
    """

    def ahead(self, node: Context) -> Iterator[Call]:
        """The calls, one after the other, that overwrite `node.y`."""
        raise NotImplementedError

    def back(self, node: Context) -> Iterator[Call]:
        """The calls that overwrite `node.dw` and every `node.dx` that is not None."""
        raise NotImplementedError

    def forward(self, node: Context) -> None:
        """Do the calls."""
        for call in self.ahead(node):
            call()

    def backward(self, node: Context) -> None:
        """Do the calls."""
        for call in self.back(node):
            call()
