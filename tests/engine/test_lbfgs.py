"""L-BFGS: its direction against dense BFGS, its minima against SciPy, its line search."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize

from ldl.arrays import Array
from ldl.engine.optim import Lbfgs, OptimizerState
from ldl.engine.optim.line_search import CURVATURE, DECREASE, Point, _interpolate, strong_wolfe

Function = Callable[[Array], tuple[float, Array]]


def rosenbrock(x: Array) -> tuple[float, Array]:
    """Rosenbrock's function, with its minimum at all ones."""
    return float(optimize.rosen(x)), np.asarray(optimize.rosen_der(x))


def quadratic(x: Array) -> tuple[float, Array]:
    """½ Σ k x_k², with condition number len(x)."""
    k = np.arange(1, len(x) + 1)
    return float(0.5 * (k * x * x).sum()), k * x


def logistic(x: Array) -> tuple[float, Array]:
    """Logistic regression with an L2 penalty on 40 random samples."""
    rng = np.random.default_rng(0)
    rows, signs = rng.normal(size=(40, len(x))), rng.choice([-1.0, 1.0], 40)
    margins = signs * (rows @ x)
    loss = np.logaddexp(0, -margins).mean() + 0.01 * x @ x
    slope = -(signs / (1 + np.exp(margins))) @ rows / 40 + 0.02 * x
    return float(loss), slope


def start_state(
    optimizer: Lbfgs, function: Function, theta: Array
) -> tuple[Array, Array, OptimizerState, list[Array]]:
    """θ, its gradient, a state whose closure evaluates the function, and the points evaluated."""
    gradient, points = np.zeros_like(theta), []
    state = optimizer.start(theta)

    def evaluate() -> float:
        points.append(theta.copy())
        loss, slope = function(theta.astype(np.float64))
        gradient[...] = slope
        return loss

    state.closure = evaluate
    return theta, gradient, state, points


@pytest.mark.parametrize("function", [rosenbrock, quadratic, logistic])
@pytest.mark.parametrize("history", [1, 3, 10])
def test_lbfgs_finds_the_minimum_that_scipy_finds(function: Function, history: int) -> None:
    optimizer = Lbfgs(history_size=history)
    initial = np.linspace(0.0, 0.8, 6)
    theta, gradient, state, _ = start_state(optimizer, function, initial.copy())
    for _ in range(40):
        optimizer.step(theta, gradient, state, 1.0, 0)
    expected = optimize.minimize(function, initial, jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(theta, expected.x, atol=1e-5)
    assert np.abs(gradient).max() < 1e-5


def test_lbfgs_needs_at_most_half_more_evaluations_than_scipy() -> None:
    optimizer = Lbfgs(max_iter=200)
    theta, gradient, state, points = start_state(optimizer, rosenbrock, np.linspace(-1.2, 1.0, 6))
    optimizer.step(theta, gradient, state, 1.0, 0)
    result = optimize.minimize(
        rosenbrock, np.linspace(-1.2, 1.0, 6), jac=True, method="L-BFGS-B", options={"gtol": 1e-7}
    )
    assert np.abs(gradient).max() <= 1e-7
    assert len(points) <= 1.5 * result.nfev


def dense_direction(pairs: list[tuple[Array, Array]], gradient: Array) -> Array:
    """−H g with H as a matrix: the BFGS update of the inverse, from γ I (7.16 to 7.20)."""
    identity = np.eye(len(gradient))
    s, y = pairs[-1]
    inverse = identity * (s @ y) / (y @ y)
    for s, y in pairs:
        rho = 1 / (s @ y)
        projection = identity - rho * np.outer(s, y)
        inverse = projection @ inverse @ projection.T + rho * np.outer(s, s)
    return -inverse @ gradient


@pytest.mark.parametrize("history", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_the_direction_equals_dense_bfgs(history: int, count: int) -> None:
    rng = np.random.default_rng(1)
    hessian = np.diag(np.arange(1.0, 9.0))
    optimizer, gradient = Lbfgs(history_size=history), rng.normal(size=8)
    state = optimizer.start(gradient)
    pairs = []
    for _ in range(count):
        s = rng.normal(size=8)
        pairs.append((s, hessian @ s))
        state.scratch[1], state.scratch[2] = pairs[-1]
        optimizer._store_pair(state)
    optimizer._compute_direction(gradient, state)
    np.testing.assert_allclose(state.scratch[0], dense_direction(pairs[-history:], gradient))


def test_a_pair_without_curvature_is_not_stored() -> None:
    optimizer = Lbfgs()
    state = optimizer.start(np.zeros(4))
    state.scratch[1], state.scratch[2] = 1.0, -1.0
    optimizer._store_pair(state)
    assert state.numbers["pairs"] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_iter", [1, 4])
def test_a_copied_state_continues_to_the_bit(dtype: type, max_iter: int) -> None:
    optimizer = Lbfgs(max_iter=max_iter, history_size=3)
    initial = np.linspace(-1.2, 1.0, 6).astype(dtype)
    expected, gradient, state, _ = start_state(optimizer, rosenbrock, initial.copy())
    for _ in range(8):
        optimizer.step(expected, gradient, state, 1.0, 0)
    theta = initial.copy()
    slots, numbers, steps = state.slots, {"pairs": 0.0}, 0
    slots = {name: np.zeros_like(array) for name, array in slots.items()}
    for _ in range(8):
        theta, gradient, restored, _ = start_state(optimizer, rosenbrock, theta)
        assert {a.dtype for a in restored.slots.values()} == {np.dtype(dtype)}
        assert restored.slots.keys() == slots.keys()
        restored.steps, restored.slots = steps, {name: a.copy() for name, a in slots.items()}
        restored.numbers = json.loads(json.dumps(numbers))
        restored.scratch.fill(np.nan)
        optimizer.step(theta, gradient, restored, 1.0, 0)
        slots, numbers, steps = restored.slots, restored.numbers, restored.steps
    assert steps == 8
    np.testing.assert_array_equal(theta, expected)


def test_theta_stays_at_the_minimum() -> None:
    optimizer = Lbfgs()
    theta, gradient, state, points = start_state(optimizer, quadratic, np.zeros(5))
    optimizer.step(theta, gradient, state, 1.0, 0)
    np.testing.assert_array_equal(theta, 0.0)
    assert len(points) == 1


def test_theta_is_restored_where_no_point_is_lower() -> None:
    """A gradient of the wrong sign, so that the loss rises along every direction."""
    optimizer = Lbfgs()
    initial = np.linspace(0.1, 0.7, 5)
    wrong_gradient: Function = lambda x: (float((x * x).sum()), -2 * x)  # noqa: E731
    theta, gradient, state, _ = start_state(optimizer, wrong_gradient, initial.copy())
    optimizer.step(theta, gradient, state, 1.0, 0)
    np.testing.assert_array_equal(theta, initial)
    assert state.numbers["pairs"] == 0


# --- the line search ---------------------------------------------------------------------------

LINES: dict[str, Callable[[float], tuple[float, float]]] = {
    "parabola": lambda a: ((a - 1.0) ** 2, 2 * (a - 1.0)),
    "far": lambda a: ((a - 300.0) ** 2, 2 * (a - 300.0)),
    "near": lambda a: ((a - 1e-4) ** 2, 2 * (a - 1e-4)),
    "quartic": lambda a: ((a - 2.0) ** 4 - a, 4 * (a - 2.0) ** 3 - 1),
    "waves": lambda a: (-np.sin(3 * a) + 0.05 * a * a, -3 * np.cos(3 * a) + 0.1 * a),
    "wall": lambda a: (-a if a < 0.7 else np.inf, -1.0 if a < 0.7 else np.nan),
    "nan": lambda a: ((a - 0.3) ** 2 if a < 0.5 else np.nan, 2 * (a - 0.3)),
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("trial", [1e-3, 0.1, 1.0, 10.0, 1e4])
def test_the_line_search_meets_both_conditions(name: str, trial: float) -> None:
    f = LINES[name]
    step_lengths = []

    def line(step_length: float) -> Point:
        step_lengths.append(step_length)
        return Point(step_length, *map(float, f(step_length)))

    start = Point(0.0, *map(float, f(0.0)))
    point = strong_wolfe(line, start, trial)
    assert point is not None and point == line(point.step_length)
    assert point.loss <= start.loss + DECREASE * point.step_length * start.slope
    if name != "wall":  # which has no point with a small slope
        assert abs(point.slope) <= -CURVATURE * start.slope
    assert all(0 < step_length < 1e6 for step_length in step_lengths)
    assert len(step_lengths) < 52


def test_a_rising_line_has_no_point() -> None:
    start = Point(0.0, 0.0, -1.0)
    assert strong_wolfe(lambda a: Point(a, a, 1.0), start, 1.0) is None


def test_a_search_along_an_endless_descent_ends() -> None:
    """After 25 evaluations, each twice as far as the one before, at the last point."""
    lengths = []

    def line(length: float) -> Point:
        lengths.append(length)
        return Point(length, -length, -1.0)

    point = strong_wolfe(line, Point(0.0, 0.0, -1.0), 0.5)
    assert lengths == [0.5 * 2.0**i for i in range(25)]
    assert point is not None and point.step_length == lengths[-1]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((1.0, 1.8), 4 / 3),
        ((-0.5, 2.0), 4 / 3),
        ((1.3, 2.3), 1.4),  # a tenth of the width from an end at least
        ((0.4, 1.4), 1.3),
        ((-2.0, -1.0), -1.1),  # the minimum lies outside
    ],
)
def test_interpolation_finds_the_minimum_of_a_cubic(
    ends: tuple[float, float], expected: float
) -> None:
    """That of α³ − 2α², from either end; the midpoint where there is none."""

    def point(a: float) -> Point:
        return Point(a, a**3 - 2 * a**2, 3 * a**2 - 4 * a)

    low, high = map(point, ends)
    assert _interpolate(low, high) == pytest.approx(expected)
    assert _interpolate(high, low) == pytest.approx(expected)
    nowhere = Point(3.0, math.inf, math.nan)
    assert _interpolate(Point(1.0, 0.0, -1.0), nowhere) == 2.0
    assert _interpolate(Point(0.0, 0.0, 1.0), Point(1.0, 1.0, 1.0)) == 0.5  # a straight line
