"""Lines on which a unit is 0, clipped to the visible rectangle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ldl.data.scalers import AffineScaler, InputScalers
from ldl.evaluate.context import FirstLayer, NetworkInfo
from ldl.evaluate.decision_regions import DecisionRegions
from ldl.evaluate.hyperplanes import segments

from .conftest import make_info, make_split

SIDES = ((-1.0, 3.0), (0.0, 2.0))


def test_lines() -> None:
    # x = 1; y = 1/2; x + y = 1; one that misses the rectangle; one without a direction.
    weight = np.array([[1.0, 0.0, 1.0, 1.0, 0.0], [0.0, 2.0, 1.0, 0.0, 0.0]])
    bias = np.array([-1.0, -1.0, -1.0, 9.0, 1.0])
    lines = [sorted(map(tuple, line)) for line in segments(weight, bias, *SIDES)]
    assert lines == [
        [(1.0, 0.0), (1.0, 2.0)],
        [(-1.0, 0.5), (3.0, 0.5)],
        [(-1.0, 2.0), (1.0, 0.0)],
    ]


numbers = st.floats(-5, 5, allow_subnormal=False)


@given(st.tuples(numbers, numbers), numbers)
def test_both_ends_lie_on_the_line_and_on_a_side(w: tuple[float, float], b: float) -> None:
    norm = float(np.hypot(*w))
    if norm < 1e-3:
        return
    for line in segments(np.array([w]).T, np.array([b]), *SIDES):
        for x, y in line:
            assert abs(w[0] * x + w[1] * y + b) < 1e-9 * max(1.0, norm)
            gaps = (x - SIDES[0][0], SIDES[0][1] - x, y - SIDES[1][0], SIDES[1][1] - y)
            assert min(gaps) > -1e-9 and min(map(abs, gaps)) < 1e-9


@pytest.mark.parametrize(("hyperplanes", "count"), [(True, 1), (False, 0)])
def test_decision_regions_hold_lines_in_source_units(
    hyperplanes: bool, count: int, make_context: Any, tmp_path: Path
) -> None:
    # The network sees z = (x − 10) / 2 and its one unit is 0 where z₁ = ½, so where x₁ = 11.
    split = make_split([[-1, -1], [1, 1], [0.6, 0]], [0, 1, 0])
    context = make_context(
        "classification",
        make_info((2,), ("a", "b")),
        split,
        network=NetworkInfo({"x": (2,)}, FirstLayer("linear1", "linear", "x", (2, 1), "linear1")),
        weights={"linear1.weight": np.array([[2.0], [0.0]]), "linear1.bias": np.array([-1.0])},
        probabilities=lambda x: np.stack([x[:, 0] < 0.5, x[:, 0] >= 0.5], axis=1).astype(float),
    )
    shift, scale = np.full(2, 10.0), np.full(2, 2.0)
    context.dataset.scaler = InputScalers({"x": AffineScaler(shift, 1 / scale)})
    units = context.dataset.to_source_units("x", split.inputs["x"])
    results = DecisionRegions(9, hyperplanes=hyperplanes).run(context)
    assert results["hyperplanes"] == count
    with np.load(tmp_path / "plots" / "decision_regions.npz") as plane:
        np.testing.assert_allclose(plane["points"], units)
        assert plane["predicted"].tolist() == [0, 1, 1] and plane["labels"].tolist() == [0, 1, 0]
        assert plane["lines"].shape == (count, 2, 2)
        for line in plane["lines"]:
            half = context.dataset.to_source_units("x", np.array([[0.5, 0.0]]))[0, 0]
            np.testing.assert_allclose(line[:, 0], half, rtol=1e-6)
            np.testing.assert_allclose(sorted(line[:, 1]), plane["y"][[0, -1]], rtol=1e-6)


@pytest.mark.parametrize(
    "first", [None, FirstLayer("conv1d1", "conv1d", "x", (3, 1, 2), "conv1d1")]
)
def test_other_first_layers_have_no_lines(first: Any, make_context: Any) -> None:
    split = make_split([[0, 0], [1, 1]], [0, 1])
    network = NetworkInfo({"x": (2,)}, first)
    context = make_context("classification", make_info((2,), ("a", "b")), split, network=network)
    assert DecisionRegions(5).run(context)["hyperplanes"] == 0


@pytest.mark.parametrize(
    ("w", "b", "count"),
    [
        ((1.0, 0.0), 1.0, 1),  # x = −1 and x = 3 are sides of the rectangle
        ((1.0, 0.0), -3.0, 1),
        ((0.0, 1.0), 0.0, 1),
        ((0.0, 1.0), -2.0, 1),
        ((0.0, 1.0), -2.1, 0),
        ((1.0, 1.0), 1.0, 0),  # x + y = −1 touches a corner alone
        ((1.0, 1.0), 0.9, 1),
    ],
)
def test_a_side_is_a_line_and_a_corner_is_none(
    w: tuple[float, float], b: float, count: int
) -> None:
    assert len(segments(np.array([w]).T, np.array([b]), *SIDES)) == count
