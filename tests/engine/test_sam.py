"""Sharpness-aware minimisation: against the algorithm written plainly."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.errors import SettingError

CURVED = np.diag(np.arange(1.0, 7.0)) + 0.3


def gradient_at(theta: Array) -> Array:
    """The gradient of ½ θᵀAθ + Σ θ⁴/4."""
    return CURVED @ theta + theta**3


def trained(rule: Optimizer, steps: int, dtype: type = np.float64) -> tuple[Array, list[Array]]:
    """θ after some steps, and the points at which the closure was called."""
    theta = np.linspace(-1.0, 1.0, 6).astype(dtype)
    gradient, points = np.empty_like(theta), []
    state = rule.start(theta)

    def closure() -> float:
        points.append(theta.copy())
        gradient[...] = gradient_at(theta)
        return 0.0

    state.closure = closure
    for _ in range(steps):
        gradient[...] = gradient_at(theta)
        rule.step(theta, gradient, state, rule.learning_rate, [slice(0, 6)])
    assert state.steps == steps
    return theta, points


@pytest.mark.parametrize("rho", [0.05, 0.5])
@pytest.mark.parametrize(
    "inner",
    [
        OPTIMIZERS["sgd"](0.01),
        OPTIMIZERS["sgd"](0.01, momentum=0.9, weight_decay=0.1),
        OPTIMIZERS["adam"](0.1),
        OPTIMIZERS["nadam"](0.1),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_the_steps_are_those_of_the_algorithm(inner: Optimizer, rho: float) -> None:
    theta, points = trained(OPTIMIZERS["sam"](rho, inner), 10)
    expected, state = np.linspace(-1.0, 1.0, 6), inner.start(np.empty(6))
    for point in points:
        gradient = gradient_at(expected)
        perturbed = expected + rho * gradient / np.linalg.norm(gradient)
        np.testing.assert_allclose(point, perturbed, rtol=1e-12)
        sharp = gradient_at(perturbed)
        inner.step(expected, sharp, state, inner.learning_rate, [slice(0, 6)])
    assert len(points) == 10
    np.testing.assert_allclose(theta, expected, rtol=1e-12)


def test_the_learning_rate_and_the_slots_are_the_inner_ones() -> None:
    rule = OPTIMIZERS["sam"](0.1, OPTIMIZERS["adam"](0.02))
    assert rule.learning_rate == 0.02
    assert set(rule.start(np.ones(3)).slots) == {"mean", "square"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_state_that_is_saved_and_loaded_gives_the_same_bits(dtype: type) -> None:
    rule = OPTIMIZERS["sam"](0.1, OPTIMIZERS["nadam"](0.05))
    theta = np.linspace(-1.0, 1.0, 6).astype(dtype)
    whole, _ = trained(rule, 6, dtype)
    state, gradient = rule.start(theta), np.empty_like(theta)

    def closure() -> float:
        gradient[...] = gradient_at(theta)
        return 0.0

    for _ in range(6):
        fresh = rule.start(theta)
        for name, slot in state.slots.items():
            fresh.slots[name][...] = slot
        fresh.steps, fresh.numbers = state.steps, json.loads(json.dumps(state.numbers))
        state = fresh
        state.closure = closure
        gradient[...] = gradient_at(theta)
        rule.step(theta, gradient, state, 0.05, [])
    assert theta.tobytes() == whole.tobytes()


def test_no_gradient_is_no_division_by_zero() -> None:
    rule = OPTIMIZERS["sam"]()
    theta = np.zeros(3)
    state = rule.start(theta)
    state.closure = lambda: 0.0
    rule.step(theta, np.zeros(3), state, 0.1, [])
    assert (theta == 0.0).all()


@pytest.mark.parametrize("inner", ["lbfgs", "sam", "gd"])
def test_optimizers_that_do_not_fit_inside_are_refused(inner: str) -> None:
    with pytest.raises(SettingError, match="one gradient a step"):
        OPTIMIZERS["sam"](0.1, OPTIMIZERS[inner]())
