"""Names of the language that stand for several layers; they are written out before planning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ldl.engine.layer import Layer
from ldl.engine.layers.activation import Relu, Sigmoid
from ldl.errors import SettingError
from ldl.fields import Choice, LayerList, Range, Size


def _single(setting: str, layer: Any) -> None:
    """Raises SettingError for what stands for several layers."""
    if not isinstance(layer, Layer):
        raise SettingError(setting, "takes a single layer")


@dataclass(frozen=True)
class Mlp:
    """linear, activation, linear, activation, … : one linear layer for each number of units."""

    units: list[Size]
    activation: Annotated[Any, Choice("layer")] = Relu()

    def __post_init__(self) -> None:
        """Refuse a composite as the activation."""
        _single("activation", self.activation)


@dataclass(frozen=True)
class Residual:
    """y = x + f(x), with f the layers in the list; f keeps the shape."""

    layers: Annotated[Any, LayerList()]


@dataclass(frozen=True)
class Repeat:
    """The layers in the list, `times` over, each time with weights of their own."""

    times: Annotated[int, Range(1, 1000)]
    layers: Annotated[Any, LayerList()]


@dataclass(frozen=True)
class Mirror:
    """The encoder backwards, to the input's shape, with `output` as the last activation."""

    output: Annotated[Any, Choice("layer")] = Sigmoid()

    def __post_init__(self) -> None:
        """Refuse a composite as the last layer."""
        _single("output", self.output)


COMPOSITES: dict[str, type] = {"mlp": Mlp, "residual": Residual, "repeat": Repeat}
DECODERS: dict[str, type] = {"mirror": Mirror}
