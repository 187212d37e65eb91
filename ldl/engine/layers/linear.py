"""The linear (fully connected, dense) layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np

from ldl.engine.init import Fans, Glorot, Zeros
from ldl.engine.layer import Layer, Node, Plan, Spec, Weight
from ldl.engine.layers.shapes import one_input
from ldl.errors import ShapeError
from ldl.fields import Choice, Size


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """y = x·w + b,  x (N, …, I), w (I, O), b (O,), y (N, …, O).

    Left without `units`, the last linear layer takes the size of the targets. Weights start by
    `init`, biases by `bias_init`; biases are not decayed.
    """

    pointwise: ClassVar[bool] = True
    units: Size | None = None
    bias: bool = True
    init: Annotated[Any, Choice("initialiser")] = Glorot()
    bias_init: Annotated[Any, Choice("initialiser")] = Zeros()

    def plan(self, x: tuple[Spec, ...]) -> Plan:
        """Output (…, O); N·I·O multiply-adds."""
        shape = one_input(x)
        if not shape:
            raise ShapeError("linear needs at least one axis of values, got single numbers")
        if self.units is None:
            raise ShapeError("units are missing: only the last linear layer can leave them out")
        inputs, fans = shape[-1], Fans(shape[-1], self.units)
        w = {"weight": Weight((inputs, self.units), self.init, fans)}
        if self.bias:
            w["bias"] = Weight((self.units,), self.bias_init, fans, decay=False)
        return Plan(y=(*shape[:-1], self.units), w=w, multiply_adds=prod(shape) * self.units)

    def mirror(self, x: Spec) -> Layer:
        """A linear layer with as many units as this one has inputs."""
        return replace(self, units=x.shape[-1])

    def bind(self, node: Node) -> None:
        """Two-dimensional views, and the row of ones that sums over samples as a product."""
        tmp, x, y = node.tmp, node.x[0], node.y
        tmp["x"] = x.reshape(-1, x.shape[-1])
        tmp["y"] = y.reshape(-1, y.shape[-1])
        if node.dy is not None:
            tmp["dy"] = node.dy.reshape(tmp["y"].shape)
            tmp["xT"] = tmp["x"].T
            tmp["wT"] = node.w["weight"].T
            tmp["ones"] = np.ones(len(tmp["x"]), x.dtype)
            if node.dx[0] is not None:
                tmp["dx"] = node.dx[0].reshape(tmp["x"].shape)

    def forward(self, node: Node) -> None:
        """Overwrite y."""
        y = node.tmp["y"]
        node.tmp["x"].dot(node.w["weight"], y)
        if self.bias:
            np.add(y, node.w["bias"], y)

    def backward(self, node: Node) -> None:
        """∂w = xᵀ·∂y,  ∂b = Σ ∂y,  ∂x = ∂y·wᵀ."""
        tmp = node.tmp
        dy = tmp["dy"]
        tmp["xT"].dot(dy, node.dw["weight"])
        if self.bias:
            tmp["ones"].dot(dy, node.dw["bias"])
        if node.dx[0] is not None:
            dy.dot(tmp["wT"], tmp["dx"])
