"""Random layer graphs: all layers and losses, values with several readers, shared weights."""

from __future__ import annotations

from math import prod

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.init import Normal
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES, Loss

# Layers for values of any shape, and layers for sequences (L, C) with their settings.
ANY_SHAPE = (
    *("identity", "tanh", "sigmoid", "relu", "leaky_relu", "softmax", "flatten"),
    *("log_softmax", "elu", "gelu", "silu", "softplus", "layer_norm", "batch_norm", "dropout"),
)
SEQUENCES: dict[str, tuple[object, ...]] = {
    "select": (-1,),
    "mean": (0,),
    "class_token": (Normal(0.5),),
    "positional_embedding": ("learned", Normal(0.5)),
    "multi_head_attention": (1, 0.3, True, False, Normal(0.5)),
}
# Entries of random choices; film replaces half of the multiply layers.
DRAWN_ENTRIES = (*ANY_SHAPE, *SEQUENCES, "linear", "add", "multiply", "concat", "reshape")
LAYER_ENTRIES = (*DRAWN_ENTRIES, "film")

INPUTS: dict[str, Shape] = {"a": (4,), "b": (2, 3), "c": (6,)}


class GraphGenerator:
    """Builds one graph from a seed; `shapes` holds the values that exist so far.

    With `value_targets` a value of the graph may be the target of a loss.
    """

    def __init__(self, seed: int, value_targets: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.value_targets = value_targets
        self.inputs = {name: TensorSpec(shape) for name, shape in INPUTS.items()}
        self.shapes: dict[str, Shape] = dict(INPUTS)
        self.nodes: list[Node] = []
        self.losses: list[LossNode] = []
        self.linears: list[tuple[int, Layer]] = []

    def graph(self) -> Graph:
        """4 to 16 layers or more, and 1 to 3 losses, declared in random order."""
        for _ in range(self.rng.integers(4, 17)):
            self.add_layer(
                str(self.rng.choice([*DRAWN_ENTRIES, *["linear"] * 5, "add", "sigmoid"]))
            )
        for _ in range(self.rng.integers(1, 4)):
            self.add_loss(str(self.rng.choice([*LOSSES, *["bce"] * len(LOSSES)])))
        nodes, losses = self.rng.permutation(self.nodes), self.rng.permutation(self.losses)
        return Graph(self.inputs, list(nodes), list(losses))

    def value(self, *, shape: Shape | None = None) -> str:
        """The name of a value, more often a late one; of the given shape, if there is one."""
        candidates = [n for n, s in self.shapes.items() if shape is None or s == shape]
        position = min(self.rng.geometric(0.25), len(candidates))
        return candidates[-position]

    def add_node(self, layer: Layer, *inputs: str) -> str:
        """Add a node with this layer; the name of its output."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(Node(name, layer, inputs))
        self.shapes[name] = layer.plan(tuple(TensorSpec(self.shapes[n]) for n in inputs)).y
        return name

    def add_layer(self, entry: str) -> str:
        """Add the named layer on values of a shape that it takes; the name of its output."""
        x = self.value()
        shape = self.shapes[x]
        if entry == "linear":
            return self.add_node(self.linear(shape[-1]), x)
        if entry in ("add", "multiply"):
            further = [self.value(shape=shape) for _ in range(self.rng.integers(1, 4))]
            if entry == "multiply" and len(self.nodes) % 2:
                condition = next(n for n in reversed(self.shapes) if len(self.shapes[n]) == 1)
                return self.add_node(LAYERS["film"](Normal(0.5)), x, condition)
            return self.add_node(LAYERS[entry](), x, *further)
        if entry == "concat":
            axis = int(self.rng.integers(len(shape)))
            candidates = [n for n, s in self.shapes.items() if equal_except_along(axis, s, shape)]
            further = [str(n) for n in self.rng.choice(candidates, self.rng.integers(1, 3))]
            return self.add_node(LAYERS["concat"](axis), x, *further)
        if entry == "reshape":
            size = prod(shape)
            rows = int(self.rng.choice([k for k in range(1, size + 1) if size % k == 0]))
            return self.add_node(LAYERS["reshape"]((rows, -1)), x)
        if entry in SEQUENCES:
            if len(shape) != 2:
                x = self.add_node(LAYERS["reshape"]((-1, shape[-1])), x)
            return self.add_node(LAYERS[entry](*SEQUENCES[entry]), x)
        return self.add_node(LAYERS[entry](), x)

    def linear(self, size: int) -> Layer:
        """A new linear layer, or one that is in the graph already."""
        candidates = [layer for inputs, layer in self.linears if inputs == size]
        if candidates and self.rng.random() < 0.5:
            return candidates[-1]
        units = int(self.rng.integers(1, 6))
        layer = LAYERS["linear"](units, bool(self.rng.integers(2)), Normal(0.7), Normal(0.5))
        self.linears.append((size, layer))
        return layer

    def add_loss(self, entry: str) -> None:
        """Add a loss of some value, with an input or a value of the graph as its target."""
        x = self.value()
        on_scores = entry in ("cross_entropy", "nll", "hinge")
        if on_scores:
            x = self.add_node(LAYERS["flatten"](), x)
            x = self.add_node(self.linear(self.shapes[x][-1]), x)
            if self.shapes[x] == (1,):
                x = self.add_node(LAYERS["concat"](), x, x)
        if entry == "bce":
            probabilities = [p.name for p in self.nodes if isinstance(p.layer, LAYERS["sigmoid"])]
            x = probabilities[-1] if probabilities else self.add_node(LAYERS["sigmoid"](), x)
        reduction = () if on_scores else (self.rng.choice(["mean", "sum"]),)
        weight, name = float(self.rng.uniform(0.2, 2.0)), f"loss{len(self.losses)}"
        loss: Loss = LOSSES[entry](*reduction)
        self.losses.append(LossNode(name, loss, (x, self.target(x, name, entry)), weight))

    def target(self, x: str, loss: str, entry: str) -> str:
        """The name of a target: a value of the graph, or a new input of indices or values."""
        shape, draw = self.shapes[x], self.rng.random()
        if entry == "hinge":
            self.inputs[f"t {loss}"] = TensorSpec((), integer=True)
            return f"t {loss}"
        candidates = [n for n, s in self.shapes.items() if s == shape and n != x]
        if self.value_targets and candidates and draw < 0.4:
            return str(self.rng.choice(candidates))
        self.inputs[f"t {loss}"] = TensorSpec(
            () if draw > 0.7 and len(shape) == 1 else shape, draw > 0.7
        )
        if draw > 0.7 and len(shape) > 1:
            self.inputs[f"t {loss}"] = TensorSpec(shape)
        return f"t {loss}"

    def batch(self, samples: int) -> dict[str, Array]:
        """Values for every input; indices are below the number of classes of their loss."""
        classes = {loss.inputs[1]: max(2, self.shapes[loss.inputs[0]][-1]) for loss in self.losses}
        return {
            name: self.rng.integers(classes[name], size=samples)
            if spec.integer
            else self.rng.uniform(0.05, 0.95, (samples, *spec.shape))
            if name.startswith("t ")
            else self.rng.normal(size=(samples, *spec.shape))
            for name, spec in self.inputs.items()
        }


def equal_except_along(axis: int, first: Shape, second: Shape) -> bool:
    """Whether two shapes differ along one axis at most."""
    return len(first) == len(second) and all(
        i == axis or a == b for i, (a, b) in enumerate(zip(first, second, strict=True))
    )
