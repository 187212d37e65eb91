"""Drawing the plots of a run folder; missing and damaged data files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

from ldl.errors import RunFolderError
from ldl.evaluate.result_files import write_arrays, write_contingency, write_table
from ldl.plots import draw, run_name, subtitle

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
    more_evaluations(run, images, names)
    return run


def more_evaluations(run: Path, images: Any, names: Any) -> None:
    """The files of evaluations that compare methods, train again or read hidden values."""
    plots, plane = run / "plots", {"points": rng.random((3, 2)), "labels": np.arange(3) % 2}
    plane |= {"place": np.array("code"), "names": np.array(["a", "b"])}
    counts = np.array([[1, 2], [3, 0]])
    more: dict[str, Any] = {"columns": ["a", "b"], "corner": "cluster\\true"}
    write_contingency(run / "contingency" / "clustering-2.csv", counts, ["c1", "c2"], **more)
    write_arrays(plots / "clusters.npz", **plane, clusters=np.arange(3), centres=np.eye(3, 2))
    write_arrays(plots / "cluster_centres.npz", images=images, names=names, sizes=np.arange(3))
    rebuilt = {"original": images, "reconstruction": images, "pca": images, "code": images[..., 0]}
    write_arrays(plots / "compression.npz", **rebuilt, error=images[..., 0], labels=names)
    parts = {"part": np.zeros(3, int), "parts": np.array(["training"])}
    write_arrays(plots / "tsne.npz", **plane, **parts)
    write_arrays(plots / "pca-train.npz", **plane, **parts)
    header = ["noise", "level", "input", "mse", "kl_divergence", "accuracy"]
    rows = [["mask", 0.5, side, 1, 2, 3] for side in ("noisy", "denoised")]
    write_table(plots / "noise_sweep.csv", header, rows)
    both = {"noisy": images[None], "denoised": images[None]}
    write_arrays(plots / "noise_sheet.npz", levels=np.array(["mask 0.5"]), labels=names, **both)
    header = ["model", "C", "training", "validation", "test (judged)", "chosen"]
    write_table(plots / "baselines.csv", header, [["rbf_svm", 1, 0.9, 0.8, 0.7, 1]])
    write_arrays(
        plots / "baseline_regions.npz",
        **{key: value for key, value in plane.items() if key != "place"},
        x=np.arange(3.0),
        y=np.arange(2.0),
        classes=np.zeros((1, 2, 3), int),
        predicted=np.zeros((1, 3), int),
        models=np.array(["rbf_svm"]),
        features=np.array(["u", "v"]),
    )
    rows = [[1, 5, 0.5], [2, 5, 0.7], ["mean", "", 0.6], ["sd", "", 0.1]]
    write_table(plots / "folds-validation.csv", ["fold", "samples", "accuracy"], rows)
    write_arrays(plots / "filters.npz", filters=images, layer=np.array("linear1"))
    values = {"values": images[..., 0, 0], "labels": names, "place": np.array("tanh1")}
    write_arrays(plots / "activations-train-2.npz", **values)


def test_every_file_becomes_a_png_beside_it(folder: Path) -> None:
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
        "contingency/clustering-2.png",
        "plots/clusters.png",
        "plots/cluster_centres.png",
        "plots/compression.png",
        "plots/tsne.png",
        "plots/pca-train.png",
        "plots/noise_sweep.png",
        "plots/noise_sheet.png",
        "plots/baselines.png",
        "plots/baseline_regions.png",
        "plots/folds-validation.png",
        "plots/filters.png",
        "plots/activations-train-2.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert not list(folder.rglob("*.tmp"))


def test_drawing_twice_gives_the_same_bytes_and_keeps_rc_params(folder: Path) -> None:
    before = dict(mpl.rcParams)
    first = {path: path.read_bytes() for path in draw(folder)}
    assert {path: path.read_bytes() for path in draw(folder)} == first
    assert dict(mpl.rcParams) == before


def test_missing_files_are_skipped(tmp_path: Path) -> None:
    assert draw(tmp_path) == []
    (tmp_path / "metrics.csv").write_text("epoch,train_loss\n", encoding="utf-8")
    assert draw(tmp_path) == []


def test_damaged_files_are_named_after_all_others_are_drawn(folder: Path) -> None:
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


def test_a_plot_whose_data_is_empty_is_deleted(folder: Path) -> None:
    draw(folder)
    empty = np.zeros((0, 4, 4, 1))
    write_arrays(folder / "plots" / "mistakes.npz", images=empty)
    draw(folder)
    assert not (folder / "plots" / "mistakes.png").exists()


@pytest.mark.parametrize(
    ("kind", "ending", "expected"),
    [
        ("activations", "", "run · test split"),
        ("activations", "2", "run · test split · no. 2"),
        ("activations", "train-2", "run · train split · no. 2"),
        ("clustering", "validation", "run · validation split"),
        ("folds", "validation", "run"),
        ("filters", "2", "run · no. 2"),
    ],
)
def test_a_subtitle_names_the_split_and_the_number(kind: str, ending: str, expected: str) -> None:
    assert subtitle("run", kind, ending) == expected


@pytest.mark.parametrize(
    ("folder_name", "name"),
    [
        ("20261120T091502Z-denoise-3f9a1c", "denoise"),
        ("20261120T091502Z-two-words-3f9a1c-2", "two-words"),
        ("example", "example"),
    ],
)
def test_the_run_name_of_a_folder(folder_name: str, name: str) -> None:
    assert run_name(Path("runs") / folder_name) == name


def test_matplotlib_is_imported_when_drawing_and_pyplot_never(folder: Path) -> None:
    code = (
        "import sys, pathlib; from ldl.plots import draw; assert 'matplotlib' not in sys.modules;"
        "draw(pathlib.Path(sys.argv[1])); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
