"""Sheets of pictures: each pixel where it belongs, captions and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ldl.plots import sheets

NAMES = ("original", "reconstruction")


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


def test_rows_of_originals_others_and_errors() -> None:
    given = data((2, 4, 4, 1), ["3", "8"])
    figure: Any = sheets.rows(given, NAMES, "Reconstructions", "run")
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
    figure: Any = sheets.rows(data((2, 4, 4, 1), ["", ""]), NAMES, "t", "run")
    bar = figure.axes[-1]
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "0.5", "1"]
    assert figure.axes[0].get_xlabel() == ""


def test_no_error_at_all_and_errors_that_are_not_numbers_are_drawn() -> None:
    given = data((2, 4, 4, 1), ["a", "b"])
    for error in (0.0, np.nan, np.inf):
        figure: Any = sheets.rows({**given, "error": np.full((2, 4, 4), error)}, NAMES, "t", "run")
        figure.canvas.draw()


def test_pictures_outside_0_to_1_use_their_own_range_and_large_ones_are_thinned() -> None:
    given = data((1, 400, 300, 1), [""])
    given["original"] = given["original"] * 10 - 5
    figure: Any = sheets.rows(given, NAMES, "t", "run")
    sheet = pixels(figure)
    assert sheet.shape[0] < 600
    assert sheet[0, 0, 0] == 0 and sheet[:133].min() == 0 and sheet[:133, :90].max() > 250


@pytest.mark.parametrize(("channels", "first"), [(1, [255] * 3), (3, [255, 0, 0]), (2, [127] * 3)])
def test_three_channels_are_colours_others_are_grey(channels: int, first: list[int]) -> None:
    images = np.zeros((1, 3, 3, channels), np.float32)
    images[..., 0] = 1
    mistakes = {
        "images": images,
        "true": np.array(["a"]),
        "predicted": np.array(["b"]),
        "confidence": np.array([0.75]),
    }
    figure: Any = sheets.mistakes(mistakes, "run")
    assert pixels(figure)[0, 0].tolist() == first


def test_mistakes_say_what_was_read_as_what_and_how_surely() -> None:
    mistakes = {
        "images": np.zeros((10, 8, 8, 1), np.float32),
        "true": np.array(["8"] * 10),
        "predicted": np.array(["3"] * 10),
        "confidence": np.array([0.99991, 0.987, *[0.5] * 8]),
    }
    figure: Any = sheets.mistakes(mistakes, "run")
    captions = [text.get_text() for text in figure.axes[0].texts]
    assert captions[:2] == ["8 read as 3\n>99.9%", "8 read as 3\n98.7%"] and len(captions) == 10
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_no_sample_draws_nothing() -> None:
    assert sheets.rows(data((0, 4, 4, 1), []), NAMES, "t", "run") is None
    assert sheets.mistakes({"images": np.zeros((0, 8, 8, 1))}, "run") is None
