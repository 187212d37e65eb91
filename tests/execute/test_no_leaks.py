"""Nothing that is fitted depends on the test split: other test samples move no fitted number.

Each experiment runs twice, the second time with other inputs and labels in the rows of the test
split. The table names every evaluation of the registry, so that a new one has to be added.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from ldl.config.emit import flow
from ldl.data import SplitSpec
from ldl.data.dataset import DatasetInfo, RawDataset, Target
from ldl.data.split import split_indices
from ldl.evaluate import EVALUATIONS
from ldl.execute import prepare, train
from ldl.grid.grid_plan import GridOptions
from ldl.grid.grid_results import write_results
from ldl.grid.planning import read_grid
from ldl.grid.run import run_grid
from ldl.grid.trial_store import open_grid_folder
from ldl.runs import RunFolder, read_json, read_metrics

SAMPLES = 160
COMMON = """\
seed: 2
train: {epochs: 6, batch_size: 16, early_stopping: {patience: 1}}
schedule: {plateau: {patience: 1}}
"""
CLASSIFIER = """\
data: {{source: {{npz: {{path: data.npz}}}}, scale: {scale}, shape: image, noise: {{replace: 0.1}},
       fresh_noise: true, split: {{stratify: false}}}}
network: [flatten, {{linear: 2, as: code}}, tanh, linear]
"""
AUTOENCODER = """\
data: {source: {npz: {path: data.npz}}, scale: minmax, shape: image, noise: {replace: 0.1},
       split: {stratify: false}}
network: {encoder: [flatten, {linear: 2}, sigmoid], decoder: mirror}
"""
REGRESSION = """\
data: {source: {npz: {path: values.npz}}, scale: standard, scale_targets: minmax,
       split: {stratify: false}}
network: [{linear: 4}, tanh, linear]
"""
TABLE = {  # configuration, evaluations with their settings; all of them read a split
    "zca": (
        CLASSIFIER.format(scale="zca"),
        {"classification": {}, "baselines": {"C": [0.1, 10.0]}},
    ),
    "standard": (
        CLASSIFIER.format(scale="{standard: feature}"),
        {
            "clustering": {"k": 4},
            "latent_classifier": {"epochs": 2},
            "embedding": {"samples": 30},
            "folds": {"k": 2},
            "ablation": {},
        },
    ),
    "autoencoder": (
        AUTOENCODER,
        {
            "reconstruction": {},
            "denoising": {"epochs": 2},
            "noise_sweep": {"epochs": 2, "noises": [{"replace": 0.2}]},
            "compression": {},
            "baselines": {},
            "clustering": {},
            "activations": {},
        },
    ),
    "regression": (REGRESSION, {"regression": {}, "decision_regions": {"resolution": 9}}),
}
TRAINING_FILES = ("model.safetensors", "scaler.safetensors", "data.json")


def write_data(folder: Path, rewritten: bool) -> None:
    """data.npz: images of three classes; values.npz: two inputs and a value. Larger in the test."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, SAMPLES)
    images = rng.normal(labels[:, None, None, None], 1.0, (SAMPLES, 4, 4, 1))
    points, values = images[:, 0, :2, 0], images.mean(axis=(1, 2))
    info = DatasetInfo({"x": (1,)}, Target("none"), None, SAMPLES)
    rows = split_indices(SplitSpec(), RawDataset(info, {}, None))["test"]
    if rewritten:
        images[rows] = rng.normal(50.0, 100.0, (len(rows), 4, 4, 1))
        points[rows], values[rows] = 1000.0 * rng.random((len(rows), 2)), -500.0
        labels[rows] = (labels[rows] + 1) % 3
    np.savez(folder / "data.npz", x=images.astype(np.float32), y=labels)
    np.savez(folder / "values.npz", x=points.astype(np.float32), y=values)


def run_twice(tmp_path: Path, text: str) -> list[RunFolder]:
    """The run of a configuration, and that with other test samples."""
    runs = []
    for rewritten in (False, True):
        folder = tmp_path / ("rewritten" if rewritten else "original")
        folder.mkdir()
        write_data(folder, rewritten)
        file = folder / "experiment.yaml"
        file.write_text(text)
        runs.append(train(prepare(file), folder / "runs"))
    return runs


def evaluate_section(evaluations: dict[str, dict[str, Any]]) -> str:
    """The evaluations on every split."""
    items = [
        flow({name: {**settings, "split": split}})
        for split in ("train", "validation", "test")
        for name, settings in evaluations.items()
    ]
    return f"evaluate: [{', '.join(items)}]\n"


def fitted(results: dict[str, Any]) -> dict[str, Any]:
    """What evaluations on the test split have fitted to other splits."""
    models = results.get("baselines", {}).get("models", {})
    return {
        "C": {name: (model["C"], model["chosen_by"]) for name, model in models.items()},
        "principal components": [
            results.get("baselines", {}).get("variance"),
            results.get("compression", {}).get("pca"),
            results.get("embedding", {}).get("pca", {}).get("variance"),
        ],
        "latent classifier": results.get("latent_classifier", {}).get("train_accuracy"),
    }


def test_the_table_has_every_evaluation_of_a_split() -> None:
    names = {name for _, evaluations in TABLE.values() for name in evaluations}
    assert names == {
        name for name, cls in EVALUATIONS.items() if "split" in {f.name for f in fields(cls)}
    }


@pytest.mark.parametrize("name", TABLE)
def test_other_test_samples_move_no_fitted_number(name: str, tmp_path: Path) -> None:
    """Scalers, noise, weights, epochs, rates; all results and files of the other splits."""
    text, evaluations = TABLE[name]
    one, other = run_twice(tmp_path, COMMON + text + evaluate_section(evaluations))
    for file in TRAINING_FILES:
        if (one.path / file).exists():
            assert (one.path / file).read_bytes() == (other.path / file).read_bytes(), file
    rows, other_rows = (read_metrics(run.metrics) for run in (one, other))
    assert [{**row, "seconds": 0} for row in rows] == [{**row, "seconds": 0} for row in other_rows]
    assert one.read_status().best == other.read_status().best
    assert one.read_status().reason == other.read_status().reason
    results, others = (read_json(run.results) for run in (one, other))
    test = {key for key in results if not key.endswith(("-train", "-validation"))}
    assert {key: results[key] for key in results.keys() - test} == {
        key: others[key] for key in others.keys() - test
    }
    assert len(test) == len(evaluations) and all(results[key] != others[key] for key in test)
    assert fitted(results) == fitted(others)
    for folder in (one.plots, one.contingency):
        for path in sorted([*folder.glob("*-train.*"), *folder.glob("*-validation.*")]):
            if path.suffix in (".npz", ".csv"):
                same = other.path / path.relative_to(one.path)
                assert path.read_bytes() == same.read_bytes(), path.name


def test_clusters_are_fitted_to_the_training_split(tmp_path: Path) -> None:
    """The centres that judge the test split stay where they are; only their order may change."""
    text = COMMON + CLASSIFIER.format(scale="minmax") + "evaluate: [{clustering: {k: 4}}]\n"
    centres = []
    for run in run_twice(tmp_path, text):
        with np.load(run.plots / "clusters.npz") as arrays:
            centres.append(sorted(map(tuple, arrays["centres"].tolist())))
    assert centres[0] == centres[1]


def test_the_choice_of_a_grid_does_not_see_the_test_split(tmp_path: Path) -> None:
    """Objectives, order and winner, for each seed; the trials have the same test samples."""
    block = "grid: {objective: validation.accuracy, seeds: 2, vary: {network.1.linear: [1, 2]}}\n"
    tables = []
    for rewritten in (False, True):
        folder = tmp_path / str(rewritten)
        folder.mkdir()
        write_data(folder, rewritten)
        file = folder / "grid.yaml"
        network = CLASSIFIER.format(scale="minmax").replace(", as: code", "")
        file.write_text(COMMON + network + block)
        plan = read_grid(file).plan()
        grid = open_grid_folder(folder, plan)
        run_grid(plan, grid, GridOptions(jobs=1), MagicMock())
        results, _ = write_results(grid)
        tables.append([(row.number, row.objectives) for row in results.rows])
        digests = {
            read_json(path)["test_samples_sha256"]
            for path in grid.glob("trials/*/environment.json")
        }
        assert len(digests) == 1
    assert tables[0] == tables[1] and len(tables[0]) == 2
