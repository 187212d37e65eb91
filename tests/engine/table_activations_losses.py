"""Rows for smooth activations, log_softmax, and the losses that table.py does not have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats

from ldl.arrays import Array, Shape
from ldl.engine.layers import LAYERS
from ldl.engine.losses import LOSSES

from .table import (
    Case,
    Draw,
    Input,
    away_from_zero,
    class_indices,
    flat_rows,
    large_values,
    map_values,
    one_class,
    one_hot,
    probabilities,
    standard_normal,
    zeros_and_ones,
)

Formula = Callable[[list[Array], dict[str, Array]], Array]


def wide_range(rng: np.random.Generator, shape: Shape) -> Array:
    """From −30 to 30, with both tails."""
    return rng.uniform(-30.0, 30.0, shape)


def confident_logits(rng: np.random.Generator, shape: Shape) -> Array:
    """Logits of probabilities from 0.0003 to 0.9997."""
    return rng.uniform(-8.0, 8.0, shape)


def log_probabilities(rng: np.random.Generator, shape: Shape) -> Array:
    """Rows of log-probabilities."""
    return np.asarray(special.log_softmax(rng.normal(size=shape), axis=-1))


# --- activations ------------------------------------------------------------------------------


def elu(alpha: float) -> Callable[[Array], Array]:
    """x, or α (eˣ − 1) below 0."""
    return lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def softplus(beta: float) -> Callable[[Array], Array]:
    """log(1 + e^(βx)) / β."""
    return lambda x: np.logaddexp(0, beta * x) / beta


def gelu_tanh(x: Array) -> Array:
    """The tanh approximation in the form of the paper."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def activation_cases() -> list[Case]:
    """Rows for the activations."""
    rows: list[tuple[str, tuple[object, ...], Callable[[Array], Array]]] = [
        ("elu", (), elu(1.0)),
        ("elu", (0.3,), elu(0.3)),
        ("elu", (0.0,), elu(0.0)),
        ("silu", (), lambda x: x * special.expit(x)),
        ("softplus", (), softplus(1.0)),
        ("softplus", (2.5,), softplus(2.5)),
        ("gelu", (), lambda x: x * stats.norm.cdf(x)),
        ("gelu", ("tanh",), gelu_tanh),
    ]
    inputs = [Input(shape, away_from_zero) for shape in ((6,), (1,), (2, 3, 2), ())]
    inputs += [Input((5,), wide_range)]
    cases = [
        Case(entry, LAYERS[entry](*settings), (case_input,), map_values(f))
        for entry, settings, f in rows
        for case_input in inputs
    ]
    log_softmax = map_values(lambda x: special.log_softmax(x, axis=-1))
    return cases + [
        Case("log_softmax", LAYERS["log_softmax"](), (case_input,), log_softmax)
        for case_input in (
            Input((5,)),
            Input((1,)),
            Input((2, 3)),
            Input((2, 2, 3)),
            Input((4,), large_values),
        )
    ]


# --- losses on values -------------------------------------------------------------------------


def reduced(per_value: Callable[[Array, Array], Array], reduction: str) -> Formula:
    """Mean or sum of the values of a sample."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        values = per_value(*flat_rows(x))
        return values.mean(1) if reduction == "mean" else values.sum(1)

    return formula


def huber(delta: float) -> Callable[[Array, Array], Array]:
    """½ d², or δ (|d| − ½ δ) from δ on."""

    def per_value(p: Array, t: Array) -> Array:
        d = np.abs(p - t)
        return np.where(d < delta, d**2 / 2, delta * (d - delta / 2))

    return per_value


def bce(weight_0: float, weight_1: float) -> Callable[[Array, Array], Array]:
    """−w₁ t log p − w₀ (1 − t) log(1 − p)."""
    return lambda p, t: -weight_1 * t * np.log(p) - weight_0 * (1 - t) * np.log(1 - p)


def bce_with_logits(weight_0: float, weight_1: float) -> Callable[[Array, Array], Array]:
    """bce with p = σ(z), from logits z."""
    return lambda z, t: weight_1 * t * np.logaddexp(0, -z) + weight_0 * (1 - t) * np.logaddexp(0, z)


def kl_divergence(p: Array, t: Array) -> Array:
    """t (log t − p), 0 where t is 0."""
    return special.xlogy(t, t) - t * p


def value_pairs(prediction: Draw, target: Draw) -> list[tuple[Input, Input]]:
    """Prediction and target: values of unusual shapes, class indices, one column, one class."""
    pairs = [(Input(s, prediction), Input(s, target)) for s in ((5,), (1,), (2, 3), ())]
    pairs += [(Input((4,), prediction), Input((4,), zeros_and_ones))]
    pairs += [
        (Input((4,), prediction), Input((), class_indices(4), integer=True)),
        (Input((3,), prediction), Input((), one_class(2), integer=True)),
        (Input((1,), prediction), Input((), class_indices(2), integer=True)),
        (Input((1,), prediction), Input((), one_class(1), integer=True)),
    ]
    return pairs


def value_loss_cases() -> list[Case]:
    """Rows for huber, the binary cross entropies with weights, and the KL divergence."""
    rows: list[tuple[str, tuple[object, ...], Callable[[Array, Array], Array], Draw, Draw]] = [
        ("huber", (1.0,), huber(1.0), standard_normal, standard_normal),
        ("huber", (0.3,), huber(0.3), standard_normal, standard_normal),
        ("bce", ((0.5, 2.0),), bce(0.5, 2.0), probabilities, probabilities),
        ("bce", ((0.0, 1.0),), bce(0.0, 1.0), probabilities, probabilities),
        ("bce_with_logits", (), bce_with_logits(1.0, 1.0), standard_normal, probabilities),
        ("bce_with_logits", (), bce_with_logits(1.0, 1.0), confident_logits, probabilities),
        (
            "bce_with_logits",
            ((0.5, 2.0),),
            bce_with_logits(0.5, 2.0),
            confident_logits,
            probabilities,
        ),
        ("kl_divergence", (), kl_divergence, log_probabilities_or_normal, probabilities),
    ]
    return [
        Case(entry, LOSSES[entry](reduction, *settings), inputs, reduced(per_value, reduction))
        for entry, settings, per_value, prediction, target in rows
        for reduction in ("mean", "sum")
        for inputs in value_pairs(prediction, target)[:: 1 if reduction == "mean" else 4]
    ]


def log_probabilities_or_normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Rows of log-probabilities where there is an axis of classes, else normal values."""
    return log_probabilities(rng, shape) if len(shape) > 1 else standard_normal(rng, shape)


# --- losses on classes ------------------------------------------------------------------------


def smoothed(smoothing: float, weights: tuple[float, ...] | None) -> Formula:
    """Cross entropy with the target (1 − ε) t + ε/C, and a weight for the term of each class."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        z, t = flat_rows(x)
        u = (1 - smoothing) * t + smoothing / z.shape[1]
        return -(u * np.array(weights or 1.0) * special.log_softmax(z, axis=1)).sum(1)

    return formula


def nll(weights: tuple[float, ...] | None) -> Formula:
    """−Σ_k w_k t_k y_k."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        y, t = flat_rows(x)
        return -(t * y * np.array(weights or 1.0)).sum(1)

    return formula


def hinge(margin: float) -> Formula:
    """The multiclass hinge loss, sample by sample; binary for one score."""

    def sample_loss(z: Array, t: int) -> float:
        if len(z) == 1:
            return max(0.0, margin - (z[0] if t else -z[0]))
        return max(0.0, margin + max(z[k] for k in range(len(z)) if k != t) - z[t])

    return lambda x, w: np.array([sample_loss(z, int(t)) for z, t in zip(*x, strict=True)])


def class_pairs(prediction: Draw = standard_normal) -> list[tuple[Input, Input]]:
    """Scores of three classes, with indices, one-hot rows and probabilities as targets."""
    return [
        (Input((3,), prediction), Input((), class_indices(3), integer=True)),
        (Input((3,), prediction), Input((), one_class(2), integer=True)),
        (Input((3,), prediction), Input((3,), one_hot)),
        (Input((3,), prediction), Input((3,), probabilities)),
    ]


def class_loss_cases() -> list[Case]:
    """Rows for smoothing, class weights, nll and hinge."""
    weights = (0.5, 3.0, 0.0)
    cases = [
        Case("cross_entropy", LOSSES["cross_entropy"](*settings), inputs, smoothed(*settings))
        for settings in ((0.1, None), (0.0, weights), (0.2, weights), (1.0, None))
        for inputs in [*class_pairs(), *class_pairs(large_values)[:2]]
    ]
    cases += [
        Case("nll", LOSSES["nll"](class_weights), inputs, nll(class_weights))
        for class_weights in (None, weights)
        for inputs in class_pairs(log_probabilities)
    ]
    for margin in (1.0, 0.5, 0.0):
        for classes in (1, 2, 5):
            for draw in (class_indices(max(2, classes)), one_class(1)):
                inputs = (Input((classes,)), Input((), draw, integer=True))
                cases.append(Case("hinge", LOSSES["hinge"](margin), inputs, hinge(margin)))
    return cases


def activation_and_loss_cases() -> list[Case]:
    """All rows of this file."""
    return [*activation_cases(), *value_loss_cases(), *class_loss_cases()]
