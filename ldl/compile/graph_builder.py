"""From the configuration's lists of layers to the places of a graph, with names and origins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ldl.compile.composites import Mirror, Mlp, Repeat, Residual
from ldl.compile.experiment_config import EncoderDecoder
from ldl.config import suggest
from ldl.config.tree import BlockUse, Item, KeyPath
from ldl.engine.graph import Node
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.layers.activation import Activation
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.merge import Add
from ldl.errors import ShapeError

LAYER_NAMES = {layer: name for name, layer in LAYERS.items()}


@dataclass
class ExpandedLayer:
    """An item written out: one layer, `same`, or a list of pieces, perhaps with a residual."""

    item: Item
    kind: str
    layer: Layer | None = None
    pieces: list[ExpandedLayer] | None = None
    residual: Add | None = None


MOST_LAYERS = 10_000
DEEPEST = 100  # blocks within blocks
UNKNOWN = "?"  # the value of a place whose fault is recorded; nothing more is said about it


class NetworkError(Exception):
    """Something is wrong at one place of the configuration."""

    def __init__(self, path: KeyPath, message: str) -> None:
        super().__init__(message)
        self.path, self.message = path, message


class TooLarge(NetworkError):
    """Layers beyond count; there is no use in looking further."""

    def __init__(
        self, path: KeyPath, message: str = f"the network has over {MOST_LAYERS:,} layers"
    ) -> None:
        super().__init__(path, message)


class Expander:
    """Writes composites and blocks out as their layers."""

    def __init__(self, blocks: Mapping[str, Sequence[Item]]) -> None:
        self._blocks = blocks
        self._written: dict[str, list[ExpandedLayer]] = {}
        self._count = self._depth = self._inner = 0  # _inner: depth of the deepest block within
        self._deep: dict[str, int] = {}

    def write(self, items: Sequence[Item]) -> list[ExpandedLayer]:
        """One piece an item; a block used twice is the same pieces, so it shares its layers."""
        return [self._write(item) for item in items]

    def _write(self, item: Item) -> ExpandedLayer:
        rule = item.layer
        self._count += len(rule.units) if isinstance(rule, Mlp) else 1
        if self._count > MOST_LAYERS:
            raise TooLarge(item.path)
        if rule is None:
            return ExpandedLayer(item, "")
        if isinstance(rule, BlockUse):
            return ExpandedLayer(item, rule.name, pieces=self._block(rule.name, item.path))
        if isinstance(rule, Mlp):
            layers = [x for units in rule.units for x in (Linear(units), replace(rule.activation))]
            return ExpandedLayer(item, "mlp", pieces=[bare(layer, item.path) for layer in layers])
        if isinstance(rule, Residual):
            return ExpandedLayer(item, "residual", pieces=self.write(rule.layers), residual=Add())
        if isinstance(rule, Repeat):
            rounds = [
                ExpandedLayer(Item(None, path=item.path), "", pieces=self.write(rule.layers))
                for _ in range(rule.times)
            ]
            return ExpandedLayer(item, "repeat", pieces=rounds)
        return ExpandedLayer(item, LAYER_NAMES[type(rule)], replace(rule))

    def _block(self, name: str, path: KeyPath) -> list[ExpandedLayer]:
        """A block's pieces, the same ones each time."""
        if name not in self._written:
            around, self._inner = self._inner, 0
            self._depth += 1
            if self._depth <= DEEPEST:
                self._written[name] = self.write(self._blocks[name])
            self._depth -= 1
            self._deep[name] = 1 + self._inner
            self._inner = around
        self._inner = max(self._inner, self._deep[name])
        if self._depth + self._deep[name] > DEEPEST:
            raise TooLarge(path, f"blocks within blocks, over {DEEPEST} deep")
        return self._written[name]

    def mirrored(
        self, encoder: list[ExpandedLayer], spec: TensorSpec, output: Layer
    ) -> list[ExpandedLayer]:
        """The encoder's layers backwards, without its last activations, then the output's.

        Raises NetworkError where the encoder is not a plain chain of layers that can be mirrored.
        """
        backwards: list[Layer] = []
        for piece in _chain(encoder):
            layer, path = piece.layer, piece.item.path
            if layer is None or piece.item.inputs is not None:
                raise NetworkError(path, "mirror needs an encoder that is a plain list of layers")
            try:
                backwards.append(layer.mirror(spec))
                spec = TensorSpec(layer.plan((spec,)).y)
            except ShapeError as error:
                raise NetworkError(path, str(error)) from None
        while backwards and isinstance(backwards[-1], Activation):
            backwards.pop()
        layers = [*reversed(backwards), replace(output)]
        return [bare(layer, ("network", "decoder")) for layer in layers]


def bare(layer: Layer, path: KeyPath) -> ExpandedLayer:
    """A layer that the configuration implies, without a name or references of its own."""
    return ExpandedLayer(Item(None, path=path), LAYER_NAMES[type(layer)], layer)


def _chain(pieces: Sequence[ExpandedLayer]) -> Iterator[ExpandedLayer]:
    """The single layers of nested lists, in order; a residual comes whole."""
    for piece in pieces:
        if piece.pieces is None or piece.residual is not None:
            yield piece
        else:
            yield from _chain(piece.pieces)


@dataclass
class GraphBuilder:
    """Places in the order written; where each came from; what a `from` may name."""

    inputs: Mapping[str, TensorSpec]
    writer: Expander
    places: list[Node] = field(default_factory=list)
    origins: dict[str, KeyPath] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    output: str = ""
    problems: list[NetworkError] = field(default_factory=list)
    _announced: set[str] = field(default_factory=set)
    _layers: dict[str, Layer] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values.update({name: name for name in self.inputs})

    def add(self, section: Any) -> None:
        """Write out and place a whole `network:` section; what is wrong lands in `problems`."""
        try:
            self._add(section)
        except NetworkError as error:
            self.problems.append(error)
            self.output = UNKNOWN

    def _add(self, section: Any) -> None:
        start = next(iter(self.inputs)) if len(self.inputs) == 1 else None
        if not isinstance(section, EncoderDecoder):
            self.output = self._place_all(self.writer.write(section), "", start)
            return
        encoder = self.writer.write(section.encoder)
        code = self.values["code"] = self._place_all(encoder, "encoder.", start)
        decoder = self._decoder(section.decoder, encoder, start)
        self.output = self._place_all(decoder, "decoder.", code)

    def _decoder(
        self, rule: Any, encoder: list[ExpandedLayer], start: str | None
    ) -> list[ExpandedLayer]:
        """The decoder's layers, as written or mirrored."""
        if not isinstance(rule, Mirror):
            return self.writer.write(rule)
        if start is None:
            raise NetworkError(("network", "decoder"), "mirror needs data with one input")
        return self.writer.mirrored(encoder, self.inputs[start], rule.output)

    def find(self, name: str, path: KeyPath, scope: str = "") -> str:
        """The value that `name` stands for, looked up from the inside outwards."""
        while True:
            if scope + name in self.values:
                return self.values[scope + name]
            if scope + name in self._announced:
                return scope + name
            if not scope:
                known = suggest.spelling_hint(name, list(self.values), "there are")
                raise NetworkError(path, f"no value is named {name}: {known}")
            scope = scope[: scope[:-1].rfind(".") + 1]

    def _place_all(self, pieces: Sequence[ExpandedLayer], scope: str, value: str | None) -> str:
        """Place pieces one after the other; the name of the last value."""
        single = [p.item.name for p in pieces if p.pieces is None or p.residual is not None]
        self._announced.update(scope + name for name in single if name is not None)
        for piece in pieces:
            try:
                value = self._place(piece, scope, value)
            except TooLarge:
                raise
            except NetworkError as error:
                self.problems.append(error)
                value = UNKNOWN
                if piece.item.name is not None:
                    self.values.setdefault(scope + piece.item.name, UNKNOWN)
        if not pieces:
            what = scope.strip(".") or "the network"
            self.problems.append(NetworkError(("network",), f"{what} has no layers"))
            return UNKNOWN
        return UNKNOWN if value is None else value

    def _place(self, piece: ExpandedLayer, scope: str, value: str | None) -> str:
        item, layer, kind = piece.item, piece.layer, piece.kind
        inputs = self._inputs(item, scope, value)
        if item.same is not None:
            owner = self.find(item.same, (*item.path, "same"), scope)
            if owner not in self._layers:
                message = f"{item.same} is not a single layer: only one can be applied again"
                raise NetworkError((*item.path, "same"), message)
            kind, layer = self.kinds[owner], self._layers[owner]
        name = self._name(item, scope, kind)
        if piece.pieces is not None:
            last = self._place_all(piece.pieces, f"{name}.", inputs[0])
            if piece.residual is None:
                self.values[name] = last
                return last
            inputs, layer = (inputs[0], last), piece.residual
        assert layer is not None
        if len(self.places) == MOST_LAYERS:
            raise TooLarge(item.path)
        known = UNKNOWN not in inputs
        self.values[name] = name if known else UNKNOWN
        if known:
            self.kinds[name] = kind
            if piece.residual is None:
                self._layers[name] = layer
            self.places.append(Node(name, layer, inputs))
            self.origins[name] = item.path
        return self.values[name]

    def _inputs(self, item: Item, scope: str, value: str | None) -> tuple[str, ...]:
        """The values that an item reads: those of its `from`, or the one before it."""
        if item.inputs is not None:
            path = (*item.path, "from")
            return tuple(self.find(name, path, scope) for name in item.inputs)
        if value is None:
            names = ", ".join(self.inputs)
            raise NetworkError(item.path, f"the data has the inputs {names}: say which with `from`")
        return (value,)

    def _name(self, item: Item, scope: str, kind: str) -> str:
        """`as`, or the layer's name and a number counted within its scope."""
        if item.name is not None:
            name = scope + item.name
            if name in self.values:
                raise NetworkError((*item.path, "as"), f"the name {name} is taken already")
            return name
        while True:
            self._counts[scope + kind] = number = self._counts.get(scope + kind, 0) + 1
            if f"{scope}{kind}{number}" not in self.values:
                return f"{scope}{kind}{number}"
