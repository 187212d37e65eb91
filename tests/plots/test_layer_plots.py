"""Filters of the first layer and activations: what is drawn where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots.layer_plots import activations_plot, filters_plot

from .figures import assert_inside

rng = np.random.default_rng(0)


def row_names(figure: Any) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_filters_are_signed_around_white() -> None:
    weights = np.zeros((9, 3, 3, 1))
    weights[0, 0, 0], weights[1, 0, 0] = 2.0, -1.0
    data = {"filters": weights, "layer": np.array("conv2d1"), "total": np.array(12)}
    figure: Any = filters_plot(data, "run")
    sheet = figure.axes[0].images[0].get_array()
    red, blue = sheet[0, 0].astype(int), sheet[0, 57 + 6].astype(int)
    assert red[0] > red[2] + 50 and blue[2] > blue[0] + 50  # tiles are 3·19 pixels wide
    assert sheet[30, 30].min() > 240
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert labels == ["-2", "0", "2"]
    assert figure.texts[1].get_text() == "run · conv2d1 · 9 of 12 units of 3×3"
    assert_inside(figure)


@pytest.mark.parametrize(("channels", "axes"), [(3, 1), (2, 2)])
def test_three_channels_are_colours_and_others_their_mean(channels: int, axes: int) -> None:
    weights = rng.normal(size=(4, 5, 5, channels))
    figure: Any = filters_plot({"filters": weights, "layer": np.array("conv2d1")}, "run")
    assert len(figure.axes) == axes
    assert ("mean over channels" in figure.texts[1].get_text()) is (channels == 2)


@pytest.mark.parametrize(("shape", "named"), [((4, 6), True), ((4, 300), False), ((4, 1), True)])
def test_vectors_are_a_heat_map(shape: tuple[int, int], named: bool) -> None:
    data = {
        "values": rng.normal(size=shape),
        "labels": np.array(["a", "b", "c", "d"] if named else [""] * 4),
        "place": np.array("tanh1"),
    }
    figure: Any = activations_plot(data, "run")
    axes, bar = figure.axes
    np.testing.assert_array_equal(axes.images[0].get_array(), data["values"])
    low, high = axes.images[0].get_clim()
    assert bar.get_ylabel() == "value"
    if shape[1] > 1:  # positive and negative values: 0 is white
        assert low == -high == -np.abs(data["values"]).max()
    assert row_names(figure) == (["a", "b", "c", "d"] if named else [""] * 4)
    assert_inside(figure)


def test_feature_maps_are_below_their_inputs() -> None:
    data = {
        "values": rng.random((5, 3, 6, 6)),
        "images": rng.random((5, 12, 12, 1)),
        "labels": np.array(list("abcde")),
        "place": np.array("relu1"),
    }
    figure: Any = activations_plot(data, "run")
    assert row_names(figure) == ["input", "channel 1", "channel 2", "channel 3"]
    assert figure.texts[1].get_text() == "run · relu1"
    assert_inside(figure)


@pytest.mark.parametrize("named", [True, False])
def test_signals_are_bands_with_a_row_per_channel(named: bool) -> None:
    labels = np.array(["a", "b", "c"] if named else [""] * 3)
    data = {"values": rng.random((3, 4, 90)), "labels": labels, "place": np.array("p")}
    figure: Any = activations_plot(data, "run")
    bands = figure.axes[0].images[0].get_array()
    assert bands.shape == (3 * 4 + 2, 90)
    np.testing.assert_array_equal(bands[5:9], data["values"][1])
    assert bands.mask[4].all() and bands.mask[9].all()
    assert row_names(figure) == labels.tolist() and figure.axes[0].get_xlabel() == "position"
    assert_inside(figure)


def test_equal_values_are_drawn() -> None:
    for shape in ((3, 4), (3, 4, 9), (3, 1, 4, 9)):
        data = {"values": np.zeros(shape), "labels": np.array([""] * 3), "place": np.array("p")}
        figure: Any = activations_plot(data, "run")
        assert_inside(figure)


def test_filters_of_one_dimension_are_strips() -> None:
    data = {"filters": rng.normal(size=(9, 1, 3, 1)), "layer": np.array("conv1d1")}
    figure: Any = filters_plot(data, "run")
    assert figure.axes[0].images[0].get_array().shape == (57 * 2 + 6, 8 * (57 + 6) - 6, 3)
    assert_inside(figure)


def test_no_values_draw_nothing() -> None:
    none = np.zeros((0, 4, 4, 1))
    assert filters_plot({"filters": none}, "run") is None
    assert activations_plot({"values": none}, "run") is None
