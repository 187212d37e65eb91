"""L-BFGS: its direction against dense BFGS, its line search, its bottoms against SciPy's."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize

from ldl.arrays import Array
from ldl.engine.optim import Lbfgs, OptimizerState
from ldl.engine.optim.line_search import CURVATURE, DECREASE, Point, strong_wolfe

Function = Callable[[Array], tuple[float, Array]]


def rosenbrock(x: Array) -> tuple[float, Array]:
    """The banana valley, its bottom at all ones."""
    return float(optimize.rosen(x)), np.asarray(optimize.rosen_der(x))


def bowl(x: Array) -> tuple[float, Array]:
    """½ Σ k x_k², with condition number len(x)."""
    k = np.arange(1, len(x) + 1)
    return float(0.5 * (k * x * x).sum()), k * x


def logistic(x: Array) -> tuple[float, Array]:
    """Logistic regression with a little L2 on 40 random samples."""
    rng = np.random.default_rng(0)
    rows, signs = rng.normal(size=(40, len(x))), rng.choice([-1.0, 1.0], 40)
    margins = signs * (rows @ x)
    loss = np.logaddexp(0, -margins).mean() + 0.01 * x @ x
    slope = -(signs / (1 + np.exp(margins))) @ rows / 40 + 0.02 * x
    return float(loss), slope


def started(
    rule: Lbfgs, function: Function, theta: Array
) -> tuple[Array, Array, OptimizerState, list[Array]]:
    """θ, its gradient, a state that evaluates the function, and where it was evaluated."""
    gradient, seen = np.zeros_like(theta), []
    state = rule.start(theta)

    def evaluate() -> float:
        seen.append(theta.copy())
        loss, slope = function(theta.astype(np.float64))
        gradient[...] = slope
        return loss

    state.closure = evaluate
    return theta, gradient, state, seen


@pytest.mark.parametrize("function", [rosenbrock, bowl, logistic])
@pytest.mark.parametrize("history", [1, 3, 10])
def test_it_finds_the_bottom_that_scipy_finds(function: Function, history: int) -> None:
    rule = Lbfgs(history_size=history)
    begin = np.linspace(0.0, 0.8, 6)
    theta, gradient, state, _ = started(rule, function, begin.copy())
    for _ in range(40):
        rule.step(theta, gradient, state, 1.0, 0)
    expected = optimize.minimize(function, begin, jac=True, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(theta, expected.x, atol=1e-5)
    assert np.abs(gradient).max() < 1e-5


def test_it_needs_no_more_evaluations_than_scipy_by_much() -> None:
    rule = Lbfgs(max_iter=200)
    theta, gradient, state, seen = started(rule, rosenbrock, np.linspace(-1.2, 1.0, 6))
    rule.step(theta, gradient, state, 1.0, 0)
    result = optimize.minimize(
        rosenbrock, np.linspace(-1.2, 1.0, 6), jac=True, method="L-BFGS-B", options={"gtol": 1e-7}
    )
    assert np.abs(gradient).max() <= 1e-7
    assert len(seen) <= 1.5 * result.nfev


def dense_direction(pairs: list[tuple[Array, Array]], gradient: Array) -> Array:
    """−H g with H written out: the BFGS update of the inverse, from γ I (7.16 to 7.20)."""
    identity = np.eye(len(gradient))
    s, y = pairs[-1]
    inverse = identity * (s @ y) / (y @ y)
    for s, y in pairs:
        rho = 1 / (s @ y)
        left = identity - rho * np.outer(s, y)
        inverse = left @ inverse @ left.T + rho * np.outer(s, s)
    return -inverse @ gradient


@pytest.mark.parametrize("history", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_the_direction_is_that_of_dense_bfgs(history: int, count: int) -> None:
    rng = np.random.default_rng(1)
    curved = np.diag(np.arange(1.0, 9.0))
    rule, gradient = Lbfgs(history_size=history), rng.normal(size=8)
    state = rule.start(gradient)
    pairs = []
    for _ in range(count):
        s = rng.normal(size=8)
        pairs.append((s, curved @ s))
        state.scratch[1], state.scratch[2] = pairs[-1]
        rule._remember(state)
    rule._compute_direction(gradient, state)
    np.testing.assert_allclose(state.scratch[0], dense_direction(pairs[-history:], gradient))


def test_a_pair_without_curvature_is_left_out() -> None:
    rule = Lbfgs()
    state = rule.start(np.zeros(4))
    state.scratch[1], state.scratch[2] = 1.0, -1.0
    rule._remember(state)
    assert state.numbers["pairs"] == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_iter", [1, 4])
def test_a_memory_that_is_copied_goes_on_to_the_same_bits(dtype: type, max_iter: int) -> None:
    rule = Lbfgs(max_iter=max_iter, history_size=3)
    begin = np.linspace(-1.2, 1.0, 6).astype(dtype)
    whole, gradient, state, _ = started(rule, rosenbrock, begin.copy())
    for _ in range(8):
        rule.step(whole, gradient, state, 1.0, 0)
    theta = begin.copy()
    moments, numbers, steps = state.slots, {"pairs": 0.0}, 0
    moments = {name: np.zeros_like(array) for name, array in moments.items()}
    for _ in range(8):
        theta, gradient, fresh, _ = started(rule, rosenbrock, theta)
        assert {a.dtype for a in fresh.slots.values()} == {np.dtype(dtype)}
        assert fresh.slots.keys() == moments.keys()
        fresh.steps, fresh.slots = steps, {name: a.copy() for name, a in moments.items()}
        fresh.numbers = json.loads(json.dumps(numbers))
        fresh.scratch.fill(np.nan)
        rule.step(theta, gradient, fresh, 1.0, 0)
        moments, numbers, steps = fresh.slots, fresh.numbers, fresh.steps
    assert steps == 8
    np.testing.assert_array_equal(theta, whole)


def test_at_the_bottom_it_stays() -> None:
    rule = Lbfgs()
    theta, gradient, state, seen = started(rule, bowl, np.zeros(5))
    rule.step(theta, gradient, state, 1.0, 0)
    np.testing.assert_array_equal(theta, 0.0)
    assert len(seen) == 1


def test_where_nothing_is_lower_it_goes_back_to_the_bit() -> None:
    """A gradient that lies: every move is up."""
    rule = Lbfgs()
    begin = np.linspace(0.1, 0.7, 5)
    liar: Function = lambda x: (float((x * x).sum()), -2 * x)  # noqa: E731
    theta, gradient, state, _ = started(rule, liar, begin.copy())
    rule.step(theta, gradient, state, 1.0, 0)
    np.testing.assert_array_equal(theta, begin)
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
def test_the_point_found_meets_both_conditions(name: str, trial: float) -> None:
    f = LINES[name]
    asked = []

    def line(at: float) -> Point:
        asked.append(at)
        return Point(at, *map(float, f(at)))

    start = Point(0.0, *map(float, f(0.0)))
    found = strong_wolfe(line, start, trial)
    assert found is not None and found == line(found.at)
    assert found.loss <= start.loss + DECREASE * found.at * start.slope
    if name != "wall":  # which has no point where the slope is flat
        assert abs(found.slope) <= -CURVATURE * start.slope
    assert all(0 < at < 1e6 for at in asked)
    assert len(asked) < 52


def test_a_line_that_only_rises_has_no_point() -> None:
    start = Point(0.0, 0.0, -1.0)
    assert strong_wolfe(lambda a: Point(a, a, 1.0), start, 1.0) is None
