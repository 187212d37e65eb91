"""Measures of how well a network does, each a pure function of NumPy arrays, in float64.

Letters: N samples, C classes, K outputs of a sample, R rows and L columns of a contingency matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Array = NDArray[Any]

EPSILON = 1 / 255
"""One grey level of an eight-bit image: what `kl_divergence` adds to every pixel."""

_BLOCK = 1024


def accuracy(true: Array, predicted: Array) -> float:
    """1/N · Σₙ [trueₙ = predictedₙ], true and predicted (N,) class indices."""
    return float(np.mean(true == predicted))


def contingency(true: Array, predicted: Array, rows: int, columns: int | None = None) -> Array:
    """m[r, l] = Σₙ [trueₙ = r][predictedₙ = l], an int64 matrix (rows, columns).

    `columns` is `rows` where it is left out; it differs when clusters are held against classes.
    """
    columns = rows if columns is None else columns
    cells = np.asarray(true, np.int64) * columns + np.asarray(predicted, np.int64)
    return np.bincount(cells, minlength=rows * columns).reshape(rows, columns)


def precision_recall(counts: Array) -> tuple[Floats, Floats]:
    """precision[c] = m[c, c] / Σᵣ m[r, c],  recall[c] = m[c, c] / Σₗ m[c, l],  both (C,).

    `counts` is a square contingency matrix. A class that is never predicted (or never true) gets 0.
    """
    hits = np.diagonal(counts).astype(np.float64)
    return _ratio(hits, counts.sum(axis=0)), _ratio(hits, counts.sum(axis=1))


def f1(precision: Floats, recall: Floats) -> Floats:
    """F₁ = 2·P·R / (P + R), elementwise; 0 where both are 0.

    Source: van Rijsbergen, Information Retrieval, 1979, chapter 7.
    """
    return _ratio(2 * precision * recall, precision + recall)


def purity(counts: Array) -> float:
    """1/N · Σᵣ maxₗ m[r, l]: the share of samples that belong to their cluster's commonest class.

    `counts` (R, L) has a row a cluster and a column a class; N is its sum.
    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, section 16.3.
    """
    return float(counts.max(axis=1).sum() / counts.sum())


def log_loss(true: Array, probabilities: Array) -> float:
    """-1/N · Σₙ ln p[n, trueₙ], in nats; true (N,) indices, probabilities (N, C).

    A probability below its type's machine epsilon counts as that epsilon, so the loss is finite.
    """
    chosen = probabilities[np.arange(len(true)), true]
    floor = np.finfo(probabilities.dtype).eps
    return float(-np.mean(np.log(np.maximum(chosen, floor), dtype=np.float64)))


def mse(true: Array, predicted: Array) -> float:
    """1/(N·K) · Σ (true - predicted)²: the mean over samples and over the outputs of each."""
    return float(np.mean(np.square(true - predicted), dtype=np.float64))


def rmse(true: Array, predicted: Array) -> float:
    """√mse: one root over all outputs together, not the mean of a root for each."""
    return float(np.sqrt(mse(true, predicted)))


def mae(true: Array, predicted: Array) -> float:
    """1/(N·K) · Σ |true - predicted|."""
    return float(np.mean(np.abs(true - predicted), dtype=np.float64))


def max_error(true: Array, predicted: Array) -> float:
    """max |true - predicted|, over samples and outputs."""
    return float(np.max(np.abs(true - predicted)))


def r2(true: Array, predicted: Array) -> float:
    """1 - Σ (true - predicted)² / Σ (true - mean)², the mean over outputs; arrays (N,) or (N, K).

    An output that never varies gives 1 where it is met exactly and 0 otherwise.
    """
    t = np.asarray(true, np.float64).reshape(len(true), -1)
    left = np.square(t - np.asarray(predicted, np.float64).reshape(t.shape)).sum(axis=0)
    spread = np.square(t - t.mean(axis=0)).sum(axis=0)
    varies = spread > 0
    score = 1 - np.divide(left, spread, out=(left > 0).astype(np.float64), where=varies)
    return float(score.mean())


def kl_divergence(original: Array, reconstruction: Array, epsilon: float = EPSILON) -> float:
    """1/N · Σₙ Σᵢ p[n, i] · ln(p[n, i] / q[n, i]), in nats: KL(original ‖ reconstruction).

    Both arrays (N, …) hold intensities, meant to lie in [0, 1]. Each sample becomes a distribution
    over its own pixels: p = (max(x, 0) + ε) / Σᵢ (max(xᵢ, 0) + ε), and q likewise. 0 means the same
    picture up to its overall brightness. ε bounds what one black pixel can cost; the figure depends
    on it, so compare only figures that share it.
    Source: Kullback and Leibler, On Information and Sufficiency, 1951.
    """
    total = 0.0
    for start in range(0, len(original), _BLOCK):
        p = _distributions(original[start : start + _BLOCK], epsilon)
        q = _distributions(reconstruction[start : start + _BLOCK], epsilon)
        total += float(np.sum(p * np.log(p / q)))
    return total / len(original)


def _distributions(x: Array, epsilon: float) -> Floats:
    flat: Floats = np.maximum(x.reshape(len(x), -1), 0, dtype=np.float64) + epsilon
    flat /= flat.sum(axis=1, keepdims=True)
    return flat


def _ratio(top: Floats, bottom: Array) -> Floats:
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)
