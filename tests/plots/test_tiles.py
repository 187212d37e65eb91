"""Sheets of codes, centres, filters and activations: what stands where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots import tiles

rng = np.random.default_rng(0)


def inside(figure: Any) -> None:
    figure.canvas.draw()
    for axes in figure.axes:
        labels = [*axes.get_yticklabels(), *axes.get_xticklabels(), *axes.texts, axes.yaxis.label]
        for one in labels:
            if one.get_text():
                box = one.get_window_extent()
                assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, one
                assert box.y0 >= 0 and box.y1 <= figure.bbox.y1, one


def rows(figure: Any) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


@pytest.mark.parametrize("jpeg", [True, False])
@pytest.mark.parametrize("code", [(2, 2), (1, 2), (1, 7), (20, 30)])
def test_compression_shows_the_code_in_the_size_of_the_pictures(
    code: tuple[int, int], jpeg: bool
) -> None:
    images = rng.random((3, 8, 8, 1)).astype(np.float32)
    data = {
        "original": images,
        "reconstruction": images,
        "pca": images,
        "error": np.zeros((3, 8, 8)),
        "labels": np.array(["a", "b", "c"]),
        "code": np.linspace(-1, 1, 3 * code[0] * code[1]).reshape(3, *code),
        **({"jpeg": images} if jpeg else {}),
    }
    figure: Any = tiles.compression(data, "run")
    more = ["JPEG"] if jpeg else []
    assert rows(figure) == ["original", "code", "reconstruction", "PCA", *more, "squared error"]
    assert (
        f"shown as {code[0]}×{code[1]} from -1 (black) to 1 (white)" in figure.texts[1].get_text()
    )
    sheet = figure.axes[0].images[0].get_array()
    row = sheet[86:166]  # the second row: tiles of 80 pixels and gaps of 6
    middle = row[40]
    first, last = middle[0], middle[-1]
    assert (first <= 70).all() and (last >= 185).all()
    inside(figure)


def test_fitted_keeps_the_shape_of_a_pixel_and_centres() -> None:
    code = np.array([[[[0, 0, 0], [90, 90, 90]]]], np.uint8)
    (tile,) = tiles.fitted(code, (80, 80))
    assert (tile[:20] == 255).all() and (tile[60:] == 255).all()
    assert (tile[20:60, :40] == 0).all() and (tile[20:60, 40:] == 90).all()


def test_noise_levels_have_two_rows_each() -> None:
    data = {
        "levels": np.array(["clean", "own", "gaussian 0.3"]),
        "noisy": rng.random((3, 4, 8, 8, 1)),
        "denoised": rng.random((3, 4, 8, 8, 1)),
        "labels": np.array(["", "", "", ""]),
    }
    figure: Any = tiles.noise_levels(data, "run")
    assert rows(figure) == [
        "clean",
        "denoised",
        "own noise",
        "denoised",
        "gaussian 0.3",
        "denoised",
    ]
    inside(figure)


@pytest.mark.parametrize("count", [1, 10, 17])
def test_centres_say_their_class_and_size(count: int) -> None:
    data = {
        "images": rng.random((count, 8, 8, 1)),
        "names": np.array(["a class of a long name"] * count),
        "sizes": np.arange(count) + 1000,
    }
    figure: Any = tiles.centres(data, "run")
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions[0] == "c1, 1,000\na class of …" and len(captions) == count
    inside(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_filters_are_signed_around_white() -> None:
    weights = np.zeros((9, 3, 3, 1))
    weights[0, 0, 0], weights[1, 0, 0] = 2.0, -1.0
    data = {"filters": weights, "layer": np.array("conv2d1"), "total": np.array(12)}
    figure: Any = tiles.filters(data, "run")
    sheet = figure.axes[0].images[0].get_array()
    red, blue = sheet[0, 0].astype(int), sheet[0, 57 + 6].astype(int)
    assert red[0] > red[2] + 50 and blue[2] > blue[0] + 50  # tiles are 3·19 pixels wide
    assert sheet[30, 30].min() > 240
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["-2", "0", "2"]
    assert figure.texts[1].get_text() == "run · conv2d1 · 9 of 12 units of 3×3"
    inside(figure)


@pytest.mark.parametrize(("channels", "axes"), [(3, 1), (2, 2)])
def test_three_channels_are_colours_and_others_their_mean(channels: int, axes: int) -> None:
    weights = rng.normal(size=(4, 5, 5, channels))
    figure: Any = tiles.filters({"filters": weights, "layer": np.array("conv2d1")}, "run")
    assert len(figure.axes) == axes
    assert ("mean over channels" in figure.texts[1].get_text()) is (channels == 2)


@pytest.mark.parametrize(("shape", "named"), [((4, 6), True), ((4, 300), False), ((4, 1), True)])
def test_vectors_are_a_heat_map(shape: tuple[int, int], named: bool) -> None:
    data = {
        "values": rng.normal(size=shape),
        "labels": np.array(["a", "b", "c", "d"] if named else [""] * 4),
        "place": np.array("tanh1"),
    }
    figure: Any = tiles.activations(data, "run")
    axes, bar = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), data["values"])
    low, high = axes.images[0].get_clim()
    assert bar.get_ylabel() == "value"
    if shape[1] > 1:  # positive and negative values: 0 is white
        assert low == -high == -np.abs(data["values"]).max()
    assert rows(figure) == (["a", "b", "c", "d"] if named else [""] * 4)
    inside(figure)


def test_maps_stand_below_their_inputs() -> None:
    data = {
        "values": rng.random((5, 3, 6, 6)),
        "images": rng.random((5, 12, 12, 1)),
        "labels": np.array(list("abcde")),
        "place": np.array("relu1"),
    }
    figure: Any = tiles.activations(data, "run")
    assert rows(figure) == ["input", "channel 1", "channel 2", "channel 3"]
    assert figure.texts[1].get_text() == "run · relu1"
    inside(figure)


@pytest.mark.parametrize("named", [True, False])
def test_signals_are_bands_with_a_row_a_channel(named: bool) -> None:
    labels = np.array(["a", "b", "c"] if named else [""] * 3)
    data = {"values": rng.random((3, 4, 90)), "labels": labels, "place": np.array("p")}
    figure: Any = tiles.activations(data, "run")
    bands = figure.axes[0].images[0].get_array()
    assert bands.shape == (3 * 4 + 2, 90)
    np.testing.assert_array_equal(bands[5:9], data["values"][1])
    assert bands.mask[4].all() and bands.mask[9].all()
    assert rows(figure) == labels.tolist() and figure.axes[0].get_xlabel() == "position"
    inside(figure)


def test_equal_values_are_drawn() -> None:
    for shape in ((3, 4), (3, 4, 9), (3, 1, 4, 9)):
        data = {"values": np.zeros(shape), "labels": np.array([""] * 3), "place": np.array("p")}
        figure: Any = tiles.activations(data, "run")
        inside(figure)


def test_filters_of_one_dimension_are_strips() -> None:
    data = {"filters": rng.normal(size=(9, 1, 3, 1)), "layer": np.array("conv1d1")}
    figure: Any = tiles.filters(data, "run")
    assert figure.axes[0].images[0].get_array().shape == (57 * 2 + 6, 8 * (57 + 6) - 6, 3)
    inside(figure)


def test_nothing_draws_nothing() -> None:
    none = np.zeros((0, 4, 4, 1))
    assert tiles.compression({"original": none}, "run") is None
    assert tiles.noise_levels({"noisy": none}, "run") is None
    assert tiles.centres({"images": none}, "run") is None
    assert tiles.filters({"filters": none}, "run") is None
    assert tiles.activations({"values": none}, "run") is None
