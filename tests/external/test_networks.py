"""Every network of configs/ against PyTorch: outputs and gradients of a step, and fifty steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from .comparison import CONFIGS, Comparison, Values
from .torch_networks import TORCH_EXPERIMENTS

pytestmark = pytest.mark.external

# In float64 a rounding is 2⁻⁵³ of a value. A step has some dozens of roundings; 1000 are allowed.
# Adam divides by the root of a squared gradient: a gradient of 0 that is a rounding error (of the
# bias of attention's keys) changes the weight by η · rounding / ε with ε = 1e-8, so that fifty
# steps are allowed 10⁷ roundings, 1e-9.
TOLERANCE = 1000 * 2.0**-53
TOLERANCE_AFTER_FIFTY = 1e7 * 2.0**-53

# In float32 the distance of PyTorch from its float64 results is the effect of rounding. The engine
# may be FACTOR times as far away, plus one rounding of the largest value where PyTorch happens to
# be exact. The factor is above 1 because the largest of many distances is compared.
FACTOR = 4
FACTOR_AFTER_FIFTY = 8
ROUNDING = 2.0**-24

# At the kink of a relu or maximum a rounding decides between two gradients that are both right.
# Therefore one of several seeds of weights and data has to agree; an error would affect all.
SEEDS = 5


def test_every_configuration_has_a_torch_experiment() -> None:
    """A file in configs/ needs a network in torch_networks.py, except for grids."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in CONFIGS.glob("*.yaml")}
    assert {
        name for name, text in files.items() if "\ngrid:" not in text
    } == TORCH_EXPERIMENTS.keys()


ValuesOf = Callable[[Comparison, type], Values]


def largest_by_node(values: Values) -> dict[str, float]:
    """For each name the largest value of all arrays of its node, as those of a bias may be 0."""
    sizes = {name: float(np.abs(value).max()) for name, value in values.items()}
    node = {name: name.rpartition(".")[0] or name for name in values}
    return {
        name: max(size for array_name, size in sizes.items() if node[array_name] == node[name])
        for name in values
    }


def distances(values: Values, exact: Values) -> dict[str, float]:
    """The largest difference of each array from the exact one."""
    assert values.keys() == exact.keys()
    assert all(values[name].shape == exact[name].shape for name in exact)
    return {name: float(np.abs(values[name] - exact[name]).max()) for name in exact}


def too_different(engine: Values, exact: Values, tolerance: float) -> dict[str, float]:
    """Distances above `tolerance` of the largest value, relative to it, by array."""
    sizes = largest_by_node(exact)
    return {
        n: d / sizes[n] for n, d in distances(engine, exact).items() if d > tolerance * sizes[n]
    }


def assert_similar_float32(name: str, engine: ValuesOf, pytorch: ValuesOf, factor: float) -> None:
    """With one of the seeds each float32 array is within `factor` of PyTorch's distance."""
    excesses = []
    for seed in range(SEEDS):
        comparison = Comparison(name, seed)
        exact = pytorch(comparison, np.float64)
        sizes = largest_by_node(exact)
        torch_distances = distances(pytorch(comparison, np.float32), exact)
        excess = {
            key: distance / (torch_distances[key] + ROUNDING * sizes[key])
            for key, distance in distances(engine(comparison, np.float32), exact).items()
            if distance > factor * (torch_distances[key] + ROUNDING * sizes[key])
        }
        if not excess:
            return
        excesses.append(excess)
    raise AssertionError(f"multiples of PyTorch's rounding, for each seed: {excesses}")


@pytest.mark.parametrize("name", TORCH_EXPERIMENTS)
def test_outputs_and_gradients(name: str) -> None:
    """Equal in float64 for one and two threads; in float32 as close as PyTorch."""
    comparison = Comparison(name, 0)
    exact = comparison.torch_gradients(np.float64)
    for threads in (1, 2):
        gradients = comparison.engine_gradients(np.float64, threads)
        assert too_different(gradients, exact, TOLERANCE) == {}
    assert_similar_float32(name, Comparison.engine_gradients, Comparison.torch_gradients, FACTOR)


@pytest.mark.parametrize("name", TORCH_EXPERIMENTS)
def test_fifty_steps(name: str) -> None:
    """All weights and running statistics, by the configuration's loss, optimizer and schedule."""
    comparison = Comparison(name, 0)
    exact = comparison.torch_steps(np.float64)
    assert too_different(comparison.engine_steps(np.float64), exact, TOLERANCE_AFTER_FIFTY) == {}
    assert too_different(exact, comparison.initial, 1e-4)  # the weights have changed
    assert_similar_float32(
        name, Comparison.engine_steps, Comparison.torch_steps, FACTOR_AFTER_FIFTY
    )
