"""From the configuration's lists of layers to the nodes of a graph, with names and origins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ldl.compile.composites import Mirror
from ldl.compile.expander import (
    MAX_LAYERS,
    REPORTED,
    ExpandedLayer,
    Expander,
    NetworkError,
    NetworkTooLarge,
    mirror,
)
from ldl.compile.experiment_config import EncoderDecoder
from ldl.config.suggest import spelling_hint
from ldl.config.tree import Item, KeyPath, Unchecked
from ldl.engine.graph import Node
from ldl.engine.layer import Layer, TensorSpec

UNKNOWN: Final = "?"  # names the value of a node with a problem; no further problem is reported


@dataclass
class GraphBuilder:
    """Collects the nodes of a network in the order of the configuration.

    `origins` maps a node to its key path, `layer_names` to the name of its layer. `values` maps the
    names that `from` may use to nodes. `output` is the last value. `problems` are recorded, and
    building goes on.
    """

    inputs: Mapping[str, TensorSpec]
    expander: Expander
    nodes: list[Node] = field(default_factory=list)
    origins: dict[str, KeyPath] = field(default_factory=dict)
    layer_names: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    output: str = ""
    problems: list[NetworkError] = field(default_factory=list)
    _later_names: set[str] = field(default_factory=set)
    _layers: dict[str, Layer] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values.update({name: name for name in self.inputs})

    def add_network(self, section: Any) -> None:
        """Add the nodes of the section `network`, and its problems."""
        try:
            self._add_section(section)
        except NetworkError as error:
            self.problems.append(error)
            self.output = UNKNOWN

    def _add_section(self, section: Any) -> None:
        start = next(iter(self.inputs)) if len(self.inputs) == 1 else None
        if not isinstance(section, EncoderDecoder):
            self.output = self._add_all(self.expander.expand(section), "", start)
            return
        encoder = self.expander.expand(section.encoder)
        code = self.values["code"] = self._add_all(encoder, "encoder.", start)
        decoder = self._decoder(section.decoder, encoder, start)
        self.output = self._add_all(decoder, "decoder.", code)

    def _decoder(
        self, section: Any, encoder: list[ExpandedLayer], start: str | None
    ) -> list[ExpandedLayer]:
        """The layers of the decoder, as written or mirrored."""
        if not isinstance(section, Mirror):
            return self.expander.expand(section)
        if start is None:
            raise NetworkError(("network", "decoder"), "mirror needs data with one input")
        return mirror(encoder, self.inputs[start], section.output)

    def find_value(self, name: str, path: KeyPath, scope: str = "") -> str:
        """The value that a reference names, searched from `scope` outwards. Raises NetworkError."""
        while True:
            if scope + name in self.values:
                return self.values[scope + name]
            if scope + name in self._later_names:
                return scope + name
            if not scope:
                hint = spelling_hint(name, list(self.values), "there are")
                raise NetworkError(path, f"no value is named {name}; {hint}")
            scope = scope[: scope[:-1].rfind(".") + 1]

    def _add_all(self, layers: Sequence[ExpandedLayer], scope: str, value: str | None) -> str:
        """Add layers one after another, the first reading `value`; the last value."""
        single = [e.item.name for e in layers if e.parts is None or e.residual is not None]
        self._later_names.update(scope + name for name in single if name is not None)
        for expanded in layers:
            try:
                value = self._add(expanded, scope, value)
            except NetworkTooLarge:
                raise
            except NetworkError as error:
                self.problems.append(error)
                value = UNKNOWN
                if expanded.item.name is not None:
                    self.values.setdefault(scope + expanded.item.name, UNKNOWN)
        if not layers:
            title = scope.strip(".") or "the network"
            self.problems.append(NetworkError(("network",), f"{title} has no layers"))
            return UNKNOWN
        return UNKNOWN if value is None else value

    def _add(self, expanded: ExpandedLayer, scope: str, value: str | None) -> str:
        """Add one expanded layer; the name of its value. Raises NetworkError."""
        item, layer, kind = expanded.item, expanded.layer, expanded.kind
        if isinstance(item.layer, Unchecked):
            raise NetworkError(item.path, REPORTED)
        inputs = self._inputs(item, scope, value)
        if item.same is not None:
            kind, layer = self._same_layer(item.same, (*item.path, "same"), scope)
        name = self._new_name(item, scope, kind)
        if expanded.parts is not None:
            last = self._add_all(expanded.parts, f"{name}.", inputs[0])
            if expanded.residual is None:
                self.values[name] = last
                return last
            inputs, layer = (inputs[0], last), expanded.residual
        assert layer is not None
        if len(self.nodes) == MAX_LAYERS:
            raise NetworkTooLarge(item.path)
        if UNKNOWN in inputs:
            self.values[name] = UNKNOWN
            return UNKNOWN
        self.values[name] = name
        self.layer_names[name] = kind
        if expanded.residual is None:
            self._layers[name] = layer
        self.nodes.append(Node(name, layer, inputs))
        self.origins[name] = item.path
        return name

    def _same_layer(self, same: str, path: KeyPath, scope: str) -> tuple[str, Layer]:
        """The name and the layer of the node that `same` names."""
        owner = self.find_value(same, path, scope)
        if owner == UNKNOWN:
            raise NetworkError(path, REPORTED)
        if owner not in self._layers:
            message = f"{same} is not a single layer: only one can be applied again"
            raise NetworkError(path, message)
        return self.layer_names[owner], self._layers[owner]

    def _inputs(self, item: Item, scope: str, value: str | None) -> tuple[str, ...]:
        """The values that an item reads: those of its `from`, or the one before it."""
        if item.inputs is not None:
            path = (*item.path, "from")
            return tuple(self.find_value(name, path, scope) for name in item.inputs)
        if value is None:
            names = ", ".join(self.inputs)
            raise NetworkError(item.path, f"the data has the inputs {names}: say which with `from`")
        return (value,)

    def _new_name(self, item: Item, scope: str, kind: str) -> str:
        """`as`, or the name of the layer with a number that counts within the scope."""
        if item.name is not None:
            name = scope + item.name
            if name in self.values:
                raise NetworkError((*item.path, "as"), f"the name {name} is taken already")
            return name
        while True:
            self._counts[scope + kind] = number = self._counts.get(scope + kind, 0) + 1
            if f"{scope}{kind}{number}" not in self.values:
                return f"{scope}{kind}{number}"
