"""Winograd's short correlations with fewer multiplications: Toom and Cook's method, transposed.

m outputs of a correlation with r weights, y_i = Σ_k x_{i+k} w_k, are bilinear in w and in the
n = m + r − 1 values x. They need n products instead of m·r: y = Aᵀ [(G w) ⊙ (Bᵀ x)]. It is the
transpose of multiplying two polynomials by their values at n points. Source: Winograd, Arithmetic
Complexity of Computations, 1980; for convolutions Lavin and Gray, Fast Algorithms for
Convolutional Neural Networks, 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ldl.arrays import Array

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)  # for kernels of 5 at most: more points round worse
ONE = 1  # the index of the point 1, at which the outputs are simply added
# Of a tile. Each of two outputs adds products of its own window alone: row 0 of Bᵀ has no x_r, all
# others no x_0, and Aᵀ leaves the last point out of y_0 and the point 0 out of y_1. So a window of
# zeros gives exactly 0. With three or four outputs it may give a rounding error instead, at which a
# relu has the wrong slope; and errors grow from two to five times those of plain sums.
MAX_OUTPUTS = 2


def tile_outputs(count: int, weights: int) -> int:
    """m for `count` outputs in a row: that with the fewest products, the larger of equal ones."""
    largest = min(MAX_OUTPUTS, len(POINTS) + 2 - weights)
    return min(range(largest, 0, -1), key=lambda m: -(-count // m) * (m + weights - 1), default=1)


def product_share(count: int, weights: int) -> float:
    """Products needed for `count` outputs, as a share of the count·r of plain sums."""
    m = tile_outputs(count, weights)
    return -(-count // m) * (m + weights - 1) / (count * weights)


def matrices(outputs: int, weights: int, dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """Bᵀ (n, n), G (n, r) and Aᵀ (m, n) for m outputs and r weights; the last point is infinite.

    Bᵀ and Aᵀ are exact in floating point; G holds the divisions.
    """
    points = np.array(POINTS[: outputs + weights - 2])
    n = len(points) + 1
    other_points = [np.delete(points, i) for i in range(n - 1)]
    b = np.zeros((n, n))
    for row, roots in zip(b, [*other_points, points], strict=True):
        row[: len(roots) + 1] = np.poly(roots)[::-1]
    scale = [np.prod(x - roots) for x, roots in zip(points, other_points, strict=True)]
    g, a = (_powers(points, size) for size in (weights, outputs))
    g[:-1] /= np.array(scale)[:, None]
    return b.astype(dtype), g.astype(dtype), a.T.astype(dtype, order="C")


def _powers(points: Array, size: int) -> Array:
    """x⁰ … x^(size−1) of each point; for the infinite point the last power alone."""
    return np.vstack([np.vander(points, size, increasing=True), np.eye(size)[-1:]])
