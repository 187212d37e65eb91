"""Mosaics of sample images: pixels, captions and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots.image_mosaic import fit_to_size
from ldl.plots.image_plots import (
    cluster_centres_plot,
    compression_plot,
    misclassified_plot,
    reconstruction_plot,
)

from .figures import assert_inside

rng = np.random.default_rng(0)


def data(shape: tuple[int, ...], labels: list[str]) -> dict[str, Any]:
    original = np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    rebuilt = 1 - original
    error = ((original - rebuilt) ** 2).mean(axis=-1)
    return {
        "original": original,
        "reconstruction": rebuilt,
        "error": error,
        "labels": np.array(labels),
    }


def pixels(figure: Any) -> Any:
    return figure.axes[0].images[0].get_array()


def test_rows_of_originals_reconstructions_and_errors() -> None:
    samples = data((2, 4, 4, 1), ["3", "8"])
    figure: Any = reconstruction_plot(samples, "run")
    axes = figure.axes[0]
    assert [t.get_text() for t in figure.texts] == ["Reconstructions", "run"]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["original", "reconstruction", "squared error"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "8"]
    assert axes.get_xlabel() == "class"
    sheet = pixels(figure)
    tile = 84
    assert sheet.shape == (3 * tile + 2 * 6, 2 * tile + 6, 3)
    assert (sheet[0, 0] == 0).all() and (sheet[tile - 1, -1] == 255).all()
    assert (sheet[tile + 6, 0] == 255).all() and (sheet[tile, :] == 255).all()


def test_the_error_scale_ends_at_the_largest_error() -> None:
    figure: Any = reconstruction_plot(data((2, 4, 4, 1), ["", ""]), "run")
    bar = figure.axes[-1]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "0.5", "1"]
    assert figure.axes[0].get_xlabel() == ""


def test_errors_of_0_and_infinite_errors_are_drawn() -> None:
    samples = data((2, 4, 4, 1), ["a", "b"])
    for error in (0.0, np.nan, np.inf):
        figure: Any = reconstruction_plot({**samples, "error": np.full((2, 4, 4), error)}, "run")
        figure.canvas.draw()


def test_images_outside_0_to_1_use_their_own_range_and_large_ones_lose_pixels() -> None:
    samples = data((1, 400, 300, 1), [""])
    samples["original"] = samples["original"] * 10 - 5
    figure: Any = reconstruction_plot(samples, "run")
    sheet = pixels(figure)
    assert sheet.shape[0] < 600
    assert sheet[0, 0, 0] == 0 and sheet[:133].min() == 0 and sheet[:133, :90].max() > 250


@pytest.mark.parametrize(("channels", "first"), [(1, [255] * 3), (3, [255, 0, 0]), (2, [127] * 3)])
def test_three_channels_are_colours_others_are_grey(channels: int, first: list[int]) -> None:
    images = np.zeros((1, 3, 3, channels), np.float32)
    images[..., 0] = 1
    misclassified = {
        "images": images,
        "true": np.array(["a"]),
        "predicted": np.array(["b"]),
        "confidence": np.array([0.75]),
    }
    figure: Any = misclassified_plot(misclassified, "run")
    assert pixels(figure)[0, 0].tolist() == first


def test_captions_of_misclassified_images() -> None:
    misclassified = {
        "images": np.zeros((10, 8, 8, 1), np.float32),
        "true": np.array(["8"] * 10),
        "predicted": np.array(["3"] * 10),
        "confidence": np.array([0.99991, 0.987, *[0.5] * 8]),
    }
    figure: Any = misclassified_plot(misclassified, "run")
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions[:2] == ["8 read as 3\n>99.9%", "8 read as 3\n98.7%"] and len(captions) == 10
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_no_sample_draws_nothing() -> None:
    assert reconstruction_plot(data((0, 4, 4, 1), []), "run") is None
    assert misclassified_plot({"images": np.zeros((0, 8, 8, 1))}, "run") is None


def row_names(figure: Any) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("jpeg", [True, False])
@pytest.mark.parametrize("code", [(2, 2), (1, 2), (1, 7), (20, 30)])
def test_compression_shows_the_code_at_the_size_of_the_images(
    code: tuple[int, int], jpeg: bool
) -> None:
    images = rng.random((3, 8, 8, 1)).astype(np.float32)
    data: dict[str, Any] = {
        "original": images,
        "reconstruction": images,
        "pca": images,
        "error": np.zeros((3, 8, 8)),
        "labels": np.array(["a", "b", "c"]),
        "code": np.linspace(-1, 1, 3 * code[0] * code[1]).reshape(3, *code),
        **({"jpeg": images} if jpeg else {}),
    }
    figure: Any = compression_plot(data, "run")
    more = ["JPEG"] if jpeg else []
    assert row_names(figure) == [
        "original",
        "code",
        "reconstruction",
        "PCA",
        *more,
        "squared error",
    ]
    assert (
        f"shown as {code[0]}×{code[1]} from -1 (black) to 1 (white)" in figure.texts[1].get_text()
    )
    sheet = figure.axes[0].images[0].get_array()
    row = sheet[86:166]  # the second row: tiles of 80 pixels and gaps of 6
    middle = row[40]
    first, last = middle[0], middle[-1]
    assert (first <= 70).all() and (last >= 185).all()
    assert_inside(figure)


def test_fit_to_size_keeps_the_shape_of_a_pixel_and_centres() -> None:
    code = np.array([[[[0, 0, 0], [90, 90, 90]]]], np.uint8)
    (tile,) = fit_to_size(code, (80, 80))
    assert (tile[:20] == 255).all() and (tile[60:] == 255).all()
    assert (tile[20:60, :40] == 0).all() and (tile[20:60, 40:] == 90).all()


@pytest.mark.parametrize("count", [1, 10, 17])
def test_captions_of_cluster_centres(count: int) -> None:
    data = {
        "images": rng.random((count, 8, 8, 1)),
        "names": np.array(["a class of a long name"] * count),
        "sizes": np.arange(count) + 1000,
    }
    figure: Any = cluster_centres_plot(data, "run")
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions[0] == "c1, 1,000\na class of …" and len(captions) == count
    assert_inside(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_no_image_draws_nothing() -> None:
    none = np.zeros((0, 4, 4, 1))
    assert compression_plot({"original": none}, "run") is None
    assert cluster_centres_plot({"images": none}, "run") is None
