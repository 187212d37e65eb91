"""Evaluation metrics, each a pure function of NumPy arrays, computed in float64.

Letters: N samples, C classes, K outputs per sample, R rows and L columns of a contingency matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ldl.arrays import Array

Floats = NDArray[np.float64]

EPSILON = 1 / 255
"""What `kl_divergence` adds to every pixel: one grey level of an eight-bit image."""

_BLOCK = 1024  # samples converted to float64 at a time, to save memory


def accuracy(true: Array, predicted: Array) -> float:
    """1/N · Σₙ [trueₙ = predictedₙ], true and predicted (N,) class indices."""
    return float(np.mean(true == predicted))


def contingency_matrix(
    true: Array, predicted: Array, rows: int, columns: int | None = None
) -> Array:
    """m[r, l] = Σₙ [trueₙ = r][predictedₙ = l], an int64 matrix (rows, columns).

    `columns` defaults to `rows`; the two differ when clusters are compared with classes.
    """
    columns = rows if columns is None else columns
    cells = np.asarray(true, np.int64) * columns + np.asarray(predicted, np.int64)
    return np.bincount(cells, minlength=rows * columns).reshape(rows, columns)


def precision_recall(counts: Array) -> tuple[Floats, Floats]:
    """precision[c] = m[c, c] / Σᵣ m[r, c],  recall[c] = m[c, c] / Σₗ m[c, l],  both (C,).

    `counts` is a square contingency matrix. A class that is never predicted has precision 0, one
    that is never true recall 0.
    """
    hits = np.diagonal(counts).astype(np.float64)
    return _ratio(hits, counts.sum(axis=0)), _ratio(hits, counts.sum(axis=1))


def f1(precision: Floats, recall: Floats) -> Floats:
    """F₁ = 2·P·R / (P + R), elementwise; 0 where both are 0.

    Source: van Rijsbergen, Information Retrieval, 1979, chapter 7.
    """
    return _ratio(2 * precision * recall, precision + recall)


def purity(counts: Array) -> float:
    """1/N · Σᵣ maxₗ m[r, l]: the share of samples that have their cluster's most frequent class.

    `counts` (R, L) has a row per cluster and a column per class; N is its sum.
    Source: Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008, section 16.3.
    """
    return float(counts.max(axis=1).sum() / counts.sum())


def cluster_purity(counts: Array) -> Floats:
    """maxₗ m[r, l] / Σₗ m[r, l], (R,): the share of the most frequent class; NaN if empty."""
    total = counts.sum(axis=1)
    share: Floats = np.full(len(counts), np.nan)
    np.divide(counts.max(axis=1), total, out=share, where=total > 0)
    return share


def class_purity(counts: Array) -> Floats:
    """Σ m[r, c] / Σₗ m[r, l] over the clusters r with most frequent class c, (L,); NaN if none.

    The first of equally frequent classes counts as the most frequent.
    """
    is_label = counts.argmax(axis=1)[:, None] == np.arange(counts.shape[1])
    is_label &= counts.sum(axis=1, keepdims=True) > 0
    matched = (counts * is_label).sum(axis=0)
    total = (counts.sum(axis=1, keepdims=True) * is_label).sum(axis=0)
    share: Floats = np.full(len(matched), np.nan)
    np.divide(matched, total, out=share, where=total > 0)
    return share


def main_cluster_purity(counts: Array) -> Floats:
    """m[r, c] / Σₗ m[r, l] for the cluster r with most samples of class c, (L,); NaN without any.

    Unlike `class_purity` it exists for a class that is the most frequent one of no cluster.
    """
    largest, total = counts.max(axis=0), counts.sum(axis=1)[counts.argmax(axis=0)]
    share: Floats = np.full(len(largest), np.nan)
    np.divide(largest, total, out=share, where=largest > 0)
    return share


def nmi(counts: Array) -> float:
    """2·I / (Hʳ + Hˡ): mutual information of rows and columns over the mean of their entropies.

    I = Σ p[r, l]·ln(p[r, l] / (p[r]·p[l])), p = m / N; 1 where both sides are constant.
    Source: Strehl and Ghosh, Cluster Ensembles, 2002, with the arithmetic mean of the entropies.
    """
    p = counts / counts.sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    mean = (_entropy(rows) + _entropy(columns)) / 2
    if mean == 0:
        return 1.0
    information = _entropy(rows) + _entropy(columns) - _entropy(p.ravel())
    return max(0.0, float(information / mean))


def ari(counts: Array) -> float:
    """(Σ C(m[r, l], 2) − e) / ((a + b)/2 − e),  a = Σᵣ C(mᵣ, 2), b = Σₗ C(mₗ, 2), e = a·b/C(N, 2).

    The adjusted Rand index of pairs of samples that share a row and a column; by chance it is 0.
    Source: Hubert and Arabie, Comparing Partitions, 1985.
    """
    a, b = (_pairs(counts.sum(axis=axis)).sum() for axis in (1, 0))
    together = _pairs(counts).sum()
    all_pairs = _pairs(counts.sum())
    expected = a * b / all_pairs if all_pairs else 0.0
    maximum = (a + b) / 2
    if maximum == expected:
        return 1.0
    return float((together - expected) / (maximum - expected))


def silhouette(points: Array, clusters: Array) -> float:
    """1/N · Σₙ (bₙ − aₙ) / max(aₙ, bₙ), Euclidean; points (N, D), clusters (N,) indices.

    aₙ is the mean distance to the others of the same cluster, bₙ the least mean distance to another
    cluster. A point that is alone in its cluster counts 0. NaN for a single cluster, and where each
    point is a cluster. Source: Rousseeuw, Silhouettes, 1987; scikit-learn's silhouette_score.
    """
    _, labels, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if not 1 < len(sizes) < len(labels):
        return float("nan")
    x = np.asarray(points, np.float64)
    squares, members = np.vecdot(x, x), np.eye(len(sizes))[labels]
    total = 0.0
    for start in range(0, len(x), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(x)))
        distances = squares[rows, None] - 2.0 * x[rows].dot(x.T) + squares
        distances[rows - start, rows] = 0.0
        sums = np.sqrt(np.maximum(distances, 0.0)).dot(members)
        own = labels[rows]
        a = sums[rows - start, own] / np.maximum(sizes[own] - 1, 1)
        means = sums / sizes
        means[rows - start, own] = np.inf
        b = means.min(axis=1)
        total += float(_ratio(b - a, np.where(sizes[own] > 1, np.maximum(a, b), 0.0)).sum())
    return total / len(x)


def log_loss(true: Array, probabilities: Array) -> float:
    """-1/N · Σₙ ln p[n, trueₙ], in nats; true (N,) class indices, probabilities (N, C).

    Probabilities are clipped to the machine epsilon of their type, so the loss is finite.
    """
    likelihood = probabilities[np.arange(len(true)), true]
    floor = np.finfo(probabilities.dtype).eps
    return float(-np.mean(np.log(np.maximum(likelihood, floor), dtype=np.float64)))


def mse(true: Array, predicted: Array) -> float:
    """1/(N·K) · Σ (true - predicted)²: the mean over samples and outputs."""
    total = 0.0
    for start in range(0, len(true), _BLOCK):
        rows = slice(start, start + _BLOCK)
        total += float(np.square(np.subtract(true[rows], predicted[rows], dtype=np.float64)).sum())
    return total / true.size


def rmse(true: Array, predicted: Array) -> float:
    """√mse: the root over all outputs, not the mean of one root per output."""
    return float(np.sqrt(mse(true, predicted)))


def mae(true: Array, predicted: Array) -> float:
    """1/(N·K) · Σ |true - predicted|."""
    return float(np.mean(np.abs(true - predicted), dtype=np.float64))


def max_error(true: Array, predicted: Array) -> float:
    """max |true - predicted|, over samples and outputs."""
    return float(np.max(np.abs(true - predicted)))


def r2(true: Array, predicted: Array) -> float:
    """1 - Σ (true - predicted)² / Σ (true - mean)², the mean over outputs; arrays (N,) or (N, K).

    A constant output gives 1 where the prediction is exact and 0 otherwise. Of one sample it is
    NaN, as in scikit-learn.
    """
    if len(true) < 2:
        return float("nan")
    t = np.asarray(true, np.float64).reshape(len(true), -1)
    residual = np.square(t - np.asarray(predicted, np.float64).reshape(t.shape)).sum(axis=0)
    variation = np.square(t - t.mean(axis=0)).sum(axis=0)
    varies = variation > 0
    score = 1 - np.divide(residual, variation, out=(residual > 0).astype(np.float64), where=varies)
    return float(score.mean())


def kl_divergence(original: Array, reconstruction: Array, epsilon: float = EPSILON) -> float:
    """1/N · Σₙ Σᵢ p[n, i] · ln(p[n, i] / q[n, i]), in nats: KL(original ‖ reconstruction).

    Both arrays (N, …) hold intensities in [0, 1]. Each sample becomes a distribution over its own
    pixels: p = (max(x, 0) + ε) / Σᵢ (max(xᵢ, 0) + ε), and q likewise. 0 means the same image up to
    its overall brightness. ε bounds the contribution of a black pixel; only values with the same ε
    can be compared.
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


def _entropy(p: Array) -> float:
    """−Σ p·ln p, in nats."""
    positive = p[p > 0]
    return float(-np.sum(positive * np.log(positive)))


def _pairs(m: Array) -> Floats:
    """C(m, 2), elementwise."""
    counts = np.asarray(m, np.float64)
    pairs: Floats = counts * (counts - 1) / 2
    return pairs
