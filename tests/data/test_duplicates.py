"""Equal samples: found, counted where splits share them, and kept together on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldl.data import SOURCES, DataSpec, SplitSpec, load_data
from ldl.data.dataset import DatasetInfo, RawDataset, Target
from ldl.data.duplicates import count_shared, duplicate_groups
from ldl.data.split import split_indices
from ldl.errors import DataError


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
@pytest.mark.parametrize("width", [1, 3, 8])
def test_groups_are_the_distinct_rows(dtype: str, width: int) -> None:
    """As NumPy's `unique` finds them, for any type and number of bytes, in all inputs at once."""
    rng = np.random.default_rng(width)
    x, y = (rng.integers(0, 3, (200, width)).astype(dtype) for _ in range(2))
    for inputs in ({"x": x}, {"x": x, "y": y}):
        _, rows = np.unique(np.hstack(list(inputs.values())), axis=0, return_inverse=True)
        pairs = set(zip(rows.ravel().tolist(), duplicate_groups(inputs).tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_zeros_of_both_signs_are_equal() -> None:
    assert duplicate_groups({"x": np.array([[0.0], [-0.0], [1.0]])}).tolist() == [0, 0, 1]


def raw_of(groups: list[int], classes: list[int], official: int = 0) -> RawDataset:
    """A sample for each group number; equal numbers are equal samples."""
    x = np.array(groups, float)[:, None]
    names = tuple(map(str, range(max(classes) + 1)))
    info = DatasetInfo({"x": (1,)}, Target("classes", names), None, len(x), official)
    return RawDataset(info, {"x": x}, np.array(classes, np.int64))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=30, max_size=90),
    st.integers(0, 5),
    st.booleans(),
)
def test_equal_samples_stay_together(
    units: list[tuple[int, int]], seed: int, stratify: bool
) -> None:
    """Every sample is in one split, and sizes are missed by less than the largest group."""
    groups = [i for i, (size, _) in enumerate(units) for _ in range(size)]
    classes = [label for size, label in units for _ in range(size)]
    raw, spec = raw_of(groups, classes), SplitSpec(0.6, 0.2, 0.2, stratify, seed=seed)
    indices = split_indices(spec, raw, np.array(groups))
    assert sorted(np.concatenate(list(indices.values()))) == list(range(len(groups)))
    assert count_shared(np.array(groups), indices) == {}
    for rows, share in zip(indices.values(), (0.6, 0.2, 0.2), strict=True):
        assert abs(len(rows) - share * len(groups)) < max(size for size, _ in units) + 1
    again = split_indices(spec, raw, np.array(groups))
    assert all(np.array_equal(indices[name], again[name]) for name in indices)


def test_together_is_stratified_and_of_exact_size_where_it_can_be() -> None:
    """Three classes, every fourth sample twice."""
    units = [(1 + (i % 4 == 0), i % 3) for i in range(360)]
    groups = np.repeat(np.arange(360), [size for size, _ in units])
    classes = np.repeat([label for _, label in units], [size for size, _ in units])
    raw = raw_of(groups.tolist(), classes.tolist())
    rows = split_indices(SplitSpec(0.6, 0.2, 0.2), raw, groups)
    assert [len(r) for r in rows.values()] == [270, 90, 90]
    for r in rows.values():
        assert np.ptp(np.bincount(classes[r])) <= 1


@pytest.fixture
def twice(tmp_path: Path) -> DataSpec:
    """A table with every row twice."""
    rows = [f"{i % 60},{(i % 60) ** 2 % 7},{'ab'[i % 2]}" for i in range(120)]
    path = tmp_path / "twice.csv"
    path.write_text("\n".join(["x,y,kind", *rows]))
    return DataSpec(SOURCES["csv"](str(path), "kind"))


def test_shared_samples_are_counted(twice: DataSpec) -> None:
    data = load_data(twice, 0)
    known = {tuple(row) for row in data.train.inputs["x"]}
    for name in ("validation", "test"):
        count = sum(tuple(row) in known for row in getattr(data, name).inputs["x"])
        assert data.shared[name] == count > 5
    together = DataSpec(twice.source, split=SplitSpec(duplicates="together"))
    assert load_data(together, 0).shared == {}


def test_an_official_test_set_stays_as_it_is() -> None:
    """Only training and validation keep equal samples together."""
    groups = [*range(20), *range(20), *range(10)]
    raw = raw_of(groups, [0, 1] * 25, official=10)
    indices = split_indices(SplitSpec(None, 0.5), raw, np.array(groups))
    assert indices["test"].tolist() == list(range(40, 50))
    assert not {groups[i] for i in indices["train"]} & {groups[i] for i in indices["validation"]}
    assert set(count_shared(np.array(groups), indices)) == {"test"}


def test_a_split_without_samples_is_refused() -> None:
    groups = [0] * 20
    with pytest.raises(DataError, match="a split is empty"):
        split_indices(SplitSpec(), raw_of(groups, groups), np.array(groups))
