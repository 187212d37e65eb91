"""From a source to a data set."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ldl.data import (
    NOISES,
    SCALERS,
    SOURCES,
    DatasetInfo,
    DataSpec,
    SplitSpec,
    describe_data,
    load_data,
)
from ldl.errors import DataError

SOURCE_NAMES = ["digits", "iris", "wine", "breast_cancer", "diabetes", "gaussians", "bands", "line"]


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_the_data_are_as_described(name: str) -> None:
    spec = DataSpec(SOURCES[name](), SCALERS["standard"]())
    info, dataset = describe_data(spec), load_data(spec, 0)
    assert dataset.info == info
    for split in (dataset.train, dataset.validation, dataset.test):
        x = split.inputs["x"]
        assert x.shape == (len(split), *info.inputs["x"])
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        if info.target.kind == "classes":
            assert split.targets.dtype == np.int64
            assert split.targets.shape == (len(split),)
        else:
            assert split.targets.dtype == np.float32
            assert split.targets.shape == (len(split), info.target.size)
    assert sum(len(p) for p in (dataset.train, dataset.validation, dataset.test)) == info.samples


def test_shapes() -> None:
    flat, image = (DataSpec(SOURCES["digits"](), shape=shape) for shape in ("flat", "image"))
    assert describe_data(flat).inputs == {"x": (64,)}
    assert describe_data(image).inputs == {"x": (8, 8, 1)}
    assert describe_data(flat).image == (8, 8, 1)
    x, pixels = load_data(flat, 0).train.inputs["x"], load_data(image, 0).train.inputs["x"]
    np.testing.assert_array_equal(x, pixels.reshape(x.shape))
    with pytest.raises(DataError, match="inputs are none"):
        describe_data(DataSpec(SOURCES["iris"](), shape="image"))


def test_same_split_seed_same_bits_and_one_hash_for_all_seeds() -> None:
    spec = DataSpec(SOURCES["iris"](), SCALERS["minmax"]())
    one, again, other = (load_data(spec.with_split_seed(seed), 0) for seed in (0, 0, 1))
    assert one.train.inputs["x"].tobytes() == again.train.inputs["x"].tobytes()
    assert one.train.inputs["x"].tobytes() != other.train.inputs["x"].tobytes()
    assert one.sha256 == again.sha256 == other.sha256
    assert len(one.sha256) == 64


@pytest.mark.parametrize("source", ["digits", "moons", "line"])
def test_the_seed_draws_nothing_but_the_noise_of_the_training_split(source: str) -> None:
    spec = DataSpec(SOURCES[source](), noise=NOISES["gaussian"](0.1))
    one, other = (load_data(spec, seed) for seed in (0, 1))
    moved = load_data(spec.with_split_seed(1), 0)
    for name in ("train", "validation", "test"):
        first, second, third = (getattr(data, name) for data in (one, other, moved))
        assert first.sample_indices.tolist() == second.sample_indices.tolist()
        assert first.clean["x"].tobytes() == second.clean["x"].tobytes()
        noise_is_equal = first.inputs["x"].tobytes() == second.inputs["x"].tobytes()
        assert noise_is_equal == (name != "train")
        assert first.sample_indices.tolist() != third.sample_indices.tolist()
    assert (one.sha256 == moved.sha256) == (source == "digits")  # the others are drawn


def test_splits_of_share_zero_are_none() -> None:
    dataset = load_data(DataSpec(SOURCES["iris"](), split=SplitSpec(0.5, 0, 0)), 0)
    assert dataset.validation is None
    assert dataset.test is None
    assert len(dataset.train) == 75


def test_impossible_split_is_refused_before_reading() -> None:
    with pytest.raises(DataError, match="need 200 samples, and there are 150"):
        describe_data(DataSpec(SOURCES["iris"](), split=SplitSpec(100, 50, 50)))


def test_info_survives_json() -> None:
    info = describe_data(DataSpec(SOURCES["digits"](), shape="image"))
    assert DatasetInfo.from_state(json.loads(json.dumps(info.state()))) == info
