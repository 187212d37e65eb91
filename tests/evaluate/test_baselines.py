"""Baselines on data with known answers; C is never chosen on the evaluated split."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.svm import SVC

from ldl.data.scalers import AffineScaler, InputScalers
from ldl.errors import DataError, SettingError
from ldl.evaluate import baselines
from ldl.evaluate.baselines import Baselines
from ldl.evaluate.context import NetworkInfo

from .conftest import make_info, make_split

DATA = make_info((2,), ("outer", "inner"))


def rings(count: int, seed: int) -> Any:
    """Points within and around the unit circle, with a gap between."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    angle = rng.uniform(0, 2 * np.pi, count)
    radius = np.where(labels == 1, rng.uniform(0, 0.8, count), rng.uniform(1.2, 2, count))
    return make_split(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), labels)


def predict_inner(x: Any) -> Any:
    """Probabilities of a network that always predicts `inner`."""
    return np.tile([0.25, 0.75], (len(x), 1))


def run(make_context: Any, evaluation: Baselines, **parts: Any) -> dict[str, Any]:
    context = make_context(
        "classification", DATA, parts.pop("test"), probabilities=predict_inner, **parts
    )
    results: dict[str, Any] = evaluation.run(context)
    return results


def test_a_ring_needs_the_kernel(make_context: Any, tmp_path: Path) -> None:
    train, validation, test = rings(120, 0), rings(40, 1), rings(60, 2)
    results = run(make_context, Baselines(), train=train, validation=validation, test=test)
    accuracy = results["accuracy"]
    assert accuracy["rbf_svm"] == 1.0 and accuracy["network"] == 0.5
    assert accuracy["linear_svm"] < 0.75 and accuracy["logistic_regression"] < 0.75
    assert accuracy["majority"] == 0.5 and results["chosen_on"] == "validation"
    with (tmp_path / "plots" / "baselines.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1 + 3 * 5 and rows[0]["test (judged)"] == "0.5"
    for row in rows[1:]:
        if row["model"] == "rbf_svm":
            model = SVC(C=float(row["C"])).fit(train.inputs["x"], train.targets)
            for column, of in (("training", train), ("validation", validation)):
                assert float(row[column]) == model.score(of.inputs["x"], of.targets)
            by_c = results["models"]["rbf_svm"]["accuracies"]
            assert float(row["test (judged)"]) == by_c[f"{float(row['C']):g}"]
    with np.load(tmp_path / "plots" / "baseline_regions.npz") as plane:
        kernel = plane["models"].tolist().index("rbf_svm")
        x, y = np.meshgrid(plane["x"], plane["y"])
        inside = np.hypot(x, y) < 0.6
        assert (plane["classes"][kernel][inside] == 1).all()
        np.testing.assert_array_equal(plane["predicted"][kernel], test.targets)


def test_c_is_chosen_on_the_validation_split_whatever_the_evaluated_one_holds(
    make_context: Any,
) -> None:
    """Flipping the evaluated split's labels does not change the choice."""
    train, validation, test = rings(120, 0), rings(40, 1), rings(60, 2)
    first = run(make_context, Baselines(), train=train, validation=validation, test=test)
    flipped = make_split(test.inputs["x"], 1 - test.targets)
    second = run(make_context, Baselines(), train=train, validation=validation, test=flipped)
    for model in first["models"]:
        assert first["models"][model]["C"] == second["models"][model]["C"]
        assert first["accuracy"][model] == pytest.approx(1 - second["accuracy"][model])


@pytest.mark.parametrize(
    "evaluation", [Baselines((0.1, 9.0)), Baselines((9.0,), split="validation")]
)
def test_c_is_otherwise_chosen_by_cross_validation_on_the_training_split(
    evaluation: Baselines, make_context: Any
) -> None:
    validation = rings(40, 1) if evaluation.split == "validation" else None
    splits = {"train": rings(100, 0), "validation": validation, "test": rings(20, 2)}
    results = run(make_context, evaluation, **splits)
    assert results["chosen_on"] == "cross-validation" and results["part"] == evaluation.split
    assert results["accuracy"]["rbf_svm"] == 1.0
    assert run(make_context, evaluation, **splits) == results


def test_the_smallest_of_equally_good_values_is_chosen(make_context: Any) -> None:
    split = make_split([[-5, 0], [-4, 0], [4, 0], [5, 0]] * 5, [0, 0, 1, 1] * 5)
    results = run(make_context, Baselines((10.0, 1.0)), train=split, validation=split, test=split)
    assert {model["C"] for model in results["models"].values()} == {1.0}


def test_large_training_splits_are_subsampled_by_class_with_a_note(make_context: Any) -> None:
    results = run(
        make_context, Baselines((1.0,), samples=30), train=rings(100, 0), test=rings(20, 1)
    )
    assert results["training_samples"] == 30 and "30 of 100" in results["notes"][0]


def test_a_class_of_one_sample_is_accepted(make_context: Any) -> None:
    x = np.random.default_rng(0).normal(size=(12, 2))
    split = make_split(x, [0, 1] * 5 + [0, 2])
    data = make_info((2,), ("a", "b", "c"))
    context = make_context(
        "classification", data, split, probabilities=lambda x: np.tile([0.5, 0.3, 0.2], (len(x), 1))
    )
    assert set(Baselines((1.0,)).run(context)["accuracy"]) > {"linear_svm", "rbf_svm"}


def test_a_rare_class_is_kept(make_context: Any) -> None:
    """It is among the training samples; folds that lack a class do not count."""
    train = rings(60, 0)
    assert train.targets is not None
    train.targets[:] = 0
    train.targets[7] = 1
    few = Baselines(samples=20, models=("logistic_regression",))
    test = rings(60, 2)
    test.targets[:30] = 0
    results = run(make_context, few, train=train, test=test)
    assert results["accuracy"]["majority"] == 0.75
    model = results["models"]["logistic_regression"]
    assert results["training_samples"] == 21 and model["chosen_by"] is not None
    train.targets[:] = 0
    with pytest.raises(DataError, match="a single class"):
        run(make_context, few, train=train, test=rings(60, 2))


def test_images_have_no_decision_regions(make_context: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = make_info((3, 3, 1), ("outer", "inner"), image=(3, 3, 1))
    split = make_split(rng.random((20, 3, 3, 1)), [0, 1] * 10)
    context = make_context("classification", data, split, probabilities=predict_inner)
    Baselines((1.0,), models=("linear_svm",)).run(context)
    assert [path.name for path in tmp_path.glob("plots/*")] == ["baselines.csv"]


def test_an_autoencoder_is_compared_with_principal_components(make_context: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((30, 1)) * np.array([[1.0, 0.5, 0.2]])
    context = make_context(
        "reconstruction",
        make_info((3,), kind="none"),
        make_split(x),
        network=NetworkInfo({"x": (3,), "code": (1,)}),
        predict=lambda inputs: inputs["x"] / 2,
    )
    results = Baselines().run(context)
    assert results["components"] == 1 and results["variance"] == pytest.approx(1.0)
    assert results["mse"]["network"] == pytest.approx(float(np.mean((x / 2) ** 2)), rel=1e-5)
    assert results["mse"]["pca"] < 1e-9


def test_only_an_autoencoder_needs_the_node() -> None:
    assert Baselines().network_problems(DATA, NetworkInfo({"x": (2,)})) == []
    lacking = NetworkInfo({"x": (2,)}, task="reconstruction")
    ((setting, reason),) = Baselines().network_problems(DATA, lacking)
    assert setting == "node" and "no value is named code" in reason
    assert Baselines(node="x").network_problems(DATA, lacking) == []


@pytest.mark.parametrize(("settings", "reason"), [({"C": ()}, "C: "), ({"models": ()}, "models: ")])
def test_empty_lists_are_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(SettingError, match=reason):
        Baselines(**settings)


def test_classes_are_predicted_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "PREDICTION_BATCH", 3)
    sizes: list[int] = []

    class Model:
        def predict(self, x: Any) -> Any:
            sizes.append(len(x))
            return x[:, 0]

    x = np.arange(16).reshape(8, 2)
    np.testing.assert_array_equal(baselines._predict_classes(Model(), x), x[:, 0])
    assert sizes == [3, 3, 2]


@pytest.mark.parametrize(
    ("counts", "folds"), [((8, 8), 5), ((12, 3), 3), ((13, 2), 2), ((14, 1), 4), ((3, 1), 3)]
)
def test_folds_for_the_choice_of_c(counts: tuple[int, int], folds: int) -> None:
    """Five, fewer for a rare class; one with a single class in its training part is left out."""
    fits: list[int] = []

    class Model(DummyClassifier):
        def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Any:
            fits.append(len(x))
            return super().fit(x, y, sample_weight)

    classes = np.repeat([0, 1], counts)
    share = baselines._cross_validated(Model(), np.zeros((len(classes), 2)), classes, 0)
    assert len(fits) == folds and 0 < share <= 1


def test_the_kernel_is_that_of_scikit_learn() -> None:
    x = np.random.default_rng(0).normal(size=(6, 3))
    expected = np.exp(-np.square(x[:2, None] - x).sum(axis=2) / (3 * x.var()))
    np.testing.assert_allclose(baselines._rbf_kernel(x[:2], x), expected)
    ones = np.ones((2, 3))
    np.testing.assert_allclose(baselines._rbf_kernel(ones * 1.5, ones), np.exp(-0.75))


def test_regions_are_in_the_units_of_the_source(make_context: Any, tmp_path: Path) -> None:
    split = rings(40, 0)
    data = replace(DATA, features=("east", "north"))
    context = make_context("classification", data, split, probabilities=predict_inner)
    context.dataset.scaler = InputScalers({"x": AffineScaler(np.array([5.0, 7.0]), np.ones(2) / 2)})
    results = Baselines((1.0,), samples=40, models=("linear_svm",)).run(context)
    assert "notes" not in results or not any("models see" in note for note in results["notes"])
    x = context.dataset.to_source_units("x", split.inputs["x"])
    with np.load(tmp_path / "plots" / "baseline_regions.npz") as plane:
        assert plane["classes"].shape == (1, 150, 150) and plane["predicted"].shape == (1, 40)
        np.testing.assert_array_equal(plane["points"], x)
        for axis, name in enumerate("xy"):
            low, high = x[:, axis].min(), x[:, axis].max()
            margin = 0.08 * (high - low)
            assert plane[name][[0, -1]] == pytest.approx([low - margin, high + margin], rel=1e-5)
        assert plane["features"].tolist() == ["east", "north"]
