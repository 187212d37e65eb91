"""Optimizers against scalar reference implementations in float64, over twenty steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np
import pytest

from ldl.arrays import Array
from ldl.engine.memory import FlatVector
from ldl.engine.optim import OPTIMIZERS, Optimizer
from ldl.errors import SettingError

SHAPES = {"w": (3, 5), "v": (7,), "bias": (5,)}
LEARNING_RATES = [0.05 / (1 + 0.1 * t) for t in range(20)]


@dataclass
class ScalarWeight:
    """One weight, whether weight decay applies to it, and the slots of its reference."""

    value: float
    decay: bool
    slots: dict[str, float] = field(default_factory=dict)


def gd(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
    n.value = n.value - learning_rate * g


def sgd(momentum: float = 0.0, nesterov: bool = False, decay: float = 0.0) -> Callable[..., None]:
    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        g = g + decay * n.value if n.decay else g
        v = momentum * n.slots.get("v", 0.0) + g
        n.slots["v"] = v
        n.value = n.value - learning_rate * (g + momentum * v if nesterov else v)

    return reference


def adam(
    beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, decay: float = 0.0
) -> Callable[..., None]:
    """Algorithm 1 of Kingma and Ba; decay as in Loshchilov and Hutter."""

    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        if n.decay:
            n.value = n.value - learning_rate * decay * n.value
        m = beta1 * n.slots.get("m", 0.0) + (1 - beta1) * g
        v = beta2 * n.slots.get("v", 0.0) + (1 - beta2) * g * g
        n.slots.update(m=m, v=v)
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        n.value = n.value - learning_rate * m_hat / (sqrt(v_hat) + epsilon)

    return reference


def adagrad(epsilon: float = 1e-10) -> Callable[..., None]:
    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        n.slots["s"] = n.slots.get("s", 0.0) + g * g
        n.value = n.value - learning_rate * g / (sqrt(n.slots["s"]) + epsilon)

    return reference


def adadelta(rho: float = 0.9, epsilon: float = 1e-6) -> Callable[..., None]:
    """Algorithm 1 of Zeiler."""

    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        s = rho * n.slots.get("s", 0.0) + (1 - rho) * g * g
        r = n.slots.get("r", 0.0)
        d = sqrt(r + epsilon) / sqrt(s + epsilon) * g
        n.slots.update(s=s, r=rho * r + (1 - rho) * d * d)
        n.value = n.value - learning_rate * d

    return reference


def adamax(beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Callable[..., None]:
    """The formulas of PyTorch's documentation."""

    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        m = beta1 * n.slots.get("m", 0.0) + (1 - beta1) * g
        u = max(beta2 * n.slots.get("u", 0.0), abs(g) + epsilon)
        n.slots.update(m=m, u=u)
        n.value = n.value - learning_rate / (1 - beta1**t) * m / u

    return reference


def rmsprop(
    alpha: float = 0.99, epsilon: float = 1e-8, momentum: float = 0.0, centered: bool = False
) -> Callable[..., None]:
    """The formulas of PyTorch's documentation."""

    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        s = alpha * n.slots.get("s", 0.0) + (1 - alpha) * g * g
        m = alpha * n.slots.get("m", 0.0) + (1 - alpha) * g
        b = momentum * n.slots.get("b", 0.0)
        b += g / (sqrt(max(0.0, s - m * m) if centered else s) + epsilon)
        n.slots.update(s=s, m=m, b=b)
        n.value = n.value - learning_rate * b

    return reference


def nadam(
    beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, decay: float = 0.004
) -> Callable[..., None]:
    """The formulas of PyTorch's documentation."""

    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        mu, next_mu = (beta1 * (1 - 0.5 * 0.96 ** (k * decay)) for k in (t, t + 1))
        product = n.slots.get("product", 1.0) * mu
        m = beta1 * n.slots.get("m", 0.0) + (1 - beta1) * g
        v = beta2 * n.slots.get("v", 0.0) + (1 - beta2) * g * g
        n.slots.update(product=product, m=m, v=v)
        m_hat = next_mu * m / (1 - product * next_mu) + (1 - mu) * g / (1 - product)
        n.value = n.value - learning_rate * m_hat / (sqrt(v / (1 - beta2**t)) + epsilon)

    return reference


def lion(beta1: float = 0.9, beta2: float = 0.99, decay: float = 0.0) -> Callable[..., None]:
    """Program 1 of Chen et al."""

    def reference(n: ScalarWeight, g: float, learning_rate: float, t: int) -> None:
        m = n.slots.get("m", 0.0)
        c = beta1 * m + (1 - beta1) * g
        n.value = n.value - learning_rate * (
            (c > 0) - (c < 0) + (decay * n.value if n.decay else 0.0)
        )
        n.slots["m"] = beta2 * m + (1 - beta2) * g

    return reference


CASES: list[tuple[str, dict[str, object], Callable[..., None]]] = [
    ("gd", {}, gd),
    ("sgd", {}, sgd()),
    ("sgd", {"momentum": 0.9}, sgd(0.9)),
    ("sgd", {"momentum": 0.8, "nesterov": True}, sgd(0.8, True)),
    ("sgd", {"weight_decay": 0.1}, sgd(decay=0.1)),
    ("sgd", {"momentum": 0.7, "weight_decay": 0.2}, sgd(0.7, decay=0.2)),
    ("sgd", {"momentum": 0.7, "nesterov": True, "weight_decay": 0.2}, sgd(0.7, True, 0.2)),
    ("adam", {}, adam()),
    ("adam", {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.01}, adam(0.5, 0.9, 0.01)),
    ("adam", {"beta1": 0.0, "beta2": 0.0, "epsilon": 0.1}, adam(0.0, 0.0, 0.1)),
    ("adamw", {}, adam(decay=0.01)),
    ("adamw", {"weight_decay": 0.3, "epsilon": 0.1}, adam(epsilon=0.1, decay=0.3)),
    ("adamw", {"weight_decay": 0.0}, adam()),
    ("adagrad", {}, adagrad()),
    ("adagrad", {"epsilon": 0.1}, adagrad(0.1)),
    ("adadelta", {}, adadelta()),
    ("adadelta", {"rho": 0.5, "epsilon": 0.01}, adadelta(0.5, 0.01)),
    ("rmsprop", {}, rmsprop()),
    ("rmsprop", {"alpha": 0.9, "epsilon": 0.1}, rmsprop(0.9, 0.1)),
    ("rmsprop", {"alpha": 0.0, "momentum": 0.5, "epsilon": 0.1}, rmsprop(0.0, 0.1, 0.5)),
    ("rmsprop", {"centered": True, "epsilon": 0.01}, rmsprop(0.99, 0.01, centered=True)),
    (
        "rmsprop",
        {"centered": True, "momentum": 0.9, "alpha": 0.5, "epsilon": 0.1},
        rmsprop(0.5, 0.1, 0.9, True),
    ),
    ("adamax", {}, adamax()),
    ("adamax", {"beta1": 0.5, "beta2": 0.3, "epsilon": 0.1}, adamax(0.5, 0.3, 0.1)),
    ("nadam", {}, nadam()),
    (
        "nadam",
        {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.01, "momentum_decay": 0.5},
        nadam(0.5, 0.9, 0.01, 0.5),
    ),
    ("nadam", {"beta1": 0.0, "momentum_decay": 0.0}, nadam(0.0, decay=0.0)),
    ("lion", {}, lion()),
    ("lion", {"beta1": 0.5, "beta2": 0.5, "weight_decay": 0.3}, lion(0.5, 0.5, 0.3)),
]
all_cases = pytest.mark.parametrize(
    ("entry", "settings", "reference"),
    CASES,
    ids=["-".join([entry, *map(str, settings.items())]) for entry, settings, _ in CASES],
)


def test_every_optimizer_has_a_reference() -> None:
    """L-BFGS and SAM, which need a closure and the whole vector, have files of their own."""
    assert {*Counter(entry for entry, _, _ in CASES), "lbfgs", "sam"} == set(OPTIMIZERS)


def gradients(seed: int = 1) -> list[dict[str, Array]]:
    rng = np.random.default_rng(seed)
    return [
        {name: rng.normal(size=shape) for name, shape in SHAPES.items()} for _ in LEARNING_RATES
    ]


def initial_vectors(dtype: type) -> tuple[FlatVector, FlatVector]:
    rng = np.random.default_rng(0)
    theta, gradient = FlatVector(SHAPES, dtype), FlatVector(SHAPES, dtype)
    for view in theta.views.values():
        view[...] = rng.normal(size=view.shape)
    return theta, gradient


def first_index(flat: FlatVector, name: str) -> int:
    """The index in the vector at which a view begins."""
    return (flat[name].ctypes.data - flat.vector.ctypes.data) // flat.vector.itemsize


def run(optimizer: Optimizer, dtype: type) -> tuple[FlatVector, object]:
    theta, gradient = initial_vectors(dtype)
    state, decay = optimizer.start(theta.vector), [slice(0, first_index(theta, "bias"))]
    for learning_rate, step_gradients in zip(LEARNING_RATES, gradients(), strict=True):
        for name, array in step_gradients.items():
            gradient[name][...] = array
        optimizer.step(theta.vector, gradient.vector, state, learning_rate, decay)
    return theta, state


@all_cases
def test_twenty_steps_equal_the_reference(
    entry: str, settings: dict[str, object], reference: Callable[..., None]
) -> None:
    theta, state = run(OPTIMIZERS[entry](**settings), np.float64)
    first, _ = initial_vectors(np.float64)
    assert state.steps == len(LEARNING_RATES)
    for name, view in first.views.items():
        weights = [ScalarWeight(float(v), name != "bias") for v in view.reshape(-1)]
        for t, (learning_rate, step_gradients) in enumerate(
            zip(LEARNING_RATES, gradients(), strict=True), 1
        ):
            for weight, g in zip(weights, step_gradients[name].reshape(-1), strict=True):
                reference(weight, float(g), learning_rate, t)
        expected = np.reshape([weight.value for weight in weights], view.shape)
        np.testing.assert_allclose(theta[name], expected, rtol=1e-11, atol=1e-13, err_msg=name)


@all_cases
def test_float32_has_no_float64_array_and_a_small_error(
    entry: str, settings: dict[str, object], reference: object
) -> None:
    optimizer = OPTIMIZERS[entry](**settings)
    theta, state = run(optimizer, np.float32)
    double, _ = run(optimizer, np.float64)
    arrays = [theta.vector, state.scratch, *state.slots.values()]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    for name, view in theta.views.items():
        np.testing.assert_allclose(view, double[name], rtol=2e-5, atol=2e-5, err_msg=name)


@all_cases
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gaps_between_views_stay_zero(
    entry: str, settings: dict[str, object], reference: object, dtype: type
) -> None:
    theta, state = run(OPTIMIZERS[entry](**settings), dtype)
    gap = np.ones(theta.vector.size, bool)
    for name, view in theta.views.items():
        gap[first_index(theta, name) : first_index(theta, name) + view.size] = False
    assert gap.sum() == theta.vector.size - sum(view.size for view in theta.views.values())
    for slot, array in {"theta": theta.vector, **state.slots}.items():
        floor = dtype(settings.get("epsilon", 1e-8)) if slot == "largest" else 0.0
        assert (array[gap] == floor).all()


@all_cases
def test_a_copied_state_continues_to_the_bit(
    entry: str, settings: dict[str, object], reference: object
) -> None:
    """Steps, slots and numbers are the whole state of an optimizer; a checkpoint has no more."""
    optimizer = OPTIMIZERS[entry](**settings)
    expected, _ = run(optimizer, np.float32)
    theta, gradient = initial_vectors(np.float32)
    state, decay_slices = optimizer.start(theta.vector), [slice(0, first_index(theta, "bias"))]
    for learning_rate, step_gradients in zip(LEARNING_RATES, gradients(), strict=True):
        restored = optimizer.start(theta.vector)
        assert restored.slots.keys() == state.slots.keys()
        restored.steps, restored.slots = state.steps, state.slots
        restored.numbers = json.loads(json.dumps(state.numbers))
        restored.scratch.fill(np.nan)
        state = restored
        for name, array in step_gradients.items():
            gradient[name][...] = array
        optimizer.step(theta.vector, gradient.vector, state, learning_rate, decay_slices)
    np.testing.assert_array_equal(theta.vector, expected.vector)


@all_cases
def test_an_optimizer_finds_the_minimum_of_a_quadratic(
    entry: str, settings: dict[str, object], reference: object
) -> None:
    optimizer = OPTIMIZERS[entry](**settings)
    if hasattr(optimizer, "weight_decay"):
        optimizer = replace(optimizer, weight_decay=0.0)
    theta, minimum = np.zeros(16), np.linspace(-1, 1, 16)
    state = optimizer.start(theta)
    # Those of adagrad shrink without a schedule, those of adadelta have the size of the last ones.
    learning_rate = {"adagrad": 0.1, "adadelta": 1.0}.get(entry, 0.01)
    for _ in range(3000):
        optimizer.step(theta, theta - minimum, state, learning_rate, [slice(0, 16)])
    np.testing.assert_allclose(theta, minimum, atol=0.02)


def test_which_optimizers_are_full_batch() -> None:
    full_batch = [name for name, optimizer in OPTIMIZERS.items() if optimizer.full_batch]
    assert full_batch == ["gd", "lbfgs"]


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(SettingError, match="nesterov"):
        OPTIMIZERS["sgd"](nesterov=True)


def test_sgd_without_momentum_has_no_velocity() -> None:
    theta = np.ones(16, np.float32)
    assert OPTIMIZERS["sgd"]().start(theta).slots == {}
    assert list(OPTIMIZERS["sgd"](momentum=0.5).start(theta).slots) == ["velocity"]
