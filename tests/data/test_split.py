"""Splits: disjoint, seeded, of the given sizes, stratified to within rounding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ldl.data import DatasetInfo, RawDataset, SplitSpec, Target, split_sizes
from ldl.data.split import random_split, split_indices, stratified_counts
from ldl.errors import DataError, SettingError

counts = st.lists(st.integers(1, 60), min_size=1, max_size=8)


def raw_of(counts: list[int], official: int = 0) -> RawDataset:
    y = np.repeat(np.arange(len(counts)), counts)
    y = np.random.default_rng(0).permutation(y)
    names = tuple(map(str, range(len(counts))))
    info = DatasetInfo({"x": (1,)}, Target("classes", names), None, len(y), official)
    return RawDataset(info, {"x": y[:, None] * 1.0}, y)


@settings(max_examples=150, deadline=None)
@given(counts, st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_stratified_counts_are_floor_or_ceil_with_exact_sums(
    counts: list[int], cuts: list[float]
) -> None:
    n = sum(counts)
    edges = [0, *sorted(round(c * n) for c in cuts), n]
    sizes = np.diff(edges).tolist()
    table = np.array(stratified_counts(counts, sizes))
    assert table.sum(axis=0).tolist() == sizes
    assert table.sum(axis=1).tolist() == counts
    assert (np.abs(table - np.outer(counts, sizes) / n) < 1).all()


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(0, 5), st.booleans())
def test_splits_are_disjoint_and_stratified(counts: list[int], seed: int, stratify: bool) -> None:
    raw = raw_of([c + 5 for c in counts])
    split = SplitSpec(train=0.6, validation=0.2, test=0.2, stratify=stratify, seed=seed)
    indices = split_indices(split, raw)
    sizes = split_sizes(split, raw.info)
    assert [len(indices[p]) for p in sizes._fields] == list(sizes)
    rows = np.concatenate(list(indices.values()))
    assert sorted(rows.tolist()) == list(range(raw.info.samples))
    if stratify:
        for rows, size in zip(indices.values(), sizes, strict=True):
            actual = np.bincount(raw.targets[rows], minlength=len(counts))
            expected = np.bincount(raw.targets) * size / raw.info.samples
            assert (np.abs(actual - expected) < 1).all()


def test_the_seed_decides() -> None:
    raw = raw_of([30, 30, 40])
    one, again, other = (split_indices(SplitSpec(seed=seed), raw) for seed in (3, 3, 4))
    assert all(np.array_equal(one[p], again[p]) for p in one)
    assert not np.array_equal(one["train"], other["train"])
    assert not np.array_equal(one["train"], np.sort(one["train"]))  # classes are mixed


@pytest.mark.parametrize(
    ("split", "samples", "sizes"),
    [
        (SplitSpec(), 1797, (1258, 180, 359)),
        (SplitSpec(0.7, 0.1, 0.2), 1797, (1258, 180, 359)),
        (SplitSpec(0.5, 0.5, 0), 3, (2, 1, 0)),
        (SplitSpec(0.5, 0.25, 0.25), 5, (3, 1, 1)),
        (SplitSpec(100, 20, 30), 1797, (100, 20, 30)),
        (SplitSpec(100, 0.1, None), 1000, (100, 100, 200)),
        (SplitSpec(None, 0, 0), 10, (10, 0, 0)),
        (SplitSpec(0.5, None, 0.1), 10, (5, 0, 1)),
        (SplitSpec(1.0, 0, 0), 10, (10, 0, 0)),
    ],
)
def test_sizes(split: SplitSpec, samples: int, sizes: tuple[int, int, int]) -> None:
    assert split_sizes(split, DatasetInfo({"x": (1,)}, Target("none"), None, samples)) == sizes


@pytest.mark.parametrize(
    ("split", "sizes"),
    [
        (SplitSpec(), (54, 6, 20)),
        (SplitSpec(test=0.5), (54, 6, 10)),
        (SplitSpec(0.5, 0.5, 7), (30, 30, 7)),
        (SplitSpec(10, 5, 0), (10, 5, 0)),
    ],
)
def test_official_test_set(split: SplitSpec, sizes: tuple[int, int, int]) -> None:
    raw = raw_of([40, 40], official=20)
    indices = split_indices(split, raw)
    assert tuple(len(rows) for rows in indices.values()) == sizes
    assert all(i < 60 for p in ("train", "validation") for i in indices[p])
    assert all(i >= 60 for i in indices["test"])
    if sizes[2] == 20:
        assert indices["test"].tolist() == list(range(60, 80))


@pytest.mark.parametrize(
    ("split", "samples", "message"),
    [
        (SplitSpec(90, 20, 0), 100, "need 110 samples, and there are 100"),
        (SplitSpec(0.7, 0.2, 0.2), 100, "need 110 samples, and there are 100"),
        (SplitSpec(None, 50, 50), 100, "none is left for the training split"),
        (SplitSpec(0.5, 0.1, 0.2), 4, "validation, 0.1 of 4 samples, is less than one sample"),
    ],
)
def test_impossible_splits(split: SplitSpec, samples: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_sizes(split, DatasetInfo({"x": (1,)}, Target("none"), None, samples))


def test_too_large_a_share_of_the_official_test_set() -> None:
    with pytest.raises(DataError, match="there are 20 in the official test set"):
        split_sizes(SplitSpec(test=21), raw_of([40, 40], official=20).info)


def test_shares_over_one_are_refused_at_once() -> None:
    with pytest.raises(SettingError, match="add up to"):
        SplitSpec(train=0.8, validation=0.3)
    with pytest.raises(SettingError, match="cannot be empty"):
        SplitSpec(train=0)


def test_random_split_without_classes() -> None:
    first, second = random_split(10, [4, 3], None, np.random.default_rng(0))
    assert len(first) == 4
    assert len(second) == 3
    assert not set(first) & set(second)


def test_a_pooled_official_test_set_is_split_like_the_rest() -> None:
    """Every split has samples of both, and together they have all samples."""
    raw = raw_of([50, 50], official=40)
    split = SplitSpec(train=0.6, validation=0.2, test=0.2, pooled=True)
    indices = split_indices(split, raw)
    assert [len(rows) for rows in indices.values()] == [60, 20, 20]
    assert sorted(np.concatenate(list(indices.values()))) == list(range(100))
    assert all((rows >= 60).any() and (rows < 60).any() for rows in indices.values())
