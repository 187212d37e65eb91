"""The protocol that all layers share: a layer plans its shapes, then gives the calls of a step.

Letters, for the whole package: N samples in a batch, L length, H height, W width, C channels or
classes, I inputs and O outputs of a layer, F values of a sample, K kernel size; x input, y output,
w weights, θ all weights in one vector, L also the loss where ∂ stands before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.communicator import SINGLE_PROCESS, Communicator
from ldl.engine.init import Fans, Initialiser
from ldl.errors import ShapeError

Call = Callable[[], object]
Layout = Literal["sample_major", "uniform", "any"]


@dataclass(frozen=True)
class TensorSpec:
    """A value of the graph: the shape of one sample; `integer` marks class indices."""

    shape: Shape
    integer: bool = False


@dataclass(frozen=True)
class ParameterSpec:
    """A trained array: its shape, its initialiser, and whether weight decay applies to it.

    An `adjacent` parameter starts in memory where the one before it ends.
    """

    shape: Shape
    init: Initialiser
    fans: Fans
    decay: bool = True
    adjacent: bool = False

    @property
    def size(self) -> int:
        """The number of values."""
        return prod(self.shape)


@dataclass(frozen=True)
class ScratchSpec:
    """A buffer (N, *shape) of a node, and the passes in which its content has to last."""

    shape: Shape
    live: Literal["both", "forward", "backward"] = "both"
    integer: bool = False


@dataclass(frozen=True)
class LayerPlan:
    """What a layer needs at a node: output shape, weights, state, buffers and cost.

    `state` is kept but not trained. The multiply-adds of a sample are divided among `products`
    matrix products, one after the other.
    """

    y: Shape
    w: Mapping[str, ParameterSpec] = field(default_factory=dict)
    state: Mapping[str, Array] = field(default_factory=dict)
    buffers: Mapping[str, ScratchSpec] = field(default_factory=dict)
    multiply_adds: int = 0
    products: int = 1


@dataclass(slots=True)
class Context:
    """The memory of one node: inputs, output, their gradients, weights, buffers.

    `dx[i]` is None where no gradient flows to input i, `dy` where there is no backward; ∂L/∂y of
    a loss is one number repeated. `dw` is empty where the weights need no gradient. `padded` is
    the memory of a feature-major x[0], (F+1, N), with a spare row at the end.
    """

    x: tuple[Array, ...]
    y: Array
    dx: tuple[Any, ...]
    dy: Any
    w: dict[str, Array]
    dw: dict[str, Array]
    state: dict[str, Array]
    buffers: dict[str, Array]
    rng: np.random.Generator
    training: bool
    padded: Any = None


class Window(Protocol):
    """A window that slides along one axis."""

    @property
    def effective_kernel_size(self) -> int:
        """Values from the first to the last one of a window, both included."""
        ...

    @property
    def stride(self) -> int:
        """Values from one window to the next."""
        ...


@dataclass(frozen=True, eq=False)
class Layer:
    """A rule from inputs to output. It holds no arrays; used at two nodes it shares its weights.

    `plan` gives shapes. When the batch size is known, `prepare` makes what forward and backward
    share, and `forward` and `backward` yield their calls, which every step replays. A layer with
    logic of its own yields a single call. What a layer declares for the memory planner:

    - `backward_reads`: whether the calls of backward read "x", "y", both or neither;
    - `in_place`: the result is right when y is x[0]'s memory and dx[0] is dy's;
    - `view`: y only renames the axes of x[0], so that both share memory and there are no calls;
    - `layout`: which values (N, F) may be feature-major in memory: none ("sample_major"), all or
      none ("uniform"), or each by itself ("any").

    A `pointwise` layer mixes no positions: an output depends on its own position of the inputs.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset({"x"})
    in_place: ClassVar[bool] = False
    pointwise: ClassVar[bool] = False
    view: ClassVar[bool] = False
    layout: ClassVar[Layout] = "sample_major"

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """Shapes, weights and buffers for inputs `x`. Raises ShapeError where they do not fit."""
        raise NotImplementedError

    def windows(self, x: TensorSpec) -> tuple[Window, ...]:
        """The windows that slide over each axis but the channels; none for other layers."""
        return ()

    @property
    def data_parallel(self) -> bool:
        """Whether shards of a batch can run apart: true where no random number is drawn."""
        return True

    def mirror(self, x: TensorSpec) -> Layer:
        """The layer that leads back to inputs `x`, for the decoder of an autoencoder.

        Raises ShapeError where there is none.
        """
        raise ShapeError("has no mirror image: write the decoder's layers out")

    def prepare(self, ctx: Context) -> Any:
        """What forward and backward share: views and constants, as a dataclass of the layer's."""
        return None

    def forward(self, ctx: Context, scratch: Any) -> Iterator[Call]:
        """The calls that overwrite `ctx.y`."""
        raise NotImplementedError

    def backward(self, ctx: Context, scratch: Any) -> Iterator[Call]:
        """The calls that overwrite `ctx.dw` and every `ctx.dx` that is not None."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class CollectiveLayer(Layer):
    """A layer that needs sums over the whole batch: it gathers them from the other shards."""

    def prepare(self, ctx: Context, communicator: Communicator = SINGLE_PROCESS) -> Any:
        """As `Layer.prepare`; the calls may use the communicator."""
        return None


def prepare(layer: Layer, ctx: Context, communicator: Communicator = SINGLE_PROCESS) -> Any:
    """The scratch of a layer for one context."""
    if isinstance(layer, CollectiveLayer):
        return layer.prepare(ctx, communicator)
    return layer.prepare(ctx)
