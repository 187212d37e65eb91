"""Every layer by its name in a configuration."""

from __future__ import annotations

from ldl.engine.layer import Layer
from ldl.engine.layers.activation import (
    Identity,
    LeakyRelu,
    LogSoftmax,
    Relu,
    Sigmoid,
    Softmax,
    Tanh,
)
from ldl.engine.layers.attention import MultiHeadAttention
from ldl.engine.layers.batch_norm import BatchNorm
from ldl.engine.layers.conv import Conv1d, Conv2d
from ldl.engine.layers.conv_transpose import ConvTranspose1d, ConvTranspose2d
from ldl.engine.layers.dropout import Dropout
from ldl.engine.layers.elu import Elu
from ldl.engine.layers.embedding import Embedding
from ldl.engine.layers.film import Film
from ldl.engine.layers.gelu import Gelu
from ldl.engine.layers.gru import Gru
from ldl.engine.layers.layer_norm import LayerNorm
from ldl.engine.layers.linear import Linear
from ldl.engine.layers.lstm import Lstm
from ldl.engine.layers.merge import Add, Concat, Multiply
from ldl.engine.layers.pool import AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d
from ldl.engine.layers.reduce import Mean, Select
from ldl.engine.layers.reshape import Flatten, Reshape
from ldl.engine.layers.rnn import Rnn
from ldl.engine.layers.sequence import ClassToken, Patches, PositionalEmbedding
from ldl.engine.layers.silu import Silu
from ldl.engine.layers.softplus import Softplus
from ldl.engine.layers.upsample import Upsample

LAYERS: dict[str, type[Layer]] = {
    "conv1d": Conv1d,
    "conv2d": Conv2d,
    "conv_transpose1d": ConvTranspose1d,
    "conv_transpose2d": ConvTranspose2d,
    "upsample": Upsample,
    "maxpool1d": MaxPool1d,
    "maxpool2d": MaxPool2d,
    "avgpool1d": AvgPool1d,
    "avgpool2d": AvgPool2d,
    "linear": Linear,
    "identity": Identity,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "relu": Relu,
    "leaky_relu": LeakyRelu,
    "softmax": Softmax,
    "log_softmax": LogSoftmax,
    "elu": Elu,
    "gelu": Gelu,
    "silu": Silu,
    "softplus": Softplus,
    "add": Add,
    "concat": Concat,
    "flatten": Flatten,
    "reshape": Reshape,
    "rnn": Rnn,
    "gru": Gru,
    "lstm": Lstm,
    "batch_norm": BatchNorm,
    "layer_norm": LayerNorm,
    "dropout": Dropout,
    "embedding": Embedding,
    "multi_head_attention": MultiHeadAttention,
    "patches": Patches,
    "class_token": ClassToken,
    "positional_embedding": PositionalEmbedding,
    "select": Select,
    "mean": Mean,
    "multiply": Multiply,
    "film": Film,
}
