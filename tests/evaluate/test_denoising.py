"""One classifier, trained on clean samples, reads original, noisy and denoised ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl import metrics
from ldl.evaluate.context import ClassifierSettings
from ldl.evaluate.denoising import Denoising

from .conftest import make_info, make_split

# An image is all 0 (class 0) or all 1 (class 1); noise flips the first two.
CLEAN = np.repeat([[0.0], [0.0], [1.0], [1.0]], 4, axis=1).astype(np.float32)
NOISY = CLEAN.copy()
NOISY[:2] = 0.75
LABELS = np.array([0, 0, 1, 1])
DATA = make_info((4,), ("dark", "bright"), image=(2, 2, 1))
TRAIN = make_split(1 - CLEAN, 1 - LABELS, clean=CLEAN + 1)


def denoise(inputs: Any) -> Any:
    """Restores the first image and halves the noise of the second."""
    x = inputs["x"].copy()
    x[0], x[1] = 0, 0.375
    return x.reshape(-1, 2, 2, 1)


def test_accuracies_distances_and_files(make_context: Any, tmp_path: Path) -> None:
    arguments: list[Any] = []

    def train_classifier(*received: Any) -> Callable[[Any], Any]:
        arguments.extend(received)
        return lambda x: (x.mean(axis=1) > 0.3).astype(np.int64)

    test = make_split(NOISY, LABELS, clean=CLEAN)
    context = make_context(
        "reconstruction",
        DATA,
        test,
        train=TRAIN,
        predict=denoise,
        train_classifier=train_classifier,
    )
    results = Denoising(["layers"], epochs=3, batch_size=2, learning_rate=0.5).run(context)

    layers, inputs, labels, classes, settings = arguments
    assert layers == ["layers"] and classes == 2 and settings == ClassifierSettings(3, 2, 0.5)
    assert inputs is TRAIN.clean["x"] and labels is TRAIN.targets
    assert results["accuracy"] == {"original": 1.0, "noisy": 0.5, "denoised": 0.75}
    assert results["mse"] == pytest.approx({"noisy": 0.75**2 / 2, "denoised": 0.375**2 / 4})
    # Uniform images have the same distribution, whatever their brightness.
    assert results["kl_divergence"] == {"noisy": 0.0, "denoised": 0.0}
    assert metrics.kl_divergence(CLEAN, NOISY) == 0
    matrices = {f.stem: f.read_text(encoding="utf-8") for f in tmp_path.glob("contingency/*.csv")}
    assert matrices == {
        "original": "true\\predicted,dark,bright\ndark,2,0\nbright,0,2\n",
        "noisy": "true\\predicted,dark,bright\ndark,0,2\nbright,0,2\n",
        "denoised": "true\\predicted,dark,bright\ndark,1,1\nbright,0,2\n",
    }
    with np.load(tmp_path / "plots" / "denoising.npz") as sheet:
        np.testing.assert_array_equal(sheet["noisy"].reshape(4, 4), NOISY)
        np.testing.assert_array_equal(sheet["denoised"][1].ravel(), np.full(4, 0.375))
        np.testing.assert_array_equal(sheet["error"][1].ravel(), np.full(4, 0.375**2))


def test_without_classes_and_images_only_distances_are_given(
    make_context: Any, tmp_path: Path
) -> None:
    test = make_split(NOISY, clean=CLEAN)
    context = make_context("reconstruction", make_info((4,), kind="none"), test, predict=denoise)
    results = Denoising().run(context)
    assert results["accuracy"] is None and results["mse"]["noisy"] > results["mse"]["denoised"]
    assert len(results["notes"]) == 2 and not list(tmp_path.iterdir())


def test_data_without_noise_is_evaluated_with_a_note(make_context: Any) -> None:
    results = Denoising().run(make_context("reconstruction", DATA, make_split(CLEAN, LABELS)))
    assert results["mse"] == {"noisy": 0.0, "denoised": 0.0}
    assert "no noise" in results["notes"][0]
