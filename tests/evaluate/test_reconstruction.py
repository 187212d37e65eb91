"""Errors and images of reconstructions, with and without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl import metrics
from ldl.evaluate.reconstruction import NEGATIVE, Reconstruction
from ldl.evaluate.sample_images import spread_over_classes

from .conftest import make_info, make_split

rng = np.random.default_rng(0)
IMAGES = rng.random((30, 6)).astype(np.float32)
LABELS = np.repeat([2, 0, 1], 10)
DATA = make_info((6,), ("a", "b", "c"), image=(3, 2, 1))


def half(inputs: Any) -> Any:
    return inputs["x"] / 2


def test_errors_are_measured_on_the_clean_inputs(make_context: Any, tmp_path: Path) -> None:
    noisy = IMAGES + 1
    context = make_context(
        "reconstruction", DATA, make_split(noisy, LABELS, clean=IMAGES), predict=half
    )
    results = Reconstruction().run(context)
    assert results["mse"] == pytest.approx(float(np.mean((IMAGES - noisy / 2) ** 2)))
    assert results["kl_divergence"] == pytest.approx(metrics.kl_divergence(IMAGES, noisy / 2))
    assert results["units"] == {"kl_divergence": "nats"} and results["notes"] == []
    with np.load(tmp_path / "plots" / "reconstruction.npz") as sheet:
        np.testing.assert_array_equal(sheet["original"][0].ravel(), IMAGES[10])
        assert sheet["original"].shape == sheet["reconstruction"].shape == (10, 3, 2, 1)
        error = (sheet["original"] - sheet["reconstruction"])[..., 0] ** 2
        np.testing.assert_allclose(sheet["error"], error)
        assert sheet["labels"].tolist() == ["a"] * 4 + ["b"] * 3 + ["c"] * 3


def test_colour_errors_are_the_mean_over_channels(make_context: Any, tmp_path: Path) -> None:
    data = make_info((2, 1, 3), image=(2, 1, 3), kind="none")
    x = rng.random((4, 2, 1, 3)).astype(np.float32)
    Reconstruction().run(make_context("reconstruction", data, make_split(x), predict=half))
    with np.load(tmp_path / "plots" / "reconstruction.npz") as sheet:
        assert sheet["error"].shape == (4, 2, 1)
        np.testing.assert_allclose(sheet["error"], ((x / 2) ** 2).mean(axis=-1), rtol=1e-5)
        assert sheet["labels"].tolist() == [""] * 4


def test_other_inputs_have_no_images_and_a_note(make_context: Any, tmp_path: Path) -> None:
    data = make_info((6,), kind="none")
    results = Reconstruction().run(
        make_context("reconstruction", data, make_split(IMAGES), predict=half)
    )
    assert results["mse"] > 0 and results["notes"] == ["the inputs are not images: no image plots"]
    assert not (tmp_path / "plots").exists()


def test_negative_inputs_have_no_divergence_but_a_single_one_counts_as_0(make_context: Any) -> None:
    x = IMAGES.copy()
    x[0, 0] = -0.001
    results = Reconstruction().run(
        make_context("reconstruction", DATA, make_split(x), predict=half)
    )
    assert results["kl_divergence"] == pytest.approx(metrics.kl_divergence(x, x / 2))
    shifted = make_split(IMAGES - 0.5)
    results = Reconstruction().run(make_context("reconstruction", DATA, shifted, predict=half))
    assert results["kl_divergence"] is None and results["notes"] == [NEGATIVE]


def test_samples_are_spread_over_classes_and_sorted_by_class() -> None:
    targets = np.array([1, 1, 1, 0, 2, 0, 1])
    assert spread_over_classes(targets, 7, count=4).tolist() == [3, 5, 0, 4]
    assert spread_over_classes(targets, 7, count=10).tolist() == [3, 5, 0, 1, 2, 6, 4]
    assert spread_over_classes(None, 3).tolist() == [0, 1, 2]
    assert spread_over_classes(np.zeros((20, 1), np.float32), 20).tolist() == list(range(10))
