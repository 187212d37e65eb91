"""Every layer by its name in a configuration."""

from __future__ import annotations

from ldl.engine.layer import Layer
from ldl.engine.layers.activation import Identity, LeakyRelu, Relu, Sigmoid, Softmax, Tanh
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.merge import Add, Concat
from ldl.engine.layers.shape import Flatten, Reshape

LAYERS: dict[str, type[Layer]] = {
    "linear": Linear,
    "identity": Identity,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "relu": Relu,
    "leaky_relu": LeakyRelu,
    "softmax": Softmax,
    "add": Add,
    "concat": Concat,
    "flatten": Flatten,
    "reshape": Reshape,
}
