"""Operators on values, rows and shapes: activations, products, normalisation, merges, views."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldl.arrays import Array

from .operation import LeftOut, Op, Operator, channels_last, channels_second


def activation(entry: str, **renamed: str) -> Operator:
    """An operator on each value, with our names for its settings."""

    def run(op: Op) -> tuple[Array, ...]:
        found = {name: op.get(theirs, None) for name, theirs in renamed.items()}
        given = {name: value for name, value in found.items() if value is not None}
        return (op.layer(entry, op.first, **given),)

    return run


def leaky_relu(op: Op) -> tuple[Array, ...]:
    """LeakyRelu; its slope is 0.01 where it is left out."""
    return (op.layer("leaky_relu", op.first, negative_slope=op.get("alpha", 0.01)),)


def gelu(op: Op) -> tuple[Array, ...]:
    """Gelu."""
    return (op.layer("gelu", op.first, approximate=op.get("approximate", b"none").decode()),)


def swish(op: Op) -> tuple[Array, ...]:
    """Swish, x·σ(αx), with α = 1."""
    if op.get("alpha", 1.0) != 1.0:
        raise LeftOut("a swish with a factor")
    return (op.layer("silu", op.first),)


def over_axis(entry: str) -> Operator:
    """Softmax and LogSoftmax over an axis; before opset 13 over that and all that follow."""

    def run(op: Op) -> tuple[Array, ...]:
        x, old = op.first, op.version < 13
        axis = op.get("axis", 1 if old else -1) % x.ndim
        if old:
            rows = x.reshape(-1, int(np.prod(x.shape[axis:])))
            return (op.layer(entry, rows).reshape(x.shape),)
        y = op.layer(entry, np.atleast_2d(np.moveaxis(x, axis, -1)))
        return (np.moveaxis(y, -1, axis).reshape(x.shape),)

    return run


def gemm(op: Op) -> tuple[Array, ...]:
    """Gemm, αAB + βC: the factors go into the weights; a matrix C is added as a value."""
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
    """MatMul by a matrix or a vector, which is then a layer's weights."""
    a, b = op.first, op.input(1)
    assert b is not None
    if b.ndim > 2:
        raise LeftOut("a product of two values")
    w = b.reshape(len(b), -1)
    y = op.layer("linear", np.atleast_2d(a), w={"weight": w}, units=w.shape[1], bias=False)
    return (y.reshape((*a.shape[:-1], *b.shape[1:])),)


def batch_normalization(op: Op) -> tuple[Array, ...]:
    """BatchNormalization; in training ONNX keeps the variance over n values, ours over n − 1."""
    x, scale, bias, mean, var = (np.array(a) for a in op.x)
    train, kept = bool(op.get("training_mode", 0)), op.get("momentum", 0.9)
    state = {"running_mean": mean, "running_var": var.copy()}
    y = op.layer(
        "batch_norm", channels_last(x), w={"weight": scale, "bias": bias}, state=state,
        train=train, momentum=1.0 - kept, epsilon=op.get("epsilon", 1e-5),
    )  # fmt: skip
    count = x.size // x.shape[1]
    drawn = (state["running_var"] - kept * var) * ((count - 1) / count)
    return channels_second(y), mean, (kept * var + drawn).astype(x.dtype)


def layer_normalization(op: Op) -> tuple[Array | None, ...]:
    """LayerNormalization over an axis and all that follow, taken as one."""
    x, scale, bias = op.first, op.input(1), op.input(2)
    assert scale is not None
    axis = op.get("axis", -1) % x.ndim
    rows = x.reshape(int(np.prod(x.shape[:axis])), scale.size)
    shift = np.zeros_like(scale) if bias is None else bias
    w = {"weight": scale.reshape(-1), "bias": shift.reshape(-1)}
    y = op.layer("layer_norm", rows, w=w, epsilon=op.get("epsilon", 1e-5))
    return y.reshape(x.shape), None, None


def add(op: Op) -> tuple[Array, ...]:
    """Add and Sum; an addend that is broadcast is a fixed row for each position of one sample."""
    x = [np.asarray(a) for a in op.x]
    if len(x) == 1:
        raise LeftOut("a sum of one value")
    if len({a.shape for a in x}) == 1:
        return (op.layer("add", *(np.atleast_1d(a) for a in x)).reshape(x[0].shape),)
    first, second = x
    if "axis" in op.settings:  # before opset 7 the second's axes start at this one of the first
        after = first.ndim - op.settings["axis"] - second.ndim
        second = second.reshape(*second.shape, *[1] * after)
    row = np.broadcast_to(second, first.shape).reshape(-1, first.shape[-1])
    y = op.layer("positional_embedding", first.reshape(1, *row.shape), w={"weight": row})
    return (y.reshape(first.shape),)


def multiply(op: Op) -> tuple[Array, ...]:
    """Mul of values of one shape."""
    x = [np.asarray(a) for a in op.x]
    if len({a.shape for a in x}) > 1:
        raise LeftOut("a factor that is broadcast")
    return (op.layer("multiply", *x),)


def concat(op: Op) -> tuple[Array, ...]:
    """Concat; along the first axis all is one sample."""
    x = [np.asarray(a) for a in op.x]
    axis = op.settings["axis"] % x[0].ndim
    if axis == 0:
        return (op.layer("concat", *(a[None] for a in x), axis=0)[0],)
    return (op.layer("concat", *x, axis=axis - 1),)


def flatten(op: Op) -> tuple[Array, ...]:
    """Flatten: the axes before the given one are samples."""
    x = op.first
    axis = op.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    samples = int(np.prod(x.shape[:axis]))
    return (op.layer("flatten", x.reshape(samples, *x.shape[axis:])),)


def reshape(op: Op) -> tuple[Array, ...]:
    """Reshape of all values as one sample; a 0 keeps the size that an axis has."""
    x, wanted = op.first, op.input(1)
    assert wanted is not None
    if not x.size:
        raise LeftOut("no values at all")
    shape = tuple(int(size) or x.shape[i] for i, size in enumerate(wanted))
    return (op.layer("reshape", x[None], shape=shape)[0],)


def dropout(op: Op) -> tuple[Array | None, ...]:
    """Dropout when judging, or in training with a rate of 0."""
    rate, training = op.input(1), op.input(2)
    train = training is not None and bool(training)
    share = 0.5 if rate is None else float(rate)
    if train and share:
        raise LeftOut("draws of its own")
    return op.layer("dropout", op.first, train=train, rate=share), None


def gather(op: Op) -> tuple[Array, ...]:
    """Gather: an embedding whose rows are what lies along the axis."""
    x, at = op.first, op.input(1)
    assert at is not None
    if (at < 0).any():
        raise LeftOut("indices from the end")
    axis = op.get("axis", 0) % x.ndim
    table = np.moveaxis(x, axis, 0)
    rows = table.reshape(len(table), -1)
    y = op.layer(
        "embedding", at.astype(np.int64), w={"weight": rows}, entries=len(rows),
        units=rows.shape[1],
    )  # fmt: skip
    y = y.reshape(*at.shape, *table.shape[1:])
    return (np.moveaxis(y, range(at.ndim), range(axis, axis + at.ndim)),)


def reduce_mean(op: Op) -> tuple[Array, ...]:
    """ReduceMean; all is one sample."""
    x, given = op.first, op.input(1)
    axes = op.get("axes", []) if given is None else given.tolist()
    places = tuple(axis % x.ndim for axis in axes) or tuple(range(x.ndim))
    y = op.layer("mean", x[None], axis=places)[0]
    return (np.expand_dims(y, places) if op.get("keepdims", 1) else y,)


def cut(op: Op) -> tuple[Array, ...]:
    """Slice of one position along one axis; all is one sample."""
    x = op.first
    settings = [op.get(name, None) for name in ("starts", "ends", "axes")]
    given: list[Any] = settings if op.version < 10 else [op.input(i) for i in (1, 2, 3)]
    starts, ends, axes = given
    if len(starts) > 1 or ends[0] - starts[0] != 1:
        raise LeftOut("several positions")
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
    "Slice": cut,
}
