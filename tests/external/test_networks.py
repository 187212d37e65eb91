"""Every network of configs/ against PyTorch: a step's outputs and gradients, then fifty steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from .comparison import CONFIGS, Both, Values
from .torch_networks import TWINS

pytestmark = pytest.mark.external

# In float64 a rounding is 2⁻⁵³ of a value. A step leaves some dozens of them, 1000 are allowed.
# Adam divides by the root of a gradient's square: what should be 0 and is a rounding (the bias of
# attention's keys) moves the weight by η · rounding / ε with ε = 1e-8, so fifty steps are given
# 10⁷ roundings, 1e-9.
EXACT = 1000 * 2.0**-53
EXACT_AFTER_FIFTY = 1e7 * 2.0**-53

# In float32 PyTorch's own distance from its float64 run says what rounding does to a network; the
# engine may be so many times as far away, and by one rounding of the largest value where PyTorch
# happens to be exact. The largest value of many is what is compared, hence more than 1.
TIMES = 4
TIMES_AFTER_FIFTY = 8
ROUNDING = 2.0**-24

# Where a relu or a maximum lies at its kink, a rounding decides, and two paths part that are both
# right. So one of some draws of weights and data has to keep together; a mistake would part all.
DRAWS = 5


def test_every_configuration_has_a_twin() -> None:
    """A new file in configs/ gets its network in torch_networks.py; a grid has many, and none."""
    files = {path.stem: path.read_text(encoding="utf-8") for path in CONFIGS.glob("*.yaml")}
    assert {name for name, text in files.items() if "\ngrid:" not in text} == TWINS.keys()


def largest(values: Values) -> dict[str, float]:
    """For each name, the largest value of all arrays of its place: a bias's own may be 0."""
    sizes = {name: float(np.abs(value).max()) for name, value in values.items()}
    place = {name: name.rpartition(".")[0] or name for name in values}
    return {
        name: max(size for other, size in sizes.items() if place[other] == place[name])
        for name in values
    }


def distances(found: Values, exact: Values) -> dict[str, float]:
    """The largest difference of each array."""
    assert found.keys() == exact.keys()
    assert all(found[name].shape == exact[name].shape for name in exact)
    return {name: float(np.abs(found[name] - exact[name]).max()) for name in exact}


def parted(ours: Values, exact: Values, share: float) -> dict[str, float]:
    """The arrays that differ by more than a share of their largest value."""
    sizes = largest(exact)
    return {n: d / sizes[n] for n, d in distances(ours, exact).items() if d > share * sizes[n]}


def kept_together(
    name: str, ours: Callable[[Both, type], Values], theirs: Callable[[Both, type], Values],
    times: float,
) -> None:  # fmt: skip
    """In one of the draws each float32 array is as near to the float64 one as PyTorch's is."""
    found = []
    for draw in range(DRAWS):
        both = Both(name, draw)
        exact = theirs(both, np.float64)
        sizes, own = largest(exact), distances(theirs(both, np.float32), exact)
        far = {
            key: distance / (own[key] + ROUNDING * sizes[key])
            for key, distance in distances(ours(both, np.float32), exact).items()
            if distance > times * (own[key] + ROUNDING * sizes[key])
        }
        if not far:
            return
        found.append(far)
    raise AssertionError(f"times PyTorch's own rounding, in each draw: {found}")


@pytest.mark.parametrize("name", TWINS)
def test_outputs_and_gradients(name: str) -> None:
    """In float64 they are the same, on any threads; in float32 as near to these as PyTorch's."""
    both = Both(name, 0)
    exact = both.their_gradients(np.float64)
    for threads in (1, 2):
        assert parted(both.our_gradients(np.float64, threads), exact, EXACT) == {}
    kept_together(name, Both.our_gradients, Both.their_gradients, TIMES)


@pytest.mark.parametrize("name", TWINS)
def test_fifty_steps(name: str) -> None:
    """All weights and running statistics, by the configuration's loss, optimizer and schedule."""
    both = Both(name, 0)
    exact = both.their_steps(np.float64)
    assert parted(both.our_steps(np.float64), exact, EXACT_AFTER_FIFTY) == {}
    assert parted(exact, both.start, 1e-4)  # it has moved
    kept_together(name, Both.our_steps, Both.their_steps, TIMES_AFTER_FIFTY)
