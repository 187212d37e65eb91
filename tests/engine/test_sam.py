"""Sharpness-aware minimisation against a plain implementation of the algorithm."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.errors import SettingError

HESSIAN = np.diag(np.arange(1.0, 7.0)) + 0.3


def gradient_at(theta: Array) -> Array:
    """The gradient of ½ θᵀAθ + Σ θ⁴/4."""
    return HESSIAN @ theta + theta**3


def run_steps(
    optimizer: Optimizer, steps: int, dtype: type = np.float64
) -> tuple[Array, list[Array]]:
    """θ after some steps, and the points at which the closure was called."""
    theta = np.linspace(-1.0, 1.0, 6).astype(dtype)
    gradient, points = np.empty_like(theta), []
    state = optimizer.start(theta)

    def closure() -> float:
        points.append(theta.copy())
        gradient[...] = gradient_at(theta)
        return 0.0

    state.closure = closure
    for _ in range(steps):
        gradient[...] = gradient_at(theta)
        optimizer.step(theta, gradient, state, optimizer.learning_rate, [slice(0, 6)])
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
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_steps_equal_the_algorithm(inner: Optimizer, rho: float) -> None:
    theta, points = run_steps(OPTIMIZERS["sam"](rho, inner), 10)
    expected, state = np.linspace(-1.0, 1.0, 6), inner.start(np.empty(6))
    for point in points:
        gradient = gradient_at(expected)
        perturbed = expected + rho * gradient / np.linalg.norm(gradient)
        np.testing.assert_allclose(point, perturbed, rtol=1e-12)
        perturbed_gradient = gradient_at(perturbed)
        inner.step(expected, perturbed_gradient, state, inner.learning_rate, [slice(0, 6)])
    assert len(points) == 10
    np.testing.assert_allclose(theta, expected, rtol=1e-12)


def test_the_learning_rate_and_the_slots_are_the_inner_ones() -> None:
    optimizer = OPTIMIZERS["sam"](0.1, OPTIMIZERS["adam"](0.02))
    assert optimizer.learning_rate == 0.02
    assert set(optimizer.start(np.ones(3)).slots) == {"mean", "square"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_restored_state_continues_to_the_bit(dtype: type) -> None:
    optimizer = OPTIMIZERS["sam"](0.1, OPTIMIZERS["nadam"](0.05))
    theta = np.linspace(-1.0, 1.0, 6).astype(dtype)
    expected, _ = run_steps(optimizer, 6, dtype)
    state, gradient = optimizer.start(theta), np.empty_like(theta)

    def closure() -> float:
        gradient[...] = gradient_at(theta)
        return 0.0

    for _ in range(6):
        restored = optimizer.start(theta)
        for name, slot in state.slots.items():
            restored.slots[name][...] = slot
        restored.steps, restored.numbers = state.steps, json.loads(json.dumps(state.numbers))
        state = restored
        state.closure = closure
        gradient[...] = gradient_at(theta)
        optimizer.step(theta, gradient, state, 0.05, [])
    assert theta.tobytes() == expected.tobytes()


def test_a_zero_gradient_is_no_division_by_zero() -> None:
    optimizer = OPTIMIZERS["sam"]()
    theta = np.zeros(3)
    state = optimizer.start(theta)
    state.closure = lambda: 0.0
    optimizer.step(theta, np.zeros(3), state, 0.1, [])
    assert (theta == 0.0).all()


@pytest.mark.parametrize("inner", ["lbfgs", "sam", "gd"])
def test_incompatible_inner_optimizers_are_errors(inner: str) -> None:
    with pytest.raises(SettingError, match="one gradient a step"):
        OPTIMIZERS["sam"](0.1, OPTIMIZERS[inner]())
