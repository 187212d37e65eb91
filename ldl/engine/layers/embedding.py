"""The embedding: a trained row for each word, class or other whole number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.engine.init import Fans, Normal
from ldl.engine.layer import Context, Layer, LayerPlan, ParameterSpec, ScratchSpec, TensorSpec
from ldl.engine.memory import scalar
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True, eq=False)
class Embedding(Layer):
    """y = w[x],  x (N, …) whole numbers 0 … V − 1, w (V, C), y (N, …, C).

    V is `entries`, C `units`. Numbers with a fraction are rounded; one out of range is taken for
    the nearest in range. No gradient flows to x. Source: PyTorch's nn.Embedding.
    """

    backward_reads: ClassVar[frozenset[str]] = frozenset()
    units: Size
    entries: Size
    init: Annotated[Any, Choice("initialiser")] = Normal(1.0)

    def plan(self, x: tuple[TensorSpec, ...]) -> LayerPlan:
        """A row for each number; the indices are kept for backward."""
        if len(x) != 1:
            raise ShapeError(f"takes one input, got {len(x)}")
        shape = x[0].shape
        weight = ParameterSpec(
            (self.entries, self.units), self.init, Fans(self.entries, self.units)
        )
        tmp = {
            "at": ScratchSpec(shape, integer=True),
            "start": ScratchSpec(shape, "backward", integer=True),
            "places": ScratchSpec((*shape, self.units), "backward", integer=True),
        }
        return LayerPlan(y=(*shape, self.units), w={"weight": weight}, tmp=tmp)

    def bind(self, node: Context) -> None:
        """Flat views, and the limits of an index."""
        tmp = node.tmp
        x = node.x[0]
        tmp["half"] = scalar(0.5 if x.dtype.kind == "f" else 0, x.dtype)  # casting cuts off
        tmp["first"], tmp["last"] = np.array(0), np.array(self.entries - 1)
        if node.dy is not None:
            tmp["columns"], tmp["units"] = np.arange(self.units), np.array(self.units)
            tmp["starts"] = tmp["start"].reshape(*tmp["start"].shape, 1)
            tmp["flat places"] = tmp["places"].reshape(-1)
            tmp["flat dy"] = node.dy.reshape(-1)
            tmp["flat dw"] = node.dw["weight"].reshape(-1)

    def forward(self, node: Context) -> None:
        """Overwrite y and the indices."""
        tmp = node.tmp
        at = tmp["at"]
        np.add(node.x[0], tmp["half"], at, casting="unsafe")
        np.maximum(at, tmp["first"], out=at)
        np.minimum(at, tmp["last"], out=at)
        np.take(node.w["weight"], at, axis=0, out=node.y, mode="clip")

    def backward(self, node: Context) -> None:
        """∂w[k] = Σ ∂y over all places where x = k, added in their order."""
        tmp = node.tmp
        np.multiply(tmp["at"], tmp["units"], tmp["start"])
        np.add(tmp["starts"], tmp["columns"], tmp["places"])
        node.dw["weight"].fill(0.0)
        # On flat arrays `add.at` is seven times faster than on rows.
        np.add.at(tmp["flat dw"], tmp["flat places"], tmp["flat dy"])
        if node.dx[0] is not None:
            node.dx[0].fill(0.0)
