"""Generated samples: sizes, classes, geometry, the same samples for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_circles, make_moons

from ldl.data import SOURCES

NAMES = ["gaussians", "xor", "circles", "moons", "bands", "disc", "line"]


@pytest.mark.parametrize("name", NAMES)
def test_description_seed_and_size(name: str) -> None:
    source = SOURCES[name](samples=101)
    one, again, other = source.read(1), source.read(1), source.read(2)
    assert one.info == source.describe()
    assert one.inputs["x"].shape == (101, *one.info.inputs["x"])
    assert one.sha256() == again.sha256() != other.sha256()
    if one.info.target.kind == "classes":
        assert set(one.targets.tolist()) == set(range(one.info.target.size))


@pytest.mark.parametrize("clusters", [2, 4])
def test_gaussians_are_around_their_centres(clusters: int) -> None:
    raw = SOURCES["gaussians"](clusters, samples=4000, std=0.1, separation=3.0).read(0)
    assert np.bincount(raw.targets).tolist() == [4000 // clusters] * clusters
    centres = [raw.inputs["x"][raw.targets == c].mean(axis=0) for c in range(clusters)]
    np.testing.assert_allclose(np.abs(centres), 1.5, atol=0.02)
    assert len({tuple(np.sign(c)) for c in centres}) == clusters
    assert np.allclose(centres[0], -centres[1], atol=0.02)


def test_xor_classes_are_the_signs_products() -> None:
    raw = SOURCES["xor"](samples=4000, std=0.1).read(0)
    np.testing.assert_array_equal(raw.targets, raw.inputs["x"].prod(axis=1) < 0)


@pytest.mark.parametrize("samples", [100, 7])
def test_circles_and_moons_without_noise_are_scikit_learns(samples: int) -> None:
    expected = make_circles(samples, shuffle=False, factor=0.3)
    raw = SOURCES["circles"](noise=0.0, samples=samples, factor=0.3).read(0)
    np.testing.assert_allclose(raw.inputs["x"], expected[0], atol=1e-12)
    np.testing.assert_array_equal(raw.targets, expected[1])
    expected = make_moons(samples, shuffle=False)
    raw = SOURCES["moons"](noise=0.0, samples=samples).read(0)
    np.testing.assert_allclose(raw.inputs["x"], expected[0], atol=1e-12)
    np.testing.assert_array_equal(raw.targets, expected[1])


def test_noise_has_its_deviation() -> None:
    exact, noisy = (SOURCES["circles"](noise=n, samples=20_000).read(0) for n in (0.0, 0.2))
    assert np.std(noisy.inputs["x"] - exact.inputs["x"]) == pytest.approx(0.2, rel=0.02)


def test_bands_are_vertical() -> None:
    raw = SOURCES["bands"](4, samples=4000).read(0)
    for band in range(4):
        x = raw.inputs["x"][raw.targets == band, 0]
        assert band / 4 <= x.min()
        assert x.max() < (band + 1) / 4


def test_disc_has_half_the_area() -> None:
    raw = SOURCES["disc"](20_000).read(0)
    assert raw.targets.mean() == pytest.approx(0.5, abs=0.015)
    radius = np.hypot(*(raw.inputs["x"] - 0.5).T)
    assert radius[raw.targets == 1].max() < 1 / np.sqrt(2 * np.pi) <= radius[raw.targets == 0].min()


def test_line_is_a_line() -> None:
    raw = SOURCES["line"](features=3, samples=500, noise=0.0).read(0)
    ones = np.ones((500, 1))
    _, residual, rank, _ = np.linalg.lstsq(np.hstack([raw.inputs["x"], ones]), raw.targets[:, 0])
    assert rank == 4
    assert residual.max() < 1e-20
