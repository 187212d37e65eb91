"""Metrics and images by noise level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ldl.plots.noise_sweep_plots import DASHES, noise_images_plot, noise_sweep_plot

from .figures import assert_apart, assert_inside, table

rng = np.random.default_rng(0)

NOISE = ["noise", "level", "input", "mse", "kl_divergence", "accuracy"]


def test_levels_of_two_kinds_begin_at_clean_inputs(tmp_path: Path) -> None:
    rows: list[list[object]] = []
    for noise, level, value in (
        ("clean", 0.0, 0.1), ("own", "", 0.25), ("mask", 0.5, 0.3), ("gaussian", 0.2, 0.2),
        ("mask", 0.2, 0.15), ("mixed", "", 0.4),
    ):  # fmt: skip
        rows += [[noise, level, side, value, "", 1 - value] for side in ("noisy", "denoised")]
    figure: Any = noise_sweep_plot(table(tmp_path, NOISE, rows), "run")
    mse, accuracy = figure.axes  # the divergence has no values
    labels = [line.get_label() for line in mse.lines]
    assert labels == [
        "mask, noisy", "mask, denoised", "gaussian, noisy", "gaussian, denoised",
        "noise of the data, denoised", "mixed, denoised",
    ]  # fmt: skip
    np.testing.assert_array_equal(mse.lines[0].get_xdata(), [0, 0.2, 0.5])
    np.testing.assert_array_equal(mse.lines[0].get_ydata(), [0.1, 0.15, 0.3])
    np.testing.assert_array_equal(mse.lines[-2].get_ydata(), [0.25, 0.25])
    assert (mse.get_ylabel(), accuracy.get_ylabel()) == ("mean squared error", "accuracy")
    assert "gaussian: standard deviation" in figure.texts[1].get_text()
    assert_inside(figure)
    assert_apart(figure)


def test_one_kind_is_named_on_the_axis(tmp_path: Path) -> None:
    rows: list[list[object]] = [["gaussian", 0.2, side, 0.1, 0.2, ""] for side in DASHES]
    figure: Any = noise_sweep_plot(table(tmp_path, NOISE, rows), "run")
    assert [axes.get_xlabel() for axes in figure.axes] == ["level of gaussian noise"] * 2
    assert [line.get_label() for line in figure.axes[0].lines] == ["noisy", "denoised"]
    assert noise_sweep_plot(table(tmp_path, NOISE, [["clean", 0, "noisy", 1, 1, 1]]), "run") is None


def test_noise_levels_have_two_rows_each() -> None:
    data = {
        "levels": np.array(["clean", "own", "gaussian 0.3"]),
        "noisy": rng.random((3, 4, 8, 8, 1)),
        "denoised": rng.random((3, 4, 8, 8, 1)),
        "labels": np.array(["", "", "", ""]),
    }
    figure: Any = noise_images_plot(data, "run")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "clean",
        "denoised",
        "noise of the data",
        "denoised",
        "gaussian 0.3",
        "denoised",
    ]
    assert_inside(figure)
    assert_apart(figure)
    assert noise_images_plot({"noisy": np.zeros((0, 4, 4, 1))}, "run") is None
