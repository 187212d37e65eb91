"""Operators of training: losses and optimizers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ldl.arrays import Array
from ldl.engine.graph import Graph, Node
from ldl.engine.layer import TensorSpec
from ldl.engine.layers.linear import Linear
from ldl.engine.optim import OPTIMIZERS
from ldl.engine.parameters import Parameters
from ldl.engine.penalty import Penalty

from .operation import Op, Operator, Unsupported

MANY_STEPS = 10**9  # after these the corrections of Adam's moments are 1


def class_loss(op: Op, entry: str) -> tuple[Array, ...]:
    """A loss over classes; each position of an image is a sample."""
    x, labels, class_weights = op.first, np.asarray(op.x[1]), op.input(2)
    classes, flat_labels = x.shape[1], labels.reshape(-1)
    rows = np.moveaxis(x, 1, -1).reshape(-1, classes)
    target, is_counted = target_of(flat_labels, op.settings.get("ignore_index"), classes, x.dtype)
    settings: dict[str, Any] = {}
    if class_weights is not None:
        settings["class_weights"] = tuple(class_weights.tolist())
    values, mean = op.loss(entry, rows, target, **settings)
    reduction = op.get("reduction", b"mean")
    if reduction == b"none":
        loss = values.reshape(labels.shape)
    elif reduction == b"sum":
        loss = np.array(mean * len(flat_labels), x.dtype)
    else:  # ONNX divides by the weights of the batch, the engine by the samples
        weights = np.ones(classes) if class_weights is None else class_weights.astype(float)
        loss = np.array(mean * len(flat_labels) / weights[flat_labels[is_counted]].sum(), x.dtype)
    if entry == "nll":
        return (loss,)
    log_probabilities = op.layer("log_softmax", rows).reshape(np.moveaxis(x, 1, -1).shape)
    return loss, np.moveaxis(log_probabilities, -1, 1)


def target_of(
    labels: Array, ignored: int | None, classes: int, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """The target, and which labels are counted.

    The target is class indices, or one-hot rows with rows of 0 for ignored labels.
    """
    is_counted = np.ones(len(labels), bool) if ignored is None else labels != ignored
    if is_counted.all():
        return labels.astype(np.int64), is_counted
    rows = np.eye(classes, dtype=dtype)[np.where(is_counted, labels, 0)]
    rows[~is_counted] = 0.0
    return rows, is_counted


def optimizer_step(
    op: Op, entry: str, state: list[Array], moments: dict[str, Array], steps: int, rate: float,
    **settings: Any,
) -> tuple[Array, dict[str, Array]]:  # fmt: skip
    """θ and the slots after a step from θ and g, with ONNX's penalty ½ n ‖θ‖²."""
    op.used.append(entry)
    size = len(state[0])
    layer = Linear(size, bias=False)  # a layer whose weights have weight decay
    parameters = Parameters(Graph({"x": TensorSpec((1,))}, [Node("w", layer, ("x",))]))
    theta, gradient = parameters.theta, parameters.gradient
    theta[:size], gradient[:size] = state
    optimizer = OPTIMIZERS[entry](**settings)
    state = optimizer.start(theta)
    state.steps = steps
    for name, value in moments.items():
        state.slots[name][:size] = value
    penalty = Penalty(l2=op.get("norm_coefficient", 0.0) / 2)
    penalty.add_gradient(theta, gradient, parameters.decay_slices, np.empty_like(theta))
    optimizer.step(theta, gradient, state, rate, parameters.decay_slices)
    return theta[:size], {name: moment[:size] for name, moment in state.slots.items()}


def state_of(op: Op, vector_count: int) -> tuple[list[Array], list[int]]:
    """θ, g and the moments as vectors, and the end of each tensor but the last within them."""
    tensors = [np.asarray(a) for a in op.x[2:]]
    count = len(tensors) // vector_count
    vectors = [np.concatenate(tensors[i * count : (i + 1) * count]) for i in range(vector_count)]
    return vectors, np.cumsum([a.size for a in tensors[:count]])[:-1].tolist()


def adagrad(op: Op) -> tuple[Array, ...]:
    """Adagrad of ai.onnx.preview.training."""
    (x, g, h), ends = state_of(op, 3)
    rate = float(op.first) / (1.0 + float(np.asarray(op.x[1])) * op.get("decay_factor", 0.0))
    theta, moments = optimizer_step(
        op,
        "adagrad",
        [x, g],
        {"square": h},
        0,
        rate,
        epsilon=op.get("epsilon", 0.0),
    )
    return (*np.split(theta, ends), *np.split(moments["square"], ends))


def adam(op: Op) -> tuple[Array, ...]:
    """Adam of ai.onnx.preview.training: ε is before the correction, and T = 0 has no correction.

    The slots of the engine hold the moments without their factors.
    """
    (x, g, v, h), ends = state_of(op, 4)
    t = int(np.asarray(op.x[1]))
    first, second = op.get("alpha", 0.9), op.get("beta", 0.999)
    slots = {"mean": v / (1 - first), "square": h / (1 - second)}
    theta, moments = optimizer_step(
        op, "adam", [x, g], slots, t - 1 if t else MANY_STEPS, float(op.first), beta1=first,
        beta2=second, epsilon=op.get("epsilon", 0.0) / (np.sqrt(1 - second**t) if t else 1.0),
    )  # fmt: skip
    mean, square = moments["mean"] * (1 - first), moments["square"] * (1 - second)
    return tuple(array for a in (theta, mean, square) for array in np.split(a, ends))


def momentum(op: Op) -> tuple[Array, ...]:
    """Momentum of ai.onnx.preview.training; its β applies from the second step on."""
    (x, g, v), ends = state_of(op, 3)
    if int(np.asarray(op.x[1])) > 0 and op.settings["beta"] != 1.0:
        raise Unsupported("a damped gradient")
    theta, moments = optimizer_step(
        op, "sgd", [x, g], {"velocity": v}, 0, float(op.first),
        momentum=op.settings["alpha"], nesterov=op.settings["mode"] == b"nesterov",
    )  # fmt: skip
    return (*np.split(theta, ends), *np.split(moments["velocity"], ends))


TRAINING: dict[str, Operator] = {
    "SoftmaxCrossEntropyLoss": lambda op: class_loss(op, "cross_entropy"),
    "NegativeLogLikelihoodLoss": lambda op: class_loss(op, "nll"),
    "Adagrad": adagrad,
    "Adam": adam,
    "Momentum": momentum,
}
