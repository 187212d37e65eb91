"""A line search for the strong Wolfe conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt

DECREASE = 1e-4  # c₁ and c₂ of the conditions, as usual for quasi-Newton directions
CURVATURE = 0.9
MAX_EVALUATIONS = 25  # evaluations of each of the two phases


@dataclass(frozen=True)
class Point:
    """A step length α, with φ(α) and φ′(α)."""

    at: float
    loss: float
    slope: float


Line = Callable[[float], Point]


def strong_wolfe(line: Line, start: Point, trial: float) -> Point | None:
    """A point with φ(α) ≤ φ(0) + c₁ α φ′(0) and |φ′(α)| ≤ −c₂ φ′(0), or None.

    `line` evaluates φ; its last call may be for another point than the result. When the
    evaluations are used up, the result meets the first condition only.
    Source: Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6; the trial
    is doubled while it is too short, then a cubic interpolates between the bracket's ends.
    """
    last = start
    for i in range(MAX_EVALUATIONS):
        here = line(trial)
        if not _lower(here, start) or (i > 0 and here.loss >= last.loss):
            return _zoom(line, start, last, here)
        if abs(here.slope) <= -CURVATURE * start.slope:
            return here
        if here.slope >= 0.0:
            return _zoom(line, start, here, last)
        last, trial = here, 2.0 * trial
    return last


def _lower(here: Point, start: Point) -> bool:
    """Whether the first condition holds; a loss that is not finite does not meet it."""
    return here.loss <= start.loss + DECREASE * here.at * start.slope


def _zoom(line: Line, start: Point, low: Point, high: Point) -> Point | None:
    """A point between `low`, the best so far, and `high`."""
    for _ in range(MAX_EVALUATIONS):
        here = line(_between(low, high))
        if not _lower(here, start) or here.loss >= low.loss:
            high = here
        else:
            if abs(here.slope) <= -CURVATURE * start.slope:
                return here
            if here.slope * (high.at - low.at) >= 0.0:
                high = low
            low = here
    return low if low.at > 0.0 else None


def _between(low: Point, high: Point) -> float:
    """The minimum of the cubic through both points and slopes (3.59), kept off the ends by 10 %.

    Where there is none, or an end is not finite, the middle.
    """
    width, middle = high.at - low.at, 0.5 * (low.at + high.at)
    if width == 0.0 or not (isfinite(high.loss) and isfinite(high.slope)):
        return middle
    first = low.slope + high.slope - 3.0 * (high.loss - low.loss) / width
    square = first * first - low.slope * high.slope
    if square < 0.0:
        return middle
    root = sqrt(square)
    below = high.slope - low.slope + (2.0 * root if width > 0.0 else -2.0 * root)
    if below == 0.0:
        return middle
    second = root if width > 0.0 else -root
    at = high.at - width * (high.slope + second - first) / below
    near, far = sorted((low.at + 0.1 * width, high.at - 0.1 * width))
    return min(max(at, near), far)
