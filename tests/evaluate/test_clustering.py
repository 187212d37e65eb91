"""Clusters that are easy to see, counted by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from ldl.data.data_spec import SplitSpec
from ldl.data.dataset import Split
from ldl.errors import DataError
from ldl.evaluate.clustering import Clustering, _by_majority_class
from ldl.evaluate.context import NetworkInfo

from .conftest import make_info, make_split

# Three clusters; of the evaluated samples, the one at (0, 9) is a b among c's.
TRAIN = make_split([[0, 0], [0, 1], [9, 0], [9, 1], [0, 9], [0, 10]], [0, 0, 1, 1, 2, 2])
TEST = make_split([[0, 0.5], [9, 0.5], [9, 0.5], [0, 9], [0, 10]], [0, 1, 1, 1, 2])
DATA = make_info((2,), ("a", "b", "c"))
CODE = NetworkInfo({"x": (2,), "code": (2,)})


def run(
    make_context: Any, evaluation: Clustering, test: Split = TEST, **more: Any
) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "train": TRAIN,
        "network": CODE,
        "node_values": lambda name, inputs: inputs["x"],
    }
    results: dict[str, Any] = evaluation.run(
        make_context("reconstruction", more.pop("data", DATA), test, **(settings | more))
    )
    return results


def test_purities_and_contingency_matrix(make_context: Any, tmp_path: Path) -> None:
    results = run(make_context, Clustering())
    assert (results["k"], results["place"], results["samples"]) == (3, "code", 5)
    assert results["purity"] == 4 / 5
    assert results["median_purity"] == 1.0
    assert {n: c["purity"] for n, c in results["classes"].items()} == {"a": 1, "b": 0.75, "c": None}
    text = (tmp_path / "contingency" / "clustering.csv").read_text(encoding="utf-8")
    rows = text.splitlines()
    assert rows[0] == "cluster\\true,a,b,c" and rows[1] == "c1,1,0,0"
    expected = silhouette_score(TEST.inputs["x"], [0, 1, 1, 2, 2])
    assert results["silhouette"] == pytest.approx(expected)
    # Squared distances from centres that are half a unit away from the training samples.
    assert results["inertia"] == pytest.approx((0 + 0 + 0 + 0.25 + 0.25) / 5)


def test_clusters_are_ordered_by_their_classes(make_context: Any, tmp_path: Path) -> None:
    run(make_context, Clustering(n_init=3), make_split(TRAIN.inputs["x"], TRAIN.targets))
    text = (tmp_path / "contingency" / "clustering.csv").read_text(encoding="utf-8")
    assert text == "cluster\\true,a,b,c\nc1,2,0,0\nc2,0,2,0\nc3,0,0,2\n"
    with np.load(tmp_path / "plots" / "clusters.npz") as plane:
        np.testing.assert_array_equal(plane["clusters"], plane["labels"])
        np.testing.assert_allclose(plane["centres"], [[0, 0.5], [9, 0.5], [0, 9.5]])


def test_a_cluster_without_an_evaluated_sample_has_no_purity(make_context: Any) -> None:
    results = run(make_context, Clustering(), make_split([[0, 0], [9, 0]], [0, 1]))
    clusters = list(results["clusters"].values())
    assert [c["samples"] for c in clusters] == [1, 1, 0]
    assert clusters[-1] == {"class": None, "purity": None, "samples": 0}
    assert results["purity"] == 1.0


def test_data_without_classes_needs_k_and_gives_the_inertia_only(make_context: Any) -> None:
    data = make_info((2,), kind="none")
    results = run(make_context, Clustering(k=3), make_split(TEST.inputs["x"]), data=data)
    assert results["k"] == 3 and "purity" not in results and results["inertia"] > 0


def test_centres_are_decoded_for_images(make_context: Any, tmp_path: Path) -> None:
    data = make_info((2,), ("a", "b", "c"), image=(1, 2, 1))
    run(make_context, Clustering(), data=data, decoder=lambda name: lambda z: 2 * z)
    with np.load(tmp_path / "plots" / "cluster_centres.npz") as centres:
        np.testing.assert_allclose(centres["images"][0].ravel(), [0, 1])
        assert centres["names"][0] == "a" and centres["sizes"].sum() == 5


def test_more_clusters_than_samples_are_refused(make_context: Any) -> None:
    with pytest.raises(DataError, match="7 clusters of 6 training samples"):
        run(make_context, Clustering(k=7))


def test_equal_points_are_noted(make_context: Any) -> None:
    split = make_split(np.zeros((6, 2)), [0, 0, 1, 1, 2, 2])
    results = run(make_context, Clustering(), split, train=split)
    assert "distinct clusters" in results["notes"][0] and results["purity"] == pytest.approx(1 / 3)


def test_each_cluster_needs_a_training_sample() -> None:
    data = replace(DATA, samples=10)
    split = SplitSpec(train=0.6, validation=0.2, test=0.2)
    assert Clustering(k=6).size_problem(data, split) is None
    assert Clustering().size_problem(data, split) is None
    assert Clustering(k=7).size_problem(data, split) == (
        "clustering: 7 clusters of 6 training samples"
    )
    few = replace(data, samples=4)
    assert Clustering().size_problem(few, split) == "clustering: 3 clusters of 2 training samples"


def test_values_beyond_the_plane_are_not_drawn(make_context: Any, tmp_path: Path) -> None:
    split = make_split(np.eye(6, 3), [0, 0, 1, 1, 2, 2])
    run(make_context, Clustering(k=2), split, train=split, data=make_info((3,), ("a", "b", "c")))
    assert not (tmp_path / "plots").exists()


def test_clusters_of_one_class_are_ordered_by_its_samples() -> None:
    counts = np.array([[0, 3], [0, 0], [1, 4], [2, 2], [5, 0]])
    order, majority = _by_majority_class(counts, ("a", "b"))
    assert order.tolist() == [4, 3, 2, 0, 1] and majority.tolist() == ["a", "a", "b", "b", ""]
