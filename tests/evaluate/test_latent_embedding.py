"""Clusters that are apart stay apart in the plane."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.context import NetworkInfo
from ldl.evaluate.latent_embedding import LatentEmbedding, _agreement

from .conftest import make_info, make_split

DATA = make_info((5,), ("a", "b", "c"))
CODE = NetworkInfo({"x": (5,), "code": (5,), "one": (1,)})
CENTRES = 20 * np.eye(3, 5)


def clusters(count: int, seed: int, mixed: bool = False) -> Any:
    """`count` samples of each class; with `mixed`, b and c form one cluster."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], count)
    centres = CENTRES[np.minimum(labels, 1) if mixed else labels]
    return make_split(rng.normal(size=(3 * count, 5)) + centres, labels)


def run(make_context: Any, evaluation: LatentEmbedding, train: Any, test: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"network": CODE, "node_values": lambda name, inputs: inputs["x"]}
    context = make_context("reconstruction", DATA, test, train=train, **settings)
    results: dict[str, Any] = evaluation.run(context)
    return results


def test_both_embeddings_keep_the_clusters_of_both_splits(
    make_context: Any, tmp_path: Path
) -> None:
    results = run(make_context, LatentEmbedding(perplexity=10), clusters(20, 0), clusters(8, 1))
    assert results["points"] == {"training": 60, "test": 24} and results["samples"] == 24
    for layout in ("tsne", "pca"):
        assert results[layout]["neighbours"] == {"training": 1.0, "test": 1.0}
        assert results[layout]["overlap"] == {"training": None, "test": None}
        with np.load(tmp_path / "plots" / f"{layout}.npz") as plane:
            assert plane["points"].shape == (84, 2) and plane["place"] == "code"
            assert plane["parts"].tolist() == ["training", "test"]
            np.testing.assert_array_equal(plane["part"], np.repeat([0, 1], [60, 24]))
            # Both splits share one plane: a class has the same place in either.
            middles = [
                [plane["points"][(plane["part"] == p) & (plane["labels"] == c)].mean(axis=0)
                 for c in range(3)] for p in (0, 1)
            ]  # fmt: skip
            within = np.linalg.norm(np.subtract(*middles), axis=1).max()
            between = np.linalg.norm(
                np.subtract(middles[0], np.roll(middles[0], 1, axis=0)), axis=1
            )
            assert within < between.min() / 2
    assert 0.9 < results["pca"]["variance"] <= 1.0


def test_overlapping_classes_are_named(make_context: Any) -> None:
    results = run(
        make_context,
        LatentEmbedding(perplexity=10),
        clusters(20, 0, mixed=True),
        clusters(8, 1, True),
    )
    assert results["tsne"]["overlap"]["training"] == ["b", "c"]
    assert 0.4 < results["tsne"]["neighbours"]["training"] < 0.95
    confused = dict(results["tsne"]["confused"]["training"])
    assert confused.pop("mean") == pytest.approx(sum(confused.values()) / 3)
    assert confused["b-c"] == max(confused.values())
    assert sum(confused.values()) == pytest.approx(1 - results["tsne"]["neighbours"]["training"])


def test_results_are_reproducible_and_samples_limited(make_context: Any, tmp_path: Path) -> None:
    evaluation = LatentEmbedding(samples=15, perplexity=5)
    first = run(make_context, evaluation, clusters(20, 0), clusters(8, 1))
    before = (tmp_path / "plots" / "tsne.npz").read_bytes()
    with np.load(tmp_path / "plots" / "tsne.npz") as plane:
        assert np.bincount(plane["labels"][plane["part"] == 0]).tolist() == [5, 5, 5]
    assert first["points"] == {"training": 15, "test": 15}
    assert run(make_context, evaluation, clusters(20, 0), clusters(8, 1)) == first
    assert (tmp_path / "plots" / "tsne.npz").read_bytes() == before


def test_data_without_classes_is_embedded_too(make_context: Any, tmp_path: Path) -> None:
    data = replace(DATA, target=replace(DATA.target, kind="none", names=()))
    split = make_split(np.random.default_rng(0).normal(size=(30, 5)))
    context = make_context(
        "reconstruction", data, split, network=CODE, node_values=lambda n, i: i["x"]
    )
    results = LatentEmbedding(perplexity=500, split="train").run(context)
    assert results["tsne"]["perplexity"] == pytest.approx(29 / 3)
    assert results["points"] == {"training": 30} and "neighbours" not in results["tsne"]
    assert (tmp_path / "plots" / "pca-train.npz").exists()


@pytest.mark.parametrize("x", [np.zeros((9, 5)), np.random.default_rng(0).normal(size=(2, 5))])
def test_too_few_or_equal_points_are_noted(x: Any, make_context: Any) -> None:
    split = make_split(x, [0] * len(x))
    results = LatentEmbedding(split="train").run(
        make_context("reconstruction", DATA, split, network=CODE, node_values=lambda n, i: i["x"])
    )
    assert "there is no embedding" in results["notes"][0] and "tsne" not in results


def test_a_node_with_a_single_value_is_refused() -> None:
    ((setting, reason),) = LatentEmbedding(node="one").network_problems(DATA, CODE)
    assert setting == "node" and "two numbers at least" in reason
    two = NetworkInfo({"x": (5,), "two": (1, 2)}, task="reconstruction")
    assert LatentEmbedding(node="two").network_problems(DATA, two) == []


@pytest.mark.parametrize(
    ("train", "test", "embedded"), [(2, 2, True), (2, 1, False), (1, 5, False)]
)
def test_four_points_are_enough_two_of_them_for_training(
    train: int, test: int, embedded: bool, make_context: Any
) -> None:
    points = np.random.default_rng(0).normal(size=(7, 5))
    splits = make_split(points[:train], [0] * train), make_split(points[-test:], [1] * test)
    results = run(make_context, LatentEmbedding(), *splits)
    assert ("tsne" in results) == embedded
    assert results["samples"] == (test if embedded else train + test)


def test_neighbours_are_the_five_nearest_other_points() -> None:
    """By a loop over all pairs; of many classes the 45 most confused pairs are named."""
    rng = np.random.default_rng(0)
    y, classes = rng.normal(size=(60, 2)), np.arange(60) % 11
    names = tuple("abcdefghijk")
    share, overlap, confused = _agreement(y, classes, names)
    distances = np.linalg.norm(y[:, None] - y, axis=2) + np.diag(np.full(60, np.inf))
    nearest = np.argsort(distances, axis=1)[:, :5]
    winners = np.array([np.bincount(classes[row], minlength=11).argmax() for row in nearest])
    assert share == pytest.approx(float(np.mean(winners == classes)))
    pairs = Counter(
        "-".join(sorted((names[a], names[b]))) for a, b in zip(classes, winners, strict=True)
    )
    shares = {pair: pairs[pair] / 60 for pair in map("-".join, combinations(names, 2))}
    assert confused is not None and len(confused) == 46
    assert confused.pop("mean") == pytest.approx(sum(shares.values()) / 55)
    assert list(confused.values()) == sorted(shares.values(), reverse=True)[:45]
    assert overlap is not None and shares["-".join(overlap)] == max(shares.values())
    assert confused == {pair: pytest.approx(shares[pair]) for pair in confused}


def test_equal_points_are_neighbours_of_each_other_and_not_of_themselves() -> None:
    classes = np.array([0, 1, 1, 1, 1, 1, 1, 1])
    share, overlap, _ = _agreement(np.zeros((8, 2)), classes, ("a", "b"))
    assert (share, overlap) == (7 / 8, ["a", "b"])
    assert _agreement(np.zeros((1, 2)), classes[:1], ("a", "b")) == (None, None, None)
    share, overlap, _ = _agreement(np.eye(2), classes[1:3], ("a", "b"))
    assert (share, overlap) == (1.0, None)
