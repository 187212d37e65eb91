"""Operators on values, rows and shapes: activations, products, normalisation, merges, views."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldl.arrays import Array

from .operation import Op, Operator, Unsupported, channels_last, channels_second


def activation(entry: str, **renamed: str) -> Operator:
    """An operator on each value; `renamed` maps the engine's settings to ONNX's."""

    def run(op: Op) -> tuple[Array, ...]:
        values = {name: op.get(onnx_name, None) for name, onnx_name in renamed.items()}
        settings = {name: value for name, value in values.items() if value is not None}
        return (op.layer(entry, op.first, **settings),)

    return run


def leaky_relu(op: Op) -> tuple[Array, ...]:
    """LeakyRelu, with a default slope of 0.01."""
    return (op.layer("leaky_relu", op.first, negative_slope=op.get("alpha", 0.01)),)


def gelu(op: Op) -> tuple[Array, ...]:
    """Gelu."""
    return (op.layer("gelu", op.first, approximate=op.get("approximate", b"none").decode()),)


def swish(op: Op) -> tuple[Array, ...]:
    """Swish, x·σ(αx), with α = 1."""
    if op.get("alpha", 1.0) != 1.0:
        raise Unsupported("a swish with a factor")
    return (op.layer("silu", op.first),)


def over_axis(entry: str) -> Operator:
    """Softmax and LogSoftmax over an axis; before opset 13 over it and all later axes."""

    def run(op: Op) -> tuple[Array, ...]:
        x, before_13 = op.first, op.version < 13
        axis = op.get("axis", 1 if before_13 else -1) % x.ndim
        if before_13:
            rows = x.reshape(-1, int(np.prod(x.shape[axis:])))
            return (op.layer(entry, rows).reshape(x.shape),)
        y = op.layer(entry, np.atleast_2d(np.moveaxis(x, axis, -1)))
        return (np.moveaxis(y, -1, axis).reshape(x.shape),)

    return run


def gemm(op: Op) -> tuple[Array, ...]:
    """Gemm, αAB + βC: the weights include the factors; a matrix C is added as a value."""
    a, b, c = op.first, op.input(1), op.input(2)
    assert b is not None
    a = a.T if op.get("transA", 0) else a
    w = np.asarray(op.get("alpha", 1.0), b.dtype) * (b.T if op.get("transB", 0) else b)
    if c is None:
        return (op.layer("linear", a, w={"weight": w}, units=w.shape[1], bias=False),)
    c = np.asarray(op.get("beta", 1.0), c.dtype) * c
    if c.ndim < 2 or len(c) == 1:
        row = np.broadcast_to(c.reshape(-1), w.shape[1])
        return (op.layer("linear", a, w={"weight": w, "bias": row}, units=w.shape[1]),)
    product = op.layer("linear", a, w={"weight": w}, units=w.shape[1], bias=False)
    return (op.layer("add", product, c),)


def matmul(op: Op) -> tuple[Array, ...]:
    """MatMul by a matrix or a vector, as the weights of a layer."""
    a, b = op.first, op.input(1)
    assert b is not None
    if b.ndim > 2:
        raise Unsupported("a product of two values")
    w = b.reshape(len(b), -1)
    y = op.layer("linear", np.atleast_2d(a), w={"weight": w}, units=w.shape[1], bias=False)
    return (y.reshape((*a.shape[:-1], *b.shape[1:])),)


def batch_normalization(op: Op) -> tuple[Array, ...]:
    """BatchNormalization; the running variance of ONNX divides by n, the engine's by n − 1."""
    x, scale, bias, mean, var = (np.array(a) for a in op.x)
    training, momentum = bool(op.get("training_mode", 0)), op.get("momentum", 0.9)
    state = {"running_mean": mean, "running_var": var.copy()}
    y = op.layer(
        "batch_norm", channels_last(x), w={"weight": scale, "bias": bias}, state=state,
        training=training, momentum=1.0 - momentum, epsilon=op.get("epsilon", 1e-5),
    )  # fmt: skip
    count = x.size // x.shape[1]
    batch_var = (state["running_var"] - momentum * var) * ((count - 1) / count)
    return channels_second(y), mean, (momentum * var + batch_var).astype(x.dtype)


def layer_normalization(op: Op) -> tuple[Array | None, ...]:
    """LayerNormalization over an axis and all later ones, as one axis."""
    x, scale, bias = op.first, op.input(1), op.input(2)
    assert scale is not None
    axis = op.get("axis", -1) % x.ndim
    rows = x.reshape(int(np.prod(x.shape[:axis])), scale.size)
    offset = np.zeros_like(scale) if bias is None else bias
    w = {"weight": scale.reshape(-1), "bias": offset.reshape(-1)}
    y = op.layer("layer_norm", rows, w=w, epsilon=op.get("epsilon", 1e-5))
    return y.reshape(x.shape), None, None


def add(op: Op) -> tuple[Array, ...]:
    """Add and Sum; a broadcast addend is the positional embedding of one sample."""
    x = [np.asarray(a) for a in op.x]
    if len(x) == 1:
        raise Unsupported("a sum of one value")
    if len({a.shape for a in x}) == 1:
        return (op.layer("add", *(np.atleast_1d(a) for a in x)).reshape(x[0].shape),)
    first, second = x
    if "axis" in op.settings:  # before opset 7 the axis of the first at which the second's start
        after = first.ndim - op.settings["axis"] - second.ndim
        second = second.reshape(*second.shape, *[1] * after)
    row = np.broadcast_to(second, first.shape).reshape(-1, first.shape[-1])
    y = op.layer("positional_embedding", first.reshape(1, *row.shape), w={"weight": row})
    return (y.reshape(first.shape),)


def multiply(op: Op) -> tuple[Array, ...]:
    """Mul of values of one shape."""
    x = [np.asarray(a) for a in op.x]
    if len({a.shape for a in x}) > 1:
        raise Unsupported("a factor that is broadcast")
    return (op.layer("multiply", *x),)


def concat(op: Op) -> tuple[Array, ...]:
    """Concat; along the first axis the arrays are one sample."""
    x = [np.asarray(a) for a in op.x]
    axis = op.settings["axis"] % x[0].ndim
    if axis == 0:
        return (op.layer("concat", *(a[None] for a in x), axis=0)[0],)
    return (op.layer("concat", *x, axis=axis - 1),)


def flatten(op: Op) -> tuple[Array, ...]:
    """Flatten: the axes before `axis` are samples."""
    x = op.first
    axis = op.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    samples = int(np.prod(x.shape[:axis]))
    return (op.layer("flatten", x.reshape(samples, *x.shape[axis:])),)


def reshape(op: Op) -> tuple[Array, ...]:
    """Reshape of the array as one sample; 0 is the old size of the axis."""
    x, new_shape = op.first, op.input(1)
    assert new_shape is not None
    if not x.size:
        raise Unsupported("empty arrays")
    shape = tuple(int(size) or x.shape[i] for i, size in enumerate(new_shape))
    return (op.layer("reshape", x[None], shape=shape)[0],)


def dropout(op: Op) -> tuple[Array | None, ...]:
    """Dropout in evaluation, or in training with a rate of 0."""
    rate, training_mode = op.input(1), op.input(2)
    training = training_mode is not None and bool(training_mode)
    dropout_rate = 0.5 if rate is None else float(rate)
    if training and dropout_rate:
        raise Unsupported("random draws")
    return op.layer("dropout", op.first, training=training, rate=dropout_rate), None


def gather(op: Op) -> tuple[Array, ...]:
    """Gather: an embedding whose rows are the slices along the axis."""
    x, indices = op.first, op.input(1)
    assert indices is not None
    if (indices < 0).any():
        raise Unsupported("indices from the end")
    axis = op.get("axis", 0) % x.ndim
    table = np.moveaxis(x, axis, 0)
    rows = table.reshape(len(table), -1)
    y = op.layer(
        "embedding", indices.astype(np.int64), w={"weight": rows}, entries=len(rows),
        units=rows.shape[1],
    )  # fmt: skip
    y = y.reshape(*indices.shape, *table.shape[1:])
    return (np.moveaxis(y, range(indices.ndim), range(axis, axis + indices.ndim)),)


def reduce_mean(op: Op) -> tuple[Array, ...]:
    """ReduceMean of the array as one sample."""
    x, axes_input = op.first, op.input(1)
    axes = op.get("axes", []) if axes_input is None else axes_input.tolist()
    positive_axes = tuple(axis % x.ndim for axis in axes) or tuple(range(x.ndim))
    y = op.layer("mean", x[None], axis=positive_axes)[0]
    return (np.expand_dims(y, positive_axes) if op.get("keepdims", 1) else y,)


def slice_position(op: Op) -> tuple[Array, ...]:
    """Slice of one position along one axis, of the array as one sample."""
    x = op.first
    settings = [op.get(name, None) for name in ("starts", "ends", "axes")]
    bounds: list[Any] = settings if op.version < 10 else [op.input(i) for i in (1, 2, 3)]
    starts, ends, axes = bounds
    if len(starts) > 1 or ends[0] - starts[0] != 1:
        raise Unsupported("several positions of a slice")
    y = op.layer("select", x[None], index=int(starts[0]), axis=int(axes[0]))[0]
    return (np.expand_dims(y, int(axes[0])),)


VALUES: dict[str, Operator] = {
    "Identity": activation("identity"),
    "Relu": activation("relu"),
    "Tanh": activation("tanh"),
    "Sigmoid": activation("sigmoid"),
    "Softplus": activation("softplus"),
    "Elu": activation("elu", alpha="alpha"),
    "LeakyRelu": leaky_relu,
    "Gelu": gelu,
    "Swish": swish,
    "Softmax": over_axis("softmax"),
    "LogSoftmax": over_axis("log_softmax"),
    "Gemm": gemm,
    "MatMul": matmul,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Add": add,
    "Sum": add,
    "Mul": multiply,
    "Concat": concat,
    "Flatten": flatten,
    "Reshape": reshape,
    "Dropout": dropout,
    "Gather": gather,
    "ReduceMean": reduce_mean,
    "Slice": slice_position,
}
