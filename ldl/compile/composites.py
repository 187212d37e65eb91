"""Entries of the language that stand for several layers and are expanded before planning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ldl.engine.layer import Layer
from ldl.engine.layers.activation import Relu, Sigmoid
from ldl.errors import SettingError
from ldl.fields import Choice, LayerList, Range, Size


def _require_layer(setting: str, layer: Any) -> None:
    """Raises SettingError for a composite."""
    if not isinstance(layer, Layer):
        raise SettingError(setting, "takes a single layer")


@dataclass(frozen=True)
class Mlp:
    """linear, activation, linear, activation, …: one linear layer for each number of units."""

    units: list[Size]
    activation: Annotated[Any, Choice("layer")] = Relu()

    def __post_init__(self) -> None:
        """Reject a composite as the activation."""
        _require_layer("activation", self.activation)


@dataclass(frozen=True)
class Residual:
    """y = x + f(x), with f the layers in the list; f keeps the shape."""

    layers: Annotated[Any, LayerList()]


@dataclass(frozen=True)
class Repeat:
    """The layers in the list, repeated `times` times, each time with new weights."""

    times: Annotated[int, Range(1, 1000)]
    layers: Annotated[Any, LayerList()]


@dataclass(frozen=True)
class Mirror:
    """The encoder backwards, to the shape of the input, with `output` as the last activation."""

    output: Annotated[Any, Choice("layer")] = Sigmoid()

    def __post_init__(self) -> None:
        """Reject a composite as the last layer."""
        _require_layer("output", self.output)


COMPOSITES: dict[str, type] = {"mlp": Mlp, "residual": Residual, "repeat": Repeat}
DECODERS: dict[str, type] = {"mirror": Mirror}
