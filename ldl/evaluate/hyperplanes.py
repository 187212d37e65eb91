"""Where the units of a first linear layer change sign, as lines in the plane of its inputs."""

from __future__ import annotations

import numpy as np

from ldl.arrays import Array

PARALLEL = 1e-12  # of a direction of length 1: so small a step along an axis leads nowhere


def segments(weight: Array, bias: Array, x: tuple[float, float], y: tuple[float, float]) -> Array:
    """w₁·x + w₂·y + b = 0 within the rectangle: (lines, 2 ends, 2 coordinates).

    weight (2, H), bias (H,); a line that misses the rectangle is left out. Each line is cut at the
    rectangle's sides. Source: Liang and Barsky, A New Concept and Method for Line Clipping, 1984.
    """
    found = []
    low, high = np.array([x[0], y[0]], float), np.array([x[1], y[1]], float)
    for w, b in zip(np.asarray(weight, np.float64).T, np.asarray(bias, np.float64), strict=True):
        norm = float(w @ w)
        if norm == 0:
            continue
        middle = (low + high) / 2
        start = middle - w * (w @ middle + b) / norm  # the line's point nearest to the middle
        along = np.array([-w[1], w[0]]) / np.sqrt(norm)
        ends = _clipped(start, along, low, high)
        if ends is not None:
            found.append([start + along * end for end in ends])
    return np.array(found, np.float64).reshape(-1, 2, 2)


def _clipped(start: Array, along: Array, low: Array, high: Array) -> tuple[float, float] | None:
    """The t between which start + t·along lies within, or None."""
    first, last = -np.inf, np.inf
    for at, step, least, most in zip(start, along, low, high, strict=True):
        if abs(step) < PARALLEL:
            if not least <= at <= most:
                return None
            continue
        enter, leave = sorted(((least - at) / step, (most - at) / step))
        first, last = max(first, enter), min(last, leave)
    return (float(first), float(last)) if first < last else None
