"""Sizes by hand, principal components and JPEG where the answer is known."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ldl import metrics
from ldl.evaluate import jpeg
from ldl.evaluate.compression import Compression
from ldl.evaluate.context import NetworkInfo
from ldl.evaluate.latents import pca_reconstruction

from .conftest import info, part

rng = np.random.default_rng(3)
SMOOTH = np.add.outer(np.arange(16), np.arange(16)) / 30


def pictures(count: int, height: int, width: int, channels: int = 1) -> Any:
    """Smooth 8-bit pictures, each brighter than the one before."""
    plane = np.add.outer(np.arange(height), np.arange(width)) * 100 / (height + width)
    steps = np.linspace(0, 120, count)
    levels = plane[None, :, :, None] + steps[:, None, None, None] + 10 * np.arange(channels)
    return levels.round().astype(np.uint8)


# --- JPEG -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (70, 5, 11, 1), (9, 16, 16, 3), (5, 28, 28, 1)])
def test_pictures_come_back_each_in_its_place(shape: tuple[int, ...]) -> None:
    images = pictures(*shape)
    read, size, quality = jpeg.compress(images, 1e9)
    assert quality == 95 and read.shape == images.shape and read.dtype == np.uint8
    assert np.abs(read.astype(int) - images).max() <= 6
    assert size > 0


def test_one_picture_is_the_file_that_pillow_writes() -> None:
    image = pictures(1, 16, 24)
    content = io.BytesIO()
    Image.fromarray(image[0, ..., 0]).save(
        content, "JPEG", quality=95, subsampling=0, optimize=True
    )
    read, size, _ = jpeg.compress(image, 1e9)
    assert size == len(content.getvalue())
    np.testing.assert_array_equal(read[0, ..., 0], np.asarray(Image.open(content)))


def test_the_size_is_about_the_nearest_that_any_quality_gives() -> None:
    images = rng.integers(0, 256, (200, 16, 16, 1), np.uint8)
    sheets = jpeg._to_sheets(images)
    every = {q: sum(len(jpeg._encode(s, q)) for s in sheets) / 200 for q in range(1, 96)}
    for wanted in (1, 40, 90, 150, 1000):
        _, size, quality = jpeg.compress(images, wanted)
        assert size == every[quality]
        nearest = min(abs(each - wanted) for each in every.values())
        assert abs(size - wanted) <= nearest + 0.01 * wanted  # sizes do not quite grow with q


def test_many_pictures_need_several_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(11, 8, 8)
    monkeypatch.setattr(jpeg, "MAX_COLUMNS", 2)
    assert [sheet.shape for sheet in jpeg._to_sheets(images)] == [(16, 16, 1)] * 2 + [(16, 16, 1)]
    read, _, _ = jpeg.compress(images, 1e9)
    assert np.abs(read.astype(int) - images).max() <= 6


def test_a_sheet_is_never_larger_than_jpeg_allows() -> None:
    assert jpeg._columns(np.zeros((400, 5000, 10, 1), np.uint8)) == 12
    assert jpeg._columns(np.zeros((9, 64_000, 10, 1), np.uint8)) == 1


# --- principal components -----------------------------------------------------------------------


def test_a_plane_comes_back_from_two_components() -> None:
    basis = rng.normal(size=(2, 3, 2))
    train = np.tensordot(rng.normal(size=(50, 2)), basis, 1) + 5
    given = np.tensordot(rng.normal(size=(4, 2)), basis, 1) + 5
    rebuilt, share, count = pca_reconstruction(train, given.astype(np.float32), 2, [])
    np.testing.assert_allclose(rebuilt, given, rtol=1e-5)
    assert share == pytest.approx(1.0) and count == 2
    _, share, _ = pca_reconstruction(train, given, 1, [])
    flat = train.reshape(50, -1)
    variances = np.linalg.eigvalsh(np.cov(flat.T))[::-1]
    assert share == pytest.approx(variances[0] / variances.sum())


@pytest.mark.parametrize("samples", [3, 30])
def test_no_more_components_than_there_can_be(samples: int) -> None:
    train = rng.normal(size=(samples, 5))
    rebuilt, share, count = pca_reconstruction(train, train, 9, [])
    assert count == min(samples, 5) and share == pytest.approx(1.0)
    np.testing.assert_allclose(rebuilt, train, atol=1e-6)


# --- the evaluation -----------------------------------------------------------------------------


def run(context: Any, x: Any, data: Any, **more: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "network": NetworkInfo({"x": data.inputs["x"], "code": (4,)}),
        "node_values": lambda name, inputs: inputs["x"].reshape(len(inputs["x"]), -1)[:, :4],
        "predict": lambda inputs: inputs["x"] / 2,
    }
    results: dict[str, Any] = Compression().run(
        context("reconstruction", data, x, **(settings | more))
    )
    return results


def test_sizes_distances_and_the_sheet_of_images(context: Any, tmp_path: Path) -> None:
    x = np.clip(SMOOTH[None] * rng.uniform(0.5, 1, (30, 1, 1)), 0, 1).reshape(30, 256)
    one = part(x, np.arange(30) % 3)
    results = run(context, one, info((256,), ("a", "b", "c"), image=(16, 16, 1)))
    assert results["rate"] == 4 / 256 and results["rate_of_bytes"] == 16 / 256
    assert results["bytes"] == {"input": 256, "code": 16}
    assert results["numbers"] == {"input": 256, "code": 4}
    assert results["mse"]["network"] == pytest.approx(float(np.mean(np.square(x / 2))), rel=1e-5)
    assert results["kl_divergence"]["network"] == pytest.approx(
        metrics.kl_divergence(x, x / 2), rel=1e-4
    )
    # One component holds all of this; JPEG of such smooth pictures comes near too.
    assert results["mse"]["pca"] < 1e-6 and results["mse"]["jpeg"] < 0.01
    assert results["pca"]["components"] == 4 and results["jpeg"]["quality"] >= 1
    with np.load(tmp_path / "plots" / "compression.npz") as sheet:
        assert sheet["code"].shape == (10, 2, 2)
        np.testing.assert_array_equal(sheet["code"].reshape(10, 4), sheet["original"][:, 0, :4, 0])
        for name in ("original", "reconstruction", "pca", "jpeg"):
            assert sheet[name].shape == (10, 16, 16, 1)
        np.testing.assert_allclose(
            sheet["error"], np.square(sheet["original"] / 2)[..., 0], atol=1e-6
        )


def test_jpeg_takes_pictures_on_any_scale(context: Any) -> None:
    x = (SMOOTH[None] * rng.uniform(0.5, 1, (30, 1, 1))).reshape(30, 256) * 40 - 7
    results = run(context, part(x), info((256,), image=(16, 16, 1), kind="none"))
    assert results["mse"]["jpeg"] < 0.002 * 40**2
    assert results["kl_divergence"]["jpeg"] is None and "negative" in results["notes"][0]


def test_what_is_no_image_has_neither_jpeg_nor_a_sheet(context: Any, tmp_path: Path) -> None:
    results = run(context, part(rng.random((9, 8))), info((8,), kind="none"))
    assert set(results["mse"]) == {"network", "pca"} and "jpeg" not in results
    assert results["bytes"] == {"input": 32, "code": 16}
    assert "not images" in results["notes"][0] and not list(tmp_path.iterdir())


def test_two_channels_are_shown_without_jpeg(context: Any) -> None:
    results = run(context, part(rng.random((9, 8))), info((8,), image=(2, 2, 2), kind="none"))
    assert "jpeg" not in results and "one or three channels" in results["notes"][0]
