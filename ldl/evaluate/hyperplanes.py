"""The lines in the plane on which the units of a first linear layer are 0."""

from __future__ import annotations

import numpy as np

from ldl.arrays import Array

PARALLEL = 1e-12  # a smaller component of a unit direction counts as 0


def segments(weight: Array, bias: Array, x: tuple[float, float], y: tuple[float, float]) -> Array:
    """w₁·x + w₂·y + b = 0 within the rectangle: (lines, 2 ends, 2 coordinates), float64.

    weight (2, H), bias (H,); `x` and `y` are the rectangle's sides. Lines are clipped to it, those
    that miss it are left out. Source: Liang and Barsky, A New Concept and Method for Line Clipping,
    1984.
    """
    lines = []
    low, high = np.array([x[0], y[0]], float), np.array([x[1], y[1]], float)
    for w, b in zip(np.asarray(weight, np.float64).T, np.asarray(bias, np.float64), strict=True):
        squared_norm = float(w @ w)
        if squared_norm == 0:
            continue
        middle = (low + high) / 2
        nearest = (
            middle - w * (w @ middle + b) / squared_norm
        )  # the point of the line nearest to the middle
        direction = np.array([-w[1], w[0]]) / np.sqrt(squared_norm)
        ends = _clipped(nearest, direction, low, high)
        if ends is not None:
            lines.append([nearest + direction * t for t in ends])
    return np.array(lines, np.float64).reshape(-1, 2, 2)


def _clipped(start: Array, direction: Array, low: Array, high: Array) -> tuple[float, float] | None:
    """The interval of t in which start + t·direction lies within [low, high]; None if empty."""
    first, last = -np.inf, np.inf
    for origin, step, minimum, maximum in zip(start, direction, low, high, strict=True):
        if abs(step) < PARALLEL:
            if not minimum <= origin <= maximum:
                return None
            continue
        enter, leave = sorted(((minimum - origin) / step, (maximum - origin) / step))
        first, last = max(first, enter), min(last, leave)
    return (float(first), float(last)) if first < last else None
