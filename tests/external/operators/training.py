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

from .operation import LeftOut, Op, Operator

ENDLESS = 10**9  # after so many steps the corrections of Adam's moments are 1


def judged(op: Op, entry: str) -> tuple[Array, ...]:
    """A loss over classes; each position of an image is a sample."""
    x, labels, given = op.first, np.asarray(op.x[1]), op.input(2)
    classes, flat = x.shape[1], labels.reshape(-1)
    rows = np.moveaxis(x, 1, -1).reshape(-1, classes)
    target, counted = target_of(flat, op.settings.get("ignore_index"), classes, x.dtype)
    settings: dict[str, Any] = {}
    if given is not None:
        settings["class_weights"] = tuple(given.tolist())
    values, mean = op.loss(entry, rows, target, **settings)
    reduction = op.get("reduction", b"mean")
    if reduction == b"none":
        loss = values.reshape(labels.shape)
    elif reduction == b"sum":
        loss = np.array(mean * len(flat), x.dtype)
    else:  # ONNX divides by the weights of the batch, the engine by the samples
        weights = np.ones(classes) if given is None else given.astype(float)
        loss = np.array(mean * len(flat) / weights[flat[counted]].sum(), x.dtype)
    if entry == "nll":
        return (loss,)
    shares = op.layer("log_softmax", rows).reshape(np.moveaxis(x, 1, -1).shape)
    return loss, np.moveaxis(shares, -1, 1)


def target_of(
    labels: Array, ignored: int | None, classes: int, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """Class indices, or rows of weights where those of an ignored label are 0; which count."""
    counted = np.ones(len(labels), bool) if ignored is None else labels != ignored
    if counted.all():
        return labels.astype(np.int64), counted
    rows = np.eye(classes, dtype=dtype)[np.where(counted, labels, 0)]
    rows[~counted] = 0.0
    return rows, counted


def moved(
    op: Op, entry: str, state: list[Array], moments: dict[str, Array], steps: int, rate: float,
    **settings: Any,
) -> tuple[Array, dict[str, Array]]:  # fmt: skip
    """θ and the moments after a step from θ and g, with ONNX's penalty ½ n ‖θ‖²."""
    op.used.append(entry)
    size = len(state[0])
    layer = Linear(size, bias=False)  # the engine's home for decayed weights
    parameters = Parameters(Graph({"x": TensorSpec((1,))}, [Node("w", layer, ("x",))]))
    theta, gradient = parameters.theta, parameters.gradient
    theta[:size], gradient[:size] = state
    rule = OPTIMIZERS[entry](**settings)
    state = rule.start(theta)
    state.steps = steps
    for name, value in moments.items():
        state.slots[name][:size] = value
    penalty = Penalty(l2=op.get("norm_coefficient", 0.0) / 2)
    penalty.add_gradient(theta, gradient, parameters.decay_slices, np.empty_like(theta))
    rule.step(theta, gradient, state, rate, parameters.decay_slices)
    return theta[:size], {name: moment[:size] for name, moment in state.slots.items()}


def state_of(op: Op, kinds: int) -> tuple[list[Array], list[int]]:
    """θ, g and the moments, each one vector, and where all tensors in it but the last end."""
    tensors = [np.asarray(a) for a in op.x[2:]]
    count = len(tensors) // kinds
    vectors = [np.concatenate(tensors[i * count : (i + 1) * count]) for i in range(kinds)]
    return vectors, np.cumsum([a.size for a in tensors[:count]])[:-1].tolist()


def adagrad(op: Op) -> tuple[Array, ...]:
    """Adagrad of ai.onnx.preview.training."""
    (x, g, h), ends = state_of(op, 3)
    rate = float(op.first) / (1.0 + float(np.asarray(op.x[1])) * op.get("decay_factor", 0.0))
    theta, moments = moved(
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
    """Adam of ai.onnx.preview.training: ε stands before the correction, and T = 0 has none.

    The engine keeps the moments without their factors.
    """
    (x, g, v, h), ends = state_of(op, 4)
    t = int(np.asarray(op.x[1]))
    first, second = op.get("alpha", 0.9), op.get("beta", 0.999)
    kept = {"mean": v / (1 - first), "square": h / (1 - second)}
    theta, moments = moved(
        op, "adam", [x, g], kept, t - 1 if t else ENDLESS, float(op.first), beta1=first,
        beta2=second, epsilon=op.get("epsilon", 0.0) / (np.sqrt(1 - second**t) if t else 1.0),
    )  # fmt: skip
    mean, square = moments["mean"] * (1 - first), moments["square"] * (1 - second)
    return tuple(part for a in (theta, mean, square) for part in np.split(a, ends))


def momentum(op: Op) -> tuple[Array, ...]:
    """Momentum of ai.onnx.preview.training; its β counts from the second step on."""
    (x, g, v), ends = state_of(op, 3)
    if int(np.asarray(op.x[1])) > 0 and op.settings["beta"] != 1.0:
        raise LeftOut("a damped gradient")
    theta, moments = moved(
        op, "sgd", [x, g], {"velocity": v}, 0, float(op.first),
        momentum=op.settings["alpha"], nesterov=op.settings["mode"] == b"nesterov",
    )  # fmt: skip
    return (*np.split(theta, ends), *np.split(moments["velocity"], ends))


TRAINING: dict[str, Operator] = {
    "SoftmaxCrossEntropyLoss": lambda op: judged(op, "cross_entropy"),
    "NegativeLogLikelihoodLoss": lambda op: judged(op, "nll"),
    "Adagrad": adagrad,
    "Adam": adam,
    "Momentum": momentum,
}
