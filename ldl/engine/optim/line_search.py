"""A line search for the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt

DECREASE = 1e-4  # c₁ and c₂ of the conditions, as usual for quasi-Newton directions
CURVATURE = 0.9
MAX_EVALUATIONS = 25  # of φ, in each of the two phases


@dataclass(frozen=True)
class Point:
    """A step length α, the loss φ(α) and its slope φ′(α) along the line."""

    step_length: float
    loss: float
    slope: float


LineFunction = Callable[[float], Point]


def strong_wolfe(line: LineFunction, start: Point, trial: float) -> Point | None:
    """A point with φ(α) ≤ φ(0) + c₁ α φ′(0) and |φ′(α)| ≤ −c₂ φ′(0), or None.

    `line` evaluates φ; its last call may be for another point than the result. After
    MAX_EVALUATIONS the result meets the first condition only. Source: Nocedal and Wright,
    Numerical Optimization, 2006, algorithms 3.5 and 3.6; the trial length doubles while it is too
    short, then a cubic interpolates between the ends of the bracket.
    """
    previous = start
    for i in range(MAX_EVALUATIONS):
        point = line(trial)
        if not _decreases(point, start) or (i > 0 and point.loss >= previous.loss):
            return _zoom(line, start, previous, point)
        if abs(point.slope) <= -CURVATURE * start.slope:
            return point
        if point.slope >= 0.0:
            return _zoom(line, start, point, previous)
        previous, trial = point, 2.0 * trial
    return previous


def _decreases(point: Point, start: Point) -> bool:
    """Whether the first condition holds; it does not for a loss that is not finite."""
    return point.loss <= start.loss + DECREASE * point.step_length * start.slope


def _zoom(line: LineFunction, start: Point, low: Point, high: Point) -> Point | None:
    """A point between `low`, the best point so far, and `high`; None if that is the start."""
    for _ in range(MAX_EVALUATIONS):
        point = line(_interpolate(low, high))
        if not _decreases(point, start) or point.loss >= low.loss:
            high = point
        else:
            if abs(point.slope) <= -CURVATURE * start.slope:
                return point
            if point.slope * (high.step_length - low.step_length) >= 0.0:
                high = low
            low = point
    return low if low.step_length > 0.0 else None


def _interpolate(low: Point, high: Point) -> float:
    """The minimum of the cubic through both points and slopes (3.59), at least 10 % from the ends.

    The midpoint, where the cubic has no minimum or `high` is not finite.
    """
    width, midpoint = high.step_length - low.step_length, 0.5 * (low.step_length + high.step_length)
    if width == 0.0 or not (isfinite(high.loss) and isfinite(high.slope)):
        return midpoint
    first = low.slope + high.slope - 3.0 * (high.loss - low.loss) / width
    discriminant = first * first - low.slope * high.slope
    if discriminant < 0.0:
        return midpoint
    root = sqrt(discriminant)
    denominator = high.slope - low.slope + (2.0 * root if width > 0.0 else -2.0 * root)
    if denominator == 0.0:
        return midpoint
    signed_root = root if width > 0.0 else -root
    step_length = high.step_length - width * (high.slope + signed_root - first) / denominator
    lower_limit, upper_limit = sorted(
        (low.step_length + 0.1 * width, high.step_length - 0.1 * width)
    )
    return min(max(step_length, lower_limit), upper_limit)
