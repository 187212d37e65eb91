"""Scaling: fitted on the training part alone, exact, invertible, saved without loss."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ldl.data import SCALERS, SOURCES, DataSpec, Progress, Raw, Scaling, Split, load
from ldl.data.split import split_indices


@pytest.mark.parametrize(
    ("name", "theirs"), [("minmax", MinMaxScaler()), ("standard", StandardScaler())]
)
def test_equals_scikit_learn(name: str, theirs: MinMaxScaler | StandardScaler) -> None:
    x = np.random.default_rng(0).normal(5, [1, 10, 0.1], (50, 3))
    fit = SCALERS[name]().fit(x)
    np.testing.assert_allclose(fit.transform(x), theirs.fit_transform(x), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fit.inverse(fit.transform(x)), x, rtol=1e-5)
    assert fit.transform(x).dtype == fit.inverse(fit.transform(x)).dtype == np.float32


@pytest.mark.parametrize("name", SCALERS)
@pytest.mark.parametrize("value", [0.1, 0.0, -7.3e8, 1e-30])
def test_constant_features_become_zero(name: str, value: float) -> None:
    x = np.full((33, 2), value)
    x[:, 1] = np.arange(33)
    y = SCALERS[name]().fit(x).transform(x)
    assert np.abs(y[:, 0]).max() < 1e-6
    assert np.isfinite(y).all()


def test_pictures_are_scaled_as_a_whole_unless_told() -> None:
    x = np.array([[0, 10], [4, 20]], np.uint8)
    whole = SCALERS["minmax"]().fit(x, picture=True).transform(x)
    np.testing.assert_allclose(whole, [[0, 0.5], [0.2, 1]], rtol=1e-6)
    assert SCALERS["minmax"]().fit(x).transform(x).tolist() == [[0, 0], [1, 1]]
    by_pixel = SCALERS["minmax"]("feature").fit(x, picture=True)
    assert by_pixel.transform(x).tolist() == [[0, 0], [1, 1]]
    assert SCALERS["standard"]("all").fit(x).shift.shape == ()


@dataclass(frozen=True)
class MovedIris:
    """Iris with all but the training rows of seed 0 moved away."""

    shift: float

    def read(self, seed: int, progress: Progress | None = None) -> Raw:
        raw = SOURCES["iris"]().read(seed)
        rows = split_indices(Split(), raw, seed)
        raw.inputs["x"][np.concatenate([rows["validation"], rows["test"]])] += self.shift
        return raw


@pytest.mark.parametrize("name", SCALERS)
def test_nothing_leaks_from_the_other_parts(name: str) -> None:
    same, moved = (load(DataSpec(MovedIris(s), SCALERS[name]()), 0) for s in (0.0, 1000.0))
    assert same.scaler.state() == moved.scaler.state()
    np.testing.assert_array_equal(same.train.inputs["x"], moved.train.inputs["x"])
    assert same.test.inputs["x"].max() < 10 < moved.test.inputs["x"].max()


@pytest.mark.parametrize("shape", ["flat", "image"])
@pytest.mark.parametrize("per", ["all", "feature"])
def test_state_survives_json(shape: str, per: str) -> None:
    spec = DataSpec(SOURCES["digits"](), SCALERS["standard"](per), shape=shape)
    dataset = load(spec, 0)
    again = Scaling.from_state(json.loads(json.dumps(dataset.scaler.state())))
    raw = dataset.scaler.inverse(dataset.test.inputs)
    np.testing.assert_array_equal(again.transform(raw)["x"], dataset.scaler.transform(raw)["x"])
    np.testing.assert_allclose(raw["x"], np.round(raw["x"]), atol=1e-5)


def test_large_offsets_keep_their_digits() -> None:
    x = 1.7e9 + np.arange(10.0)[:, None]
    y = SCALERS["minmax"]().fit(x).transform(x)
    np.testing.assert_allclose(y[:, 0], np.arange(10) / 9, atol=1e-7)
