"""Scalers: fitted to training data alone, exact, invertible, stored without loss."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ldl.data import (
    SCALERS,
    SOURCES,
    DataSpec,
    InputScalers,
    ProgressCallback,
    RawDataset,
    SplitSpec,
    describe_data,
    load_data,
)
from ldl.data.split import split_indices
from ldl.errors import DataError, SettingError


@pytest.mark.parametrize(
    ("name", "reference"), [("minmax", MinMaxScaler()), ("standard", StandardScaler())]
)
def test_equals_scikit_learn(name: str, reference: MinMaxScaler | StandardScaler) -> None:
    x = np.random.default_rng(0).normal(5, [1, 10, 0.1], (50, 3))
    scaler = SCALERS[name]().fit(x)
    np.testing.assert_allclose(
        scaler.transform(x), reference.fit_transform(x), rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(scaler.inverse(scaler.transform(x)), x, rtol=1e-5)
    assert scaler.transform(x).dtype == scaler.inverse(scaler.transform(x)).dtype == np.float32


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("value", [0.1, 0.0, -7.3e8, 1e-30])
@pytest.mark.parametrize("rows", [33, 5000])
def test_constant_features_become_zero(name: str, value: float, rows: int) -> None:
    """Their rounding errors do not become a scale for other values."""
    x = np.full((rows, 2), value)
    x[:, 1] = np.arange(rows)
    scaler = SCALERS[name]().fit(x)
    y = scaler.transform(x)
    assert np.abs(y[:, 0]).max() < 1e-6
    assert np.isfinite(y).all()
    assert abs(scaler.transform(x[:1] + 0.25)[0, 0]) < 0.26


def test_images_are_scaled_as_a_whole_by_default() -> None:
    x = np.array([[0, 10], [4, 20]], np.uint8)
    whole = SCALERS["minmax"]().fit(x, image=(1, 2, 1)).transform(x)
    np.testing.assert_allclose(whole, [[0, 0.5], [0.2, 1]], rtol=1e-6)
    assert SCALERS["minmax"]().fit(x).transform(x).tolist() == [[0, 0], [1, 1]]
    by_pixel = SCALERS["minmax"]("feature").fit(x, image=(1, 2, 1))
    assert by_pixel.transform(x).tolist() == [[0, 0], [1, 1]]
    assert SCALERS["standard"]("all").fit(x).shift.shape == ()


@dataclass(frozen=True)
class MovedIris:
    """Iris with `shift` added to all rows except the training rows of seed 0."""

    shift: float

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        raw = SOURCES["iris"]().read(seed)
        rows = split_indices(SplitSpec(seed=seed), raw)
        raw.inputs["x"][np.concatenate([rows["validation"], rows["test"]])] += self.shift
        return raw


@pytest.mark.parametrize("name", SCALERS)
def test_only_training_samples_are_fitted(name: str) -> None:
    same, moved = (load_data(DataSpec(MovedIris(s), SCALERS[name]()), 0) for s in (0.0, 1000.0))
    assert same.scaler.state() == moved.scaler.state()
    np.testing.assert_array_equal(same.train.inputs["x"], moved.train.inputs["x"])
    assert same.test.inputs["x"].max() < 10 < moved.test.inputs["x"].max()


@pytest.mark.parametrize("shape", ["flat", "image"])
@pytest.mark.parametrize("per", ["all", "feature"])
def test_state_survives_json(shape: str, per: str) -> None:
    spec = DataSpec(SOURCES["digits"](), SCALERS["standard"](per), shape=shape)
    dataset = load_data(spec, 0)
    again = InputScalers.from_state(json.loads(json.dumps(dataset.scaler.state())), {})
    raw = dataset.scaler.inverse(dataset.test.inputs)
    np.testing.assert_array_equal(again.transform(raw)["x"], dataset.scaler.transform(raw)["x"])
    np.testing.assert_allclose(raw["x"], np.round(raw["x"]), atol=1e-5)


def test_large_offsets_keep_their_digits() -> None:
    x = 1.7e9 + np.arange(10.0)[:, None]
    y = SCALERS["minmax"]().fit(x).transform(x)
    np.testing.assert_allclose(y[:, 0], np.arange(10) / 9, atol=1e-7)


# --- images -----------------------------------------------------------------------------------

IMAGE = (4, 5, 3)
PIXELS = np.random.default_rng(1).integers(0, 256, (30, *IMAGE), np.uint8)


@pytest.mark.parametrize(("per", "axis"), [("all", None), ("feature", 0), ("channel", (0, 1, 2))])
def test_images_are_standardized_together_by_value_or_by_channel(per: str, axis: Any) -> None:
    x = PIXELS.astype(np.float64)
    y = SCALERS["standard"](per).fit(x, image=IMAGE).transform(x)
    expected = (x - x.mean(axis, keepdims=True)) / x.std(axis, keepdims=True)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["minmax", "standard"])
@pytest.mark.parametrize("flat", [False, True])
def test_each_channel_by_itself(name: str, flat: bool) -> None:
    """Equals scaling the pixels of every channel on their own."""
    x = PIXELS * np.array([1, 0.5, 0.1])
    inputs = x.reshape(30, -1) if flat else x
    scaler = SCALERS[name]("channel").fit(inputs, IMAGE)
    assert scaler.shift.shape == scaler.scale.shape == (3,)
    y = scaler.transform(inputs).reshape(x.shape)
    for c in range(3):
        alone = SCALERS[name]("all").fit(x[..., c]).transform(x[..., c])
        np.testing.assert_allclose(y[..., c], alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        scaler.inverse(scaler.transform(inputs)), inputs, rtol=1e-5, atol=1e-4
    )


def test_mean_and_std_of_the_settings_are_used() -> None:
    """Nothing is fitted; they are in the units of the source."""
    scaler = SCALERS["standard"]("channel", (10.0, 20.0, 30.0), (1.0, 2.0, 4.0))
    scaler.check((60,), IMAGE)
    y = scaler.fit(PIXELS, IMAGE).transform(PIXELS)
    np.testing.assert_allclose(y, (PIXELS - [10.0, 20.0, 30.0]) / [1.0, 2.0, 4.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("scale", "source", "message"),
    [
        (("channel",), "iris", "per: channel needs images"),
        (("channel", (1.0, 2.0, 3.0), (1.0, 1.0, 1.0)), "digits", "mean: 3 numbers.* takes 1"),
        (("all", (1.0,), (1.0, 2.0)), "digits", "std: 2 numbers, where per: all takes 1"),
        (("feature", (1.0,), (1.0,)), "iris", "mean: 1 numbers, where per: feature takes 4"),
    ],
)
def test_unsuitable_scalers_are_refused_before_reading(
    scale: Any, source: str, message: str
) -> None:
    spec = DataSpec(SOURCES[source](), SCALERS["standard"](*scale))
    with pytest.raises(DataError, match=message) as caught:
        describe_data(spec)
    assert caught.value.setting == "scale"


def test_mean_and_std_come_together() -> None:
    with pytest.raises(SettingError, match="mean: give mean and std together"):
        SCALERS["standard"](mean=(1.0,))


# --- whitening ----------------------------------------------------------------------------------


def correlated(n: int = 400, d: int = 6) -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 1e3


def test_zca_uncorrelates() -> None:
    """With a small ε the covariance is the identity matrix."""
    x = correlated()
    y = SCALERS["zca"](1e-9).fit(x).transform(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(6), atol=2e-3)


def test_zca_by_its_formula() -> None:
    """ε is relative to the mean variance, so units do not matter."""
    x, epsilon = correlated(), 0.3
    scaler = SCALERS["zca"](epsilon).fit(x)
    covariance = np.cov(x.T, bias=True)
    values, vectors = np.linalg.eigh(covariance)
    matrix = vectors @ np.diag(1 / np.sqrt(values + epsilon * np.trace(covariance) / 6)) @ vectors.T
    np.testing.assert_allclose(scaler.matrix, matrix, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(scaler.matrix, scaler.matrix.T, atol=1e-7)
    other = SCALERS["zca"](epsilon).fit(x * 255)
    np.testing.assert_allclose(other.transform(x * 255), scaler.transform(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(x)), x, rtol=1e-5)


def test_zca_of_images_and_constants() -> None:
    """Samples of any shape; directions without variance give 0."""
    scaler = SCALERS["zca"]().fit(PIXELS, IMAGE)
    y = scaler.transform(PIXELS)
    assert y.shape == PIXELS.shape
    np.testing.assert_array_equal(scaler.transform(PIXELS.reshape(30, 60)), y.reshape(30, 60))
    flat = np.full((9, 4), 7.0)
    assert np.abs(SCALERS["zca"]().fit(flat).transform(flat)).max() == 0
    with pytest.raises(DataError, match=r"fitted to samples of 60 values, not of shape \(4,\)"):
        scaler.transform(flat)
    with pytest.raises(DataError, match="9000 values per sample"):
        SCALERS["zca"]().check((9000,), None)


def test_zca_state_survives_json_and_arrays() -> None:
    dataset = load_data(DataSpec(SOURCES["digits"](), SCALERS["zca"]()), 0)
    state = json.loads(json.dumps(dataset.scaler.state()))
    assert len(json.dumps(state)) < 100
    again = InputScalers.from_state(state, dataset.scaler.arrays())
    raw = {"x": np.arange(128.0).reshape(2, 64)}
    np.testing.assert_array_equal(again.transform(raw)["x"], dataset.scaler.transform(raw)["x"])
    with pytest.raises(KeyError):
        InputScalers.from_state(state, {})


def test_a_scaler_of_before_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DataSpec(SOURCES["digits"](), SCALERS["zca"]())
    before = load_data(spec, 0)
    monkeypatch.setattr(SCALERS["zca"], "fit", lambda *_: pytest.fail("fitted again"))
    again = load_data(spec, 0, scaler=before.scaler)
    np.testing.assert_array_equal(again.test.inputs["x"], before.test.inputs["x"])
