"""Sizes by hand; principal components and JPEG with known answers."""

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

from .conftest import make_info, make_split

rng = np.random.default_rng(3)
SMOOTH = np.add.outer(np.arange(16), np.arange(16)) / 30


def smooth_images(count: int, height: int, width: int, channels: int = 1) -> Any:
    """Smooth 8-bit images, each brighter than the one before."""
    plane = np.add.outer(np.arange(height), np.arange(width)) * 100 / (height + width)
    steps = np.linspace(0, 120, count)
    levels = plane[None, :, :, None] + steps[:, None, None, None] + 10 * np.arange(channels)
    return levels.round().astype(np.uint8)


# --- JPEG -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 8, 1), (70, 5, 11, 1), (9, 16, 16, 3), (5, 28, 28, 1)])
def test_images_are_decoded_in_their_order(shape: tuple[int, ...]) -> None:
    images = smooth_images(*shape)
    decoded, size, quality = jpeg.compress(images, 1e9)
    assert quality == 95 and decoded.shape == images.shape and decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - images).max() <= 6
    assert size > 0


def test_one_image_is_the_file_that_pillow_writes() -> None:
    image = smooth_images(1, 16, 24)
    content = io.BytesIO()
    Image.fromarray(image[0, ..., 0]).save(
        content, "JPEG", quality=95, subsampling=0, optimize=True
    )
    decoded, size, _ = jpeg.compress(image, 1e9)
    assert size == len(content.getvalue())
    np.testing.assert_array_equal(decoded[0, ..., 0], np.asarray(Image.open(content)))


def test_the_size_is_nearly_the_nearest_of_all_qualities() -> None:
    images = rng.integers(0, 256, (200, 16, 16, 1), np.uint8)
    sheets = jpeg._to_sheets(images)
    sizes = {q: sum(len(jpeg._encode(s, q)) for s in sheets) / 200 for q in range(1, 96)}
    for target in (1, 40, 90, 150, 1000):
        _, size, quality = jpeg.compress(images, target)
        assert size == sizes[quality]
        nearest = min(abs(s - target) for s in sizes.values())
        assert abs(size - target) <= nearest + 0.01 * target  # sizes are not quite monotonic in q


def test_many_images_need_several_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    images = smooth_images(11, 8, 8)
    monkeypatch.setattr(jpeg, "MAX_COLUMNS", 2)
    assert [sheet.shape for sheet in jpeg._to_sheets(images)] == [(16, 16, 1)] * 2 + [(16, 16, 1)]
    decoded, _, _ = jpeg.compress(images, 1e9)
    assert np.abs(decoded.astype(int) - images).max() <= 6


def test_a_sheet_respects_the_limits_of_jpeg() -> None:
    assert jpeg._columns(np.zeros((400, 5000, 10, 1), np.uint8)) == 12
    assert jpeg._columns(np.zeros((9, 64_000, 10, 1), np.uint8)) == 1
    assert jpeg._columns(np.zeros((9, 10, 70_000, 1), np.uint8)) == 1


@pytest.mark.parametrize(
    ("count", "size", "columns"),
    [(1, 8, 1), (2, 8, 2), (4, 8, 2), (5, 8, 3), (4096, 8, 64), (9999, 8, 64), (2000, 1000, 8)],
)
def test_a_sheet_is_a_square_of_at_most_64_images_a_row(
    count: int, size: int, columns: int
) -> None:
    images = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (count, size, size, 1))
    assert jpeg._columns(images) == columns


# --- principal components -----------------------------------------------------------------------


def test_a_plane_is_rebuilt_from_two_components() -> None:
    basis = rng.normal(size=(2, 3, 2))
    train = np.tensordot(rng.normal(size=(50, 2)), basis, 1) + 5
    context = np.tensordot(rng.normal(size=(4, 2)), basis, 1) + 5
    rebuilt, share, count = pca_reconstruction(train, context.astype(np.float32), 2, [])
    np.testing.assert_allclose(rebuilt, context, rtol=1e-5)
    assert share == pytest.approx(1.0) and count == 2
    _, share, _ = pca_reconstruction(train, context, 1, [])
    flat = train.reshape(50, -1)
    variances = np.linalg.eigvalsh(np.cov(flat.T))[::-1]
    assert share == pytest.approx(variances[0] / variances.sum())


@pytest.mark.parametrize("samples", [3, 30])
def test_components_are_limited_by_samples_and_features(samples: int) -> None:
    train = rng.normal(size=(samples, 5))
    rebuilt, share, count = pca_reconstruction(train, train, 9, [])
    assert count == min(samples, 5) and share == pytest.approx(1.0)
    np.testing.assert_allclose(rebuilt, train, atol=1e-6)


# --- the evaluation -----------------------------------------------------------------------------


def run(make_context: Any, x: Any, data: Any, **more: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "network": NetworkInfo({"x": data.inputs["x"], "code": (4,)}),
        "node_values": lambda name, inputs: inputs["x"].reshape(len(inputs["x"]), -1)[:, :4],
        "predict": lambda inputs: inputs["x"] / 2,
    }
    results: dict[str, Any] = Compression().run(
        make_context("reconstruction", data, x, **(settings | more))
    )
    return results


def test_sizes_errors_and_images(make_context: Any, tmp_path: Path) -> None:
    x = np.clip(SMOOTH[None] * rng.uniform(0.5, 1, (30, 1, 1)), 0, 1).reshape(30, 256)
    split = make_split(x, np.arange(30) % 3)
    results = run(make_context, split, make_info((256,), ("a", "b", "c"), image=(16, 16, 1)))
    assert results["rate"] == 4 / 256 and results["rate_of_bytes"] == 16 / 256
    assert results["bytes"] == {"input": 256, "code": 16}
    assert results["numbers"] == {"input": 256, "code": 4}
    assert results["mse"]["network"] == pytest.approx(float(np.mean(np.square(x / 2))), rel=1e-5)
    assert results["kl_divergence"]["network"] == pytest.approx(
        metrics.kl_divergence(x, x / 2), rel=1e-4
    )
    # One component explains all of it; JPEG is accurate on such smooth images too.
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


def test_jpeg_takes_images_on_any_scale(make_context: Any) -> None:
    x = (SMOOTH[None] * rng.uniform(0.5, 1, (30, 1, 1))).reshape(30, 256) * 40 - 7
    results = run(make_context, make_split(x), make_info((256,), image=(16, 16, 1), kind="none"))
    assert results["mse"]["jpeg"] < 0.002 * 40**2
    assert results["kl_divergence"]["jpeg"] is None and "negative" in results["notes"][0]


def test_other_inputs_have_neither_jpeg_nor_images(make_context: Any, tmp_path: Path) -> None:
    results = run(make_context, make_split(rng.random((9, 8))), make_info((8,), kind="none"))
    assert set(results["mse"]) == {"network", "pca"} and "jpeg" not in results
    assert results["bytes"] == {"input": 32, "code": 16}
    assert "not images" in results["notes"][0] and not list(tmp_path.iterdir())


def test_two_channels_are_not_compared_with_jpeg(make_context: Any) -> None:
    results = run(
        make_context, make_split(rng.random((9, 8))), make_info((8,), image=(2, 2, 2), kind="none")
    )
    assert "jpeg" not in results and "one or three channels" in results["notes"][0]


def test_jpeg_of_equal_values_is_exact(make_context: Any) -> None:
    x = np.full((9, 64), 3.0)
    results = run(make_context, make_split(x), make_info((64,), image=(8, 8, 1), kind="none"))
    assert results["mse"]["jpeg"] == 0.0
