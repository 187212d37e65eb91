"""Expansion of composites and blocks into single layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ldl.compile.composites import Mlp, Repeat, Residual
from ldl.compile.registries import LAYER_NAMES
from ldl.config.tree import BlockUse, Item, KeyPath, Unchecked
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers.activation import Activation, Identity
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.merge import Add
from ldl.errors import ShapeError

REPORTED: Final = ""  # the message of a NetworkError whose cause is a problem reported already
MAX_LAYERS: Final = 10_000
MAX_BLOCK_DEPTH: Final = 100  # of blocks within blocks


class NetworkError(Exception):
    """A problem of the network, at one key path of the configuration."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


class NetworkTooLarge(NetworkError):
    """The network exceeds a limit; nothing further is checked."""

    def __init__(
        self, path: KeyPath, message: str = f"the network has over {MAX_LAYERS:,} layers"
    ) -> None:
        super().__init__(path, message)


@dataclass
class ExpandedLayer:
    """An item of the configuration, expanded: one layer, `same`, or a list of expanded layers.

    `kind` is the name of the item's layer, composite or block. `residual` adds the input of
    `parts` to their output.
    """

    item: Item
    kind: str
    layer: Layer | None = None
    parts: list[ExpandedLayer] | None = None
    residual: Add | None = None


class Expander:
    """Expands the items of a configuration with these named blocks."""

    def __init__(self, blocks: Mapping[str, Sequence[Item]]) -> None:
        self._blocks = blocks
        self._expanded_blocks: dict[str, list[ExpandedLayer]] = {}
        self._block_depths: dict[str, int] = {}  # of blocks within each block, itself included
        self._layers = 0
        self._depth = 0  # of the block that is being expanded
        self._depth_below = 0  # of the blocks within it so far

    def expand(self, items: Sequence[Item]) -> list[ExpandedLayer]:
        """One ExpandedLayer for each item; uses of one block share its layers.

        Raises NetworkTooLarge.
        """
        return [self._expand_item(item) for item in items]

    def _expand_item(self, item: Item) -> ExpandedLayer:
        entry = item.layer
        self._layers += len(entry.units) if isinstance(entry, Mlp) else 1
        if self._layers > MAX_LAYERS:
            raise NetworkTooLarge(item.path)
        match entry:
            case None:
                return ExpandedLayer(item, "")
            case Unchecked():
                return ExpandedLayer(item, "")
            case BlockUse(name):
                return ExpandedLayer(item, name, parts=self._expand_block(name, item.path))
            case Mlp():
                layers = [x for n in entry.units for x in (Linear(n), replace(entry.activation))]
                parts = [implied_layer(layer, item.path) for layer in layers]
                return ExpandedLayer(item, "mlp", parts=parts)
            case Residual():
                return ExpandedLayer(item, "residual", None, self.expand(entry.layers), Add())
            case Repeat():
                repetitions = [
                    ExpandedLayer(Item(None, path=item.path), "", parts=self.expand(entry.layers))
                    for _ in range(entry.times)
                ]
                return ExpandedLayer(item, "repeat", parts=repetitions)
        return ExpandedLayer(item, LAYER_NAMES[type(entry)], replace(entry))

    def _expand_block(self, name: str, path: KeyPath) -> list[ExpandedLayer]:
        """The layers of a block, the same objects each time."""
        if name not in self._expanded_blocks:
            outer_depth_below, self._depth_below = self._depth_below, 0
            self._depth += 1
            if self._depth <= MAX_BLOCK_DEPTH:
                self._expanded_blocks[name] = self.expand(self._blocks[name])
            self._depth -= 1
            self._block_depths[name] = 1 + self._depth_below
            self._depth_below = outer_depth_below
        self._depth_below = max(self._depth_below, self._block_depths[name])
        if self._depth + self._block_depths[name] > MAX_BLOCK_DEPTH:
            raise NetworkTooLarge(path, f"blocks within blocks, over {MAX_BLOCK_DEPTH} deep")
        return self._expanded_blocks[name]


def implied_layer(layer: Layer, path: KeyPath) -> ExpandedLayer:
    """A layer that the configuration implies; it has no name and no references."""
    return ExpandedLayer(Item(None, path=path), LAYER_NAMES[type(layer)], layer)


def mirror(
    encoder: Sequence[ExpandedLayer], spec: TensorSpec, output: Layer
) -> list[ExpandedLayer]:
    """The decoder that mirrors an encoder of inputs `spec`: its layers backwards, then `output`.

    Activations that end the encoder are left out. Raises NetworkError where the encoder is no plain
    list of layers that can be mirrored.
    """
    mirrored: list[Layer] = []
    for expanded in _single_layers(encoder):
        layer, path = expanded.layer, expanded.item.path
        if isinstance(expanded.item.layer, Unchecked):
            raise NetworkError(path, REPORTED)
        if layer is None or expanded.item.inputs is not None:
            raise NetworkError(path, "mirror needs an encoder that is a plain list of layers")
        try:
            mirrored.append(layer.mirror(spec))
            spec = TensorSpec(layer.plan((spec,)).y)
        except ShapeError as error:
            raise NetworkError(path, str(error)) from None
    while mirrored and isinstance(mirrored[-1], Activation | Identity):
        mirrored.pop()
    layers = [*reversed(mirrored), replace(output)]
    return [implied_layer(layer, ("network", "decoder")) for layer in layers]


def _single_layers(expanded_layers: Sequence[ExpandedLayer]) -> Iterator[ExpandedLayer]:
    """The single layers of nested lists, in order; a residual is one of them."""
    for expanded in expanded_layers:
        if expanded.parts is None or expanded.residual is not None:
            yield expanded
        else:
            yield from _single_layers(expanded.parts)
