"""Pairs of MNIST digits: images at half size, comparison, digits as extra targets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.data import SOURCES, DataSpec, SplitSpec, describe_data, list_sources, load_data
from ldl.data.sources.digit_sets import Mnist, idx_bytes
from ldl.errors import DataError, UsageError

HOME = os.environ.get("LDL_DATA_DIR", "")
RNG = np.random.default_rng(0)
TRAIN, TEST = 200, 60


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[np.ndarray]:
    """A small MNIST whose pixels are 20 times the digit, plus 0 to 3 within each 2×2."""
    offsets = np.tile(np.array([[0, 1], [2, 3]], np.uint8), (14, 14))
    labels = [RNG.integers(0, 10, n).astype(np.uint8) for n in (TRAIN, TEST)]
    images = [(20 * y)[:, None, None] + offsets for y in labels]
    arrays = [images[0], labels[0], images[1], labels[1]]
    for name, array in zip(Mnist.checksums, arrays, strict=True):
        (tmp_path / name).write_bytes(idx_bytes(array.astype(np.uint8)))
    monkeypatch.setenv("LDL_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return arrays


def pairs(**settings: Any) -> Any:
    return SOURCES["digit_pairs"](**settings)


def test_description_reads_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LDL_DATA_DIR", str(tmp_path))
    flat, image = (describe_data(DataSpec(pairs(), shape=shape)) for shape in ("flat", "image"))
    assert flat.inputs == {"first": (196,), "second": (196,)}
    assert image.inputs == {"first": (14, 14, 1), "second": (14, 14, 1)}
    assert (flat.samples, flat.official_test, flat.target.size) == (2000, 1000, 2)
    assert {k: t.size for k, t in flat.extra_targets.items()} == {
        "first_digit": 10,
        "second_digit": 10,
    }


def test_pairs(mnist: list[np.ndarray]) -> None:
    raw = pairs(pairs=90, test_pairs=25).read(3)
    assert (raw.info.samples, raw.info.official_test) == (115, 25)
    first, second = (raw.extra_targets[f"{name}_digit"] for name in ("first", "second"))
    for digits, x in ((first, raw.inputs["first"]), (second, raw.inputs["second"])):
        assert (x.dtype, x.shape) == (np.float32, (115, 14, 14))
        np.testing.assert_array_equal(
            x, np.broadcast_to((20 * digits + 1.5)[:, None, None], x.shape)
        )
    np.testing.assert_array_equal(raw.targets, first <= second)
    assert raw.targets.dtype == np.int64
    assert {0, 1} == set(raw.targets.tolist())
    assert pairs(pairs=90, test_pairs=25).read(3).sha256() == raw.sha256()
    assert pairs(pairs=90, test_pairs=25).read(4).sha256() != raw.sha256()


def test_no_digit_twice_and_none_of_the_other_split(mnist: list[np.ndarray]) -> None:
    """All digits of each split are used exactly once."""
    raw = pairs(pairs=TRAIN // 2, test_pairs=TEST // 2).read(0)
    both = np.stack([raw.extra_targets["first_digit"], raw.extra_targets["second_digit"]])
    for used, available in ((both[:, : TRAIN // 2], mnist[1]), (both[:, TRAIN // 2 :], mnist[3])):
        assert np.bincount(used.ravel(), minlength=10).tolist() == np.bincount(available).tolist()
    with pytest.raises(DataError, match="101 pairs need 202 digits; there are 200"):
        pairs(pairs=101, test_pairs=5).read(0)


def test_extra_targets_follow_their_samples(mnist: list[np.ndarray]) -> None:
    dataset = load_data(DataSpec(pairs(pairs=60, test_pairs=20), split=SplitSpec(validation=10)), 1)
    assert dataset.validation is not None and dataset.test is not None
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (50, 10, 20)
    for split in (dataset.train, dataset.validation, dataset.test):
        for name in ("first", "second"):
            digits = split.extra_targets[f"{name}_digit"]
            assert digits.dtype == np.int64
            np.testing.assert_array_equal(split.inputs[name][:, 0], 20 * digits + 1.5)
        assert split.targets is not None
        np.testing.assert_array_equal(
            split.targets, split.extra_targets["first_digit"] <= split.extra_targets["second_digit"]
        )


def test_listed_with_mnist(mnist: list[np.ndarray], tmp_path: Path) -> None:
    from ldl.data import fetch

    line = {line.name: line for line in list_sources()}["digit_pairs"]
    assert (line.state, line.path) == ("found", tmp_path)
    with pytest.raises(UsageError, match="is made from mnist"):
        fetch("digit_pairs")


def test_real_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LDL_DATA_DIR", HOME)
    if not HOME or Mnist().find() is None:
        pytest.skip("LDL_DATA_DIR holds no mnist")
    raw = pairs().read(0)
    assert raw.inputs["first"].shape == (2000, 14, 14)
    assert 0.5 < raw.targets.mean() < 0.6  # 55 of 100 pairs of digits
    assert 230 < raw.inputs["first"].max() <= 255
