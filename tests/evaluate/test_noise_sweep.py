"""Levels of noise that are drawn on clean inputs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl import metrics
from ldl.data.noise import Gaussian, Mask, Mixed, Replace
from ldl.errors import SettingError
from ldl.evaluate.noise_sweep import NoiseSweep

from .conftest import make_info, make_split

rng = np.random.default_rng(5)
CLEAN = rng.random((400, 4)).astype(np.float32)
LABELS = (CLEAN[:, 0] > 0.5).astype(np.int64)
DATA = make_info((4,), ("dark", "bright"), image=(2, 2, 1))
LIMITS = {"x": (np.asarray(CLEAN.min()), np.asarray(CLEAN.max()))}
NOISES = (Gaussian(0.1), Gaussian(0.5), Mask(0.5), Replace(1.0))


def run(make_context: Any, evaluation: NoiseSweep, test: Any, **more: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "predict": lambda inputs: inputs["x"] / 2,
        "train_classifier": lambda *_: lambda x: (x[:, 0] > 0.5).astype(np.int64),
        "input_ranges": LIMITS,
    }
    results: dict[str, Any] = evaluation.run(
        make_context("reconstruction", more.pop("data", DATA), test, **(settings | more))
    )
    return results


def test_each_level_has_a_name(make_context: Any) -> None:
    results = run(make_context, NoiseSweep(NOISES), make_split(CLEAN, LABELS))
    names = ["clean", "gaussian 0.1", "gaussian 0.5", "mask 0.5", "replace 1"]
    assert results["levels"] == names
    noisy, denoised = results["mse"]["noisy"], results["mse"]["denoised"]
    assert noisy["clean"] == 0.0
    assert denoised["clean"] == pytest.approx(metrics.mse(CLEAN, CLEAN / 2))
    assert noisy["gaussian 0.1"] == pytest.approx(0.01, rel=0.1)
    assert noisy["gaussian 0.5"] == pytest.approx(0.25, rel=0.1)
    assert noisy["mask 0.5"] == pytest.approx(float(np.mean(CLEAN**2)) / 2, rel=0.15)
    # The mean squared distance of independent uniform numbers is 1/6.
    assert noisy["replace 1"] == pytest.approx(1 / 6, rel=0.15)
    accuracy = results["accuracy"]["noisy"]
    assert accuracy["clean"] == 1.0 > accuracy["gaussian 0.1"] > accuracy["gaussian 0.5"]
    assert results["accuracy"]["denoised"]["clean"] == pytest.approx((LABELS == 0).mean())


def test_own_noise_is_included_and_results_are_reproducible(
    make_context: Any, tmp_path: Path
) -> None:
    test = make_split(CLEAN + 0.25, LABELS, clean=CLEAN)
    first = run(make_context, NoiseSweep(NOISES), test)
    assert first["levels"][:2] == ["clean", "own"]
    assert first["mse"]["noisy"]["own"] == pytest.approx(0.0625, rel=1e-4)
    assert run(make_context, NoiseSweep(NOISES), test) == first
    with (tmp_path / "plots" / "noise_sweep.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["noise"], row["level"], row["input"]) for row in rows[:4]] == [
        ("clean", "0.0", "noisy"), ("clean", "0.0", "denoised"),
        ("own", "", "noisy"), ("own", "", "denoised"),
    ]  # fmt: skip
    assert float(rows[-1]["mse"]) == first["mse"]["denoised"]["replace 1"]
    with np.load(tmp_path / "plots" / "noise_sheet.npz") as sheet:
        assert sheet["levels"].tolist() == first["levels"]
        assert sheet["noisy"].shape == (6, 10, 2, 2, 1)
        np.testing.assert_array_equal(sheet["denoised"], sheet["noisy"] / 2)


def test_the_same_level_twice_is_drawn_twice(make_context: Any) -> None:
    results = run(make_context, NoiseSweep((Mask(0.5), Mask(0.5))), make_split(CLEAN, LABELS))
    assert results["levels"] == ["clean", "mask 0.5", "mask 0.5 (2)"]
    assert len(set(results["mse"]["noisy"].values())) == 3


def test_a_mixture_has_no_level(make_context: Any, tmp_path: Path) -> None:
    results = run(make_context, NoiseSweep((Mixed(NOISES), Mask(0.5))), make_split(CLEAN, LABELS))
    assert results["levels"] == ["clean", "mixed", "mask 0.5"]
    rows = (tmp_path / "plots" / "noise_sweep.csv").read_text(encoding="utf-8").splitlines()
    assert rows[3].startswith("mixed,,noisy,")


def test_without_classes_and_images_only_distances_are_given(
    make_context: Any, tmp_path: Path
) -> None:
    results = run(make_context, NoiseSweep(), make_split(CLEAN), data=make_info((4,), kind="none"))
    assert "accuracy" not in results and "not images" in results["notes"][0]
    assert [path.name for path in tmp_path.glob("plots/*")] == ["noise_sweep.csv"]


def test_it_needs_a_noise() -> None:
    with pytest.raises(SettingError, match="name a noise"):
        NoiseSweep(())
