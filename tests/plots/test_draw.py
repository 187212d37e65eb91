"""Drawing a run folder: what is there is drawn, what is missing is not, what is broken is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from ldl.errors import RunFolderError
from ldl.evaluate.files import write_arrays, write_contingency, write_table
from ldl.plots import draw, run_name

rng = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run folder with every file that can be drawn."""
    run = tmp_path / "20261120T091502Z-denoise-3f9a1c"
    header = ["epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy",
              "learning_rate", "gradient_norm", "seconds"]  # fmt: skip
    rows = [[epoch, 1 / epoch, 2 / epoch, 0.5, "", 0.1, epoch, 0.01] for epoch in range(1, 6)]
    write_table(run / "metrics.csv", header, rows)
    for name in ("original", "noisy", "denoised", "classification-train"):
        write_contingency(run / "contingency" / f"{name}.csv", np.eye(2, dtype=int), ["a", "b"])
    images, plots = rng.random((3, 4, 4, 1)), run / "plots"
    sheet = {"original": images, "error": images[..., 0], "labels": np.array(["a", "b", "b"])}
    write_arrays(plots / "reconstruction.npz", **sheet, reconstruction=images)
    write_arrays(plots / "denoising.npz", **sheet, noisy=images, denoised=images)
    names = np.array(["a", "b", "b"])
    write_arrays(
        plots / "mistakes.npz", images=images, true=names, predicted=names, confidence=rng.random(3)
    )
    write_table(plots / "fit.csv", ["target", "x", "true", "predicted"], [["y", 1, 2, 3]])
    write_arrays(
        plots / "decision_regions.npz",
        x=np.arange(3.0),
        y=np.arange(2.0),
        classes=np.zeros((2, 3), int),
        confidence=np.ones((2, 3)),
        points=np.zeros((1, 2)),
        labels=np.zeros(1, int),
        names=np.array(["a"]),
        features=np.array(["u", "v"]),
    )
    write_table(plots / "mistakes-train.csv", ["sample"], [])
    return run


def test_every_file_becomes_a_picture_beside_it(folder: Path) -> None:
    drawn = draw(folder)
    assert {path.relative_to(folder).as_posix() for path in drawn} == {
        "plots/loss.png",
        "plots/metrics.png",
        "plots/optimizer.png",
        "plots/reconstruction.png",
        "plots/denoising.png",
        "plots/mistakes.png",
        "plots/fit.png",
        "plots/decision_regions.png",
        "contingency/original.png",
        "contingency/noisy.png",
        "contingency/denoised.png",
        "contingency/classification-train.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert not list(folder.rglob("*.tmp"))


def test_drawing_twice_gives_the_same_pictures_and_leaves_the_settings_alone(folder: Path) -> None:
    before = dict(mpl.rcParams)
    first = {path: path.read_bytes() for path in draw(folder)}
    assert {path: path.read_bytes() for path in draw(folder)} == first
    assert dict(mpl.rcParams) == before


def test_what_is_missing_is_passed_over(tmp_path: Path) -> None:
    assert draw(tmp_path) == []
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n", encoding="utf-8")
    assert draw(tmp_path) == []


def test_what_cannot_be_read_is_named_after_the_rest_is_drawn(folder: Path) -> None:
    broken = folder / "plots" / "mistakes.npz"
    broken.write_bytes(broken.read_bytes()[:200])
    (folder / "contingency" / "noisy.csv").write_text("", encoding="utf-8")
    (folder / "metrics.csv").write_text("epoch,train_loss\nx,y\n", encoding="utf-8")
    with pytest.raises(RunFolderError) as raised:
        draw(folder)
    for name in ("plots/mistakes.npz", "contingency/noisy.csv", "metrics.csv"):
        assert str(raised.value).count(f"{name} cannot be drawn") == 1
    assert (folder / "plots" / "reconstruction.png").exists()
    assert (folder / "contingency" / "original.png").exists()


def test_a_picture_without_data_any_more_goes(folder: Path) -> None:
    draw(folder)
    empty = np.zeros((0, 4, 4, 1))
    write_arrays(folder / "plots" / "mistakes.npz", images=empty)
    draw(folder)
    assert not (folder / "plots" / "mistakes.png").exists()


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("20261120T091502Z-denoise-3f9a1c", "denoise"),
        ("20261120T091502Z-two-words-3f9a1c-2", "two-words"),
        ("mine", "mine"),
    ],
)
def test_a_run_is_called_what_its_folder_says(called: str, name: str) -> None:
    assert run_name(Path("runs") / called) == name


def test_matplotlib_waits_until_something_is_drawn_and_pyplot_for_ever(folder: Path) -> None:
    code = (
        "import sys, pathlib; from ldl.plots import draw; assert 'matplotlib' not in sys.modules;"
        "draw(pathlib.Path(sys.argv[1])); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
