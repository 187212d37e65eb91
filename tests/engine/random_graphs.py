"""Random layer graphs: every layer and loss, values read often, weights shared, order mixed."""

from __future__ import annotations

from math import prod

import numpy as np

from ldl.arrays import Array, Shape
from ldl.engine.graph import Graph, LossNode, Node
from ldl.engine.init import Normal
from ldl.engine.layer import Layer, TensorSpec
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES, Loss

# Layers that take any value, and those that want (L, C), with the settings that they need.
ANYWHERE = (
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
TRIED = (*ANYWHERE, *SEQUENCES, "linear", "add", "multiply", "concat", "reshape")

INPUTS: dict[str, Shape] = {"a": (4,), "b": (2, 3), "c": (6,)}


class Maker:
    """Grows one graph from a seed; `shapes` holds every value made so far."""

    def __init__(self, seed: int, inner_targets: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.inner_targets = inner_targets
        self.inputs = {name: TensorSpec(shape) for name, shape in INPUTS.items()}
        self.shapes: dict[str, Shape] = dict(INPUTS)
        self.nodes: list[Node] = []
        self.losses: list[LossNode] = []
        self.linears: list[tuple[int, Layer]] = []

    def graph(self) -> Graph:
        """4 to 16 places and 1 to 3 losses, declared in any order."""
        for _ in range(self.rng.integers(4, 17)):
            self.add(str(self.rng.choice([*TRIED, *["linear"] * 5, "add", "sigmoid"])))
        for _ in range(self.rng.integers(1, 4)):
            self.grade(str(self.rng.choice([*LOSSES, *["bce"] * len(LOSSES)])))
        places, losses = self.rng.permutation(self.nodes), self.rng.permutation(self.losses)
        return Graph(self.inputs, list(places), list(losses))

    def value(self, *, shape: Shape | None = None) -> str:
        """A value made so far, more often a late one; of one shape, if asked."""
        fitting = [n for n, s in self.shapes.items() if shape is None or s == shape]
        late = min(self.rng.geometric(0.25), len(fitting))
        return fitting[-late]

    def put(self, layer: Layer, *inputs: str) -> str:
        """Place a layer."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(Node(name, layer, inputs))
        self.shapes[name] = layer.plan(tuple(TensorSpec(self.shapes[n]) for n in inputs)).y
        return name

    def add(self, entry: str) -> str:
        """A place for the named layer, on values that fit it."""
        x = self.value()
        shape = self.shapes[x]
        if entry == "linear":
            return self.put(self.linear(shape[-1]), x)
        if entry in ("add", "multiply"):
            more = [self.value(shape=shape) for _ in range(self.rng.integers(1, 4))]
            return self.put(LAYERS[entry](), x, *more)
        if entry == "concat":
            axis = int(self.rng.integers(len(shape)))
            fits = [n for n, s in self.shapes.items() if same_but_for(axis, s, shape)]
            more = [str(n) for n in self.rng.choice(fits, self.rng.integers(1, 3))]
            return self.put(LAYERS["concat"](axis), x, *more)
        if entry == "reshape":
            total = prod(shape)
            parts = int(self.rng.choice([k for k in range(1, total + 1) if total % k == 0]))
            return self.put(LAYERS["reshape"]((parts, -1)), x)
        if entry in SEQUENCES:
            if len(shape) != 2:
                x = self.put(LAYERS["reshape"]((-1, shape[-1])), x)
            return self.put(LAYERS[entry](*SEQUENCES[entry]), x)
        return self.put(LAYERS[entry](), x)

    def linear(self, size: int) -> Layer:
        """A new linear layer, or one that stands in the graph already."""
        known = [layer for inputs, layer in self.linears if inputs == size]
        if known and self.rng.random() < 0.5:
            return known[-1]
        units = int(self.rng.integers(1, 6))
        layer = LAYERS["linear"](units, bool(self.rng.integers(2)), Normal(0.7), Normal(0.5))
        self.linears.append((size, layer))
        return layer

    def grade(self, entry: str) -> None:
        """A loss on some value, against an input of its own or a value of the graph."""
        x = self.value()
        scores = entry in ("cross_entropy", "nll", "hinge")
        if scores:
            x = self.put(LAYERS["flatten"](), x)
            x = self.put(self.linear(self.shapes[x][-1]), x)
            if self.shapes[x] == (1,):
                x = self.put(LAYERS["concat"](), x, x)
        if entry == "bce":
            probabilities = [p.name for p in self.nodes if isinstance(p.layer, LAYERS["sigmoid"])]
            x = probabilities[-1] if probabilities else self.put(LAYERS["sigmoid"](), x)
        reduction = () if scores else (self.rng.choice(["mean", "sum"]),)
        weight, name = float(self.rng.uniform(0.2, 2.0)), f"loss{len(self.losses)}"
        loss: Loss = LOSSES[entry](*reduction)
        self.losses.append(LossNode(name, loss, (x, self.target(x, name, entry)), weight))

    def target(self, x: str, loss: str, entry: str) -> str:
        """Class indices where they can be, a value of the graph where allowed, or an input."""
        shape, kind = self.shapes[x], self.rng.random()
        if entry == "hinge":
            self.inputs[f"t {loss}"] = TensorSpec((), integer=True)
            return f"t {loss}"
        inner = [n for n, s in self.shapes.items() if s == shape and n != x]
        if self.inner_targets and inner and kind < 0.4:
            return str(self.rng.choice(inner))
        self.inputs[f"t {loss}"] = TensorSpec(
            () if kind > 0.7 and len(shape) == 1 else shape, kind > 0.7
        )
        if kind > 0.7 and len(shape) > 1:
            self.inputs[f"t {loss}"] = TensorSpec(shape)
        return f"t {loss}"

    def batch(self, samples: int) -> dict[str, Array]:
        """Values for every input; indices below the number of classes they are held against."""
        classes = {loss.inputs[1]: max(2, self.shapes[loss.inputs[0]][-1]) for loss in self.losses}
        return {
            name: self.rng.integers(classes[name], size=samples)
            if spec.integer
            else self.rng.uniform(0.05, 0.95, (samples, *spec.shape))
            if name.startswith("t ")
            else self.rng.normal(size=(samples, *spec.shape))
            for name, spec in self.inputs.items()
        }


def same_but_for(axis: int, one: Shape, other: Shape) -> bool:
    """Whether two shapes differ along one axis at most."""
    return len(one) == len(other) and all(
        i == axis or a == b for i, (a, b) in enumerate(zip(one, other, strict=True))
    )
