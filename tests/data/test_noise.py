"""Noise: on inputs only, of the given strength, drawn for each split and epoch."""

from __future__ import annotations

import numpy as np
import pytest

from ldl.data import NOISES, SCALERS, SOURCES, Dataset, DataSpec, load_data, redraw_noise
from ldl.errors import SettingError

ENTRIES = {name: entry(0.3) for name, entry in NOISES.items() if name != "mixed"}
ENTRIES["mixed"] = NOISES["mixed"]((ENTRIES["gaussian"], ENTRIES["mask"]))


def digits(noise: object, seed: int = 0, **settings: object) -> tuple[Dataset, DataSpec]:
    spec = DataSpec(SOURCES["digits"](), SCALERS["minmax"](), noise=noise, **settings)
    return load_data(spec, seed), spec


@pytest.mark.parametrize("name", NOISES)
def test_targets_and_clean_inputs_do_not_change(name: str) -> None:
    (noisy, _), (plain, _) = digits(ENTRIES[name]), digits(None)
    for split, other in zip(splits(noisy), splits(plain), strict=True):
        np.testing.assert_array_equal(split.clean["x"], other.inputs["x"])
        np.testing.assert_array_equal(split.targets, other.targets)
        assert not np.array_equal(split.inputs["x"], split.clean["x"])
        assert split.inputs["x"].dtype == np.float32
        assert split.inputs["x"].flags.c_contiguous
        assert other.inputs is other.clean


def splits(dataset: Dataset) -> list:
    return [dataset.train, dataset.validation, dataset.test]


@pytest.mark.parametrize("name", NOISES)
def test_seeded_and_redrawn(name: str) -> None:
    (one, spec), (again, _), (other, _) = (digits(ENTRIES[name], s) for s in (1, 1, 2))
    first = one.train.inputs["x"].copy()
    np.testing.assert_array_equal(first, again.train.inputs["x"])
    assert not np.array_equal(first, other.train.inputs["x"])
    buffer, test = one.train.inputs["x"], one.test.inputs["x"].copy()
    redraw_noise(one, spec, 1, 5)
    redraw_noise(again, spec, 1, 2)
    redraw_noise(again, spec, 1, 5)
    assert one.train.inputs["x"] is buffer
    np.testing.assert_array_equal(buffer, again.train.inputs["x"])
    np.testing.assert_array_equal(test, one.test.inputs["x"])
    assert not np.array_equal(buffer, first)
    redraw_noise(one, spec, 1, 0)
    np.testing.assert_array_equal(buffer, first)


def test_gaussian() -> None:
    dataset, _ = digits(NOISES["gaussian"](0.25))
    noise = dataset.train.inputs["x"] - dataset.train.clean["x"]
    assert noise.std() == pytest.approx(0.25, rel=0.02)
    assert abs(noise.mean()) < 0.01
    assert dataset.train.inputs["x"].min() < 0
    clipped, _ = digits(NOISES["gaussian"](0.25, clip=True))
    assert clipped.train.inputs["x"].min() == 0
    assert clipped.train.inputs["x"].max() == 1


def test_replace_draws_from_the_training_range() -> None:
    spec = DataSpec(SOURCES["digits"](), None, noise=NOISES["replace"](0.4))
    split = load_data(spec, 0).train
    changed = split.inputs["x"] != split.clean["x"]
    assert changed.mean() == pytest.approx(0.4, abs=0.01)
    drawn = split.inputs["x"][changed]
    assert drawn.min() >= 0
    assert drawn.max() <= 16
    assert drawn.mean() == pytest.approx(8, abs=0.1)


def test_replace_keeps_to_each_features_range_in_tables() -> None:
    spec = DataSpec(SOURCES["iris"](), None, noise=NOISES["replace"](1.0))
    split = load_data(spec, 0).train
    low, high = split.clean["x"].min(axis=0), split.clean["x"].max(axis=0)
    assert (split.inputs["x"] >= low).all()
    assert (split.inputs["x"] <= high).all()


def test_mask() -> None:
    spec = DataSpec(SOURCES["gaussians"](samples=5000), None, noise=NOISES["mask"](0.2))
    split = load_data(spec, 0).train
    changed = split.inputs["x"] == 0
    assert changed.mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(split.inputs["x"][~changed], split.clean["x"][~changed])


@pytest.mark.parametrize("name", [name for name in NOISES if name != "mixed"])
def test_none_at_strength_zero(name: str) -> None:
    dataset, _ = digits(NOISES[name](0.0))
    np.testing.assert_array_equal(dataset.train.inputs["x"], dataset.train.clean["x"])


def test_fresh_noise_needs_noise() -> None:
    with pytest.raises(SettingError, match="no noise to draw"):
        DataSpec(SOURCES["digits"](), fresh_noise=True)


def test_redrawing_without_noise() -> None:
    dataset, spec = digits(None)
    before = dataset.train.inputs["x"].copy()
    redraw_noise(dataset, spec, 0, 3)
    np.testing.assert_array_equal(before, dataset.train.inputs["x"])


def test_mixed_noise_gives_each_sample_one_of_its_noises() -> None:
    """About half of the samples are unchanged, about half are 0."""
    noise = NOISES["mixed"]((NOISES["mask"](0.0), NOISES["mask"](1.0)))
    clean = np.ones((1000, 3), np.float32)
    out = np.empty_like(clean)
    noise.apply(clean, out, np.random.default_rng(0), (0.0, 1.0))
    sums = out.sum(axis=1)
    assert set(sums.tolist()) == {0.0, 3.0}
    assert 450 < (sums == 3.0).sum() < 550


def test_mixed_noise_needs_at_least_one() -> None:
    with pytest.raises(SettingError, match="at least one"):
        NOISES["mixed"](())
