"""Rows for the smooth activations and for the losses beyond the first five."""

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
    Given,
    always,
    below,
    bits,
    far,
    kinked,
    map_values,
    one_hot,
    plain,
    rows_of,
    shares,
)

Formula = Callable[[list[Array], dict[str, Array]], Array]


def wide(rng: np.random.Generator, shape: Shape) -> Array:
    """From −30 to 30, where tails and overflows are."""
    return rng.uniform(-30.0, 30.0, shape)


def sure(rng: np.random.Generator, shape: Shape) -> Array:
    """Logits of probabilities down to 1 in 2000."""
    return rng.uniform(-8.0, 8.0, shape)


def log_shares(rng: np.random.Generator, shape: Shape) -> Array:
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
    """The tanh formula as the paper has it."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def smooth_cases() -> list[Case]:
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
    drawn: list[tuple[Shape, Draw]] = [
        ((6,), kinked), ((1,), kinked), ((2, 3, 2), kinked), ((), kinked), ((5,), wide),
    ]  # fmt: skip
    cases = [
        Case(entry, LAYERS[entry](*settings), (Given(shape, draw),), map_values(f))
        for entry, settings, f in rows
        for shape, draw in drawn
    ]
    log_softmax = map_values(lambda x: special.log_softmax(x, axis=-1))
    return cases + [
        Case("log_softmax", LAYERS["log_softmax"](), (given,), log_softmax)
        for given in (Given((5,)), Given((1,)), Given((2, 3)), Given((2, 2, 3)), Given((4,), far))
    ]


# --- losses on values -------------------------------------------------------------------------


def reduced(each: Callable[[Array, Array], Array], reduction: str) -> Formula:
    """Mean or sum of the values of a sample."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        values = each(*rows_of(x))
        return values.mean(1) if reduction == "mean" else values.sum(1)

    return formula


def huber(delta: float) -> Callable[[Array, Array], Array]:
    """½ d², or δ (|d| − ½ δ) from δ on."""

    def each(p: Array, t: Array) -> Array:
        d = np.abs(p - t)
        return np.where(d < delta, d**2 / 2, delta * (d - delta / 2))

    return each


def bce(zero: float, one: float) -> Callable[[Array, Array], Array]:
    """−w₁ t log p − w₀ (1 − t) log(1 − p)."""
    return lambda p, t: -one * t * np.log(p) - zero * (1 - t) * np.log(1 - p)


def bce_with_logits(zero: float, one: float) -> Callable[[Array, Array], Array]:
    """The same with p = σ(z), from the logits."""
    return lambda z, t: one * t * np.logaddexp(0, -z) + zero * (1 - t) * np.logaddexp(0, z)


def kl_divergence(p: Array, t: Array) -> Array:
    """t (log t − p), 0 where t is 0."""
    return special.xlogy(t, t) - t * p


def valued_pairs(drawn: Draw, dense: Draw) -> list[tuple[Given, Given]]:
    """Prediction and target: dense in odd shapes, indices, a lone column, one class alone."""
    pairs = [(Given(s, drawn), Given(s, dense)) for s in ((5,), (1,), (2, 3), ())]
    pairs += [(Given((4,), drawn), Given((4,), bits))]
    pairs += [
        (Given((4,), drawn), Given((), below(4), integer=True)),
        (Given((3,), drawn), Given((), always(2), integer=True)),
        (Given((1,), drawn), Given((), below(2), integer=True)),
        (Given((1,), drawn), Given((), always(1), integer=True)),
    ]
    return pairs


def valued_cases() -> list[Case]:
    """Rows for huber, the binary cross entropies with weights, and the KL divergence."""
    rows: list[tuple[str, tuple[object, ...], Callable[[Array, Array], Array], Draw, Draw]] = [
        ("huber", (1.0,), huber(1.0), plain, plain),
        ("huber", (0.3,), huber(0.3), plain, plain),
        ("bce", ((0.5, 2.0),), bce(0.5, 2.0), shares, shares),
        ("bce", ((0.0, 1.0),), bce(0.0, 1.0), shares, shares),
        ("bce_with_logits", (), bce_with_logits(1.0, 1.0), plain, shares),
        ("bce_with_logits", (), bce_with_logits(1.0, 1.0), sure, shares),
        ("bce_with_logits", ((0.5, 2.0),), bce_with_logits(0.5, 2.0), sure, shares),
        ("kl_divergence", (), kl_divergence, log_shares_or_plain, shares),
    ]
    return [
        Case(entry, LOSSES[entry](reduction, *settings), pair, reduced(each, reduction))
        for entry, settings, each, drawn, dense in rows
        for reduction in ("mean", "sum")
        for pair in valued_pairs(drawn, dense)
    ]


def log_shares_or_plain(rng: np.random.Generator, shape: Shape) -> Array:
    """Rows of log-probabilities where there is an axis of classes."""
    return log_shares(rng, shape) if len(shape) > 1 else plain(rng, shape)


# --- losses on classes ------------------------------------------------------------------------


def smoothed(smoothing: float, weights: tuple[float, ...] | None) -> Formula:
    """Cross entropy against (1 − ε) t + ε/C, each class's term times its weight."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        z, t = rows_of(x)
        u = (1 - smoothing) * t + smoothing / z.shape[1]
        return -(u * np.array(weights or 1.0) * special.log_softmax(z, axis=1)).sum(1)

    return formula


def nll(weights: tuple[float, ...] | None) -> Formula:
    """−Σ_k w_k t_k y_k."""

    def formula(x: list[Array], w: dict[str, Array]) -> Array:
        y, t = rows_of(x)
        return -(t * y * np.array(weights or 1.0)).sum(1)

    return formula


def hinge(margin: float) -> Formula:
    """By hand, a sample at a time."""

    def one(z: Array, t: int) -> float:
        if len(z) == 1:
            return max(0.0, margin - (z[0] if t else -z[0]))
        return max(0.0, margin + max(z[k] for k in range(len(z)) if k != t) - z[t])

    return lambda x, w: np.array([one(z, int(t)) for z, t in zip(*x, strict=True)])


def class_pairs(drawn: Draw = plain) -> list[tuple[Given, Given]]:
    """Scores of three classes against indices and dense rows."""
    return [
        (Given((3,), drawn), Given((), below(3), integer=True)),
        (Given((3,), drawn), Given((), always(2), integer=True)),
        (Given((3,), drawn), Given((3,), one_hot)),
        (Given((3,), drawn), Given((3,), shares)),
    ]


def class_cases() -> list[Case]:
    """Rows for smoothing, class weights, nll and hinge."""
    weights = (0.5, 3.0, 0.0)
    cases = [
        Case("cross_entropy", LOSSES["cross_entropy"](*settings), pair, smoothed(*settings))
        for settings in ((0.1, None), (0.0, weights), (0.2, weights), (1.0, None))
        for pair in [*class_pairs(), *class_pairs(far)[:2]]
    ]
    cases += [
        Case("nll", LOSSES["nll"](chosen), pair, nll(chosen))
        for chosen in (None, weights)
        for pair in class_pairs(log_shares)
    ]
    for margin in (1.0, 0.5, 0.0):
        for classes in (1, 2, 5):
            for draw in (below(max(2, classes)), always(1)):
                pair = (Given((classes,)), Given((), draw, integer=True))
                cases.append(Case("hinge", LOSSES["hinge"](margin), pair, hinge(margin)))
    return cases


def more_cases() -> list[Case]:
    """All rows of this file."""
    return [*smooth_cases(), *valued_cases(), *class_cases()]
