"""Heaps that lie apart stay apart in the plane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ldl.evaluate.context import NetworkInfo
from ldl.evaluate.latent_embedding import LatentEmbedding

from .conftest import info, part

DATA = info((5,), ("a", "b", "c"))
CODE = NetworkInfo({"x": (5,), "code": (5,), "one": (1,)})
CENTRES = 20 * np.eye(3, 5)


def heaps(count: int, seed: int, mixed: bool = False) -> Any:
    """`count` samples of each class; `mixed`, b and c lie in one heap."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1, 2], count)
    centres = CENTRES[np.minimum(labels, 1) if mixed else labels]
    return part(rng.normal(size=(3 * count, 5)) + centres, labels)


def run(context: Any, evaluation: LatentEmbedding, train: Any, test: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"network": CODE, "node_values": lambda name, inputs: inputs["x"]}
    given = context("reconstruction", DATA, test, train=train, **settings)
    results: dict[str, Any] = evaluation.run(given)
    return results


def test_both_layouts_keep_the_heaps_of_both_parts(context: Any, tmp_path: Path) -> None:
    results = run(context, LatentEmbedding(perplexity=10), heaps(20, 0), heaps(8, 1))
    assert results["points"] == {"training": 60, "test": 24} and results["samples"] == 24
    for layout in ("tsne", "pca"):
        assert results[layout]["neighbours"] == {"training": 1.0, "test": 1.0}
        assert results[layout]["overlap"] == {"training": None, "test": None}
        with np.load(tmp_path / "plots" / f"{layout}.npz") as plane:
            assert plane["points"].shape == (84, 2) and plane["place"] == "code"
            assert plane["parts"].tolist() == ["training", "test"]
            np.testing.assert_array_equal(plane["part"], np.repeat([0, 1], [60, 24]))
            # A part's heap lies where that of the other part does: they share one plane.
            middles = [
                [plane["points"][(plane["part"] == p) & (plane["labels"] == c)].mean(axis=0)
                 for c in range(3)] for p in (0, 1)
            ]  # fmt: skip
            ours = np.linalg.norm(np.subtract(*middles), axis=1).max()
            apart = np.linalg.norm(np.subtract(middles[0], np.roll(middles[0], 1, axis=0)), axis=1)
            assert ours < apart.min() / 2
    assert 0.9 < results["pca"]["variance"] <= 1.0


def test_classes_that_meet_are_named(context: Any) -> None:
    results = run(
        context, LatentEmbedding(perplexity=10), heaps(20, 0, mixed=True), heaps(8, 1, True)
    )
    assert results["tsne"]["overlap"]["training"] == ["b", "c"]
    assert 0.4 < results["tsne"]["neighbours"]["training"] < 0.95


def test_the_same_again_and_no_more_samples_than_wanted(context: Any, tmp_path: Path) -> None:
    few = LatentEmbedding(samples=15, perplexity=5)
    first = run(context, few, heaps(20, 0), heaps(8, 1))
    before = (tmp_path / "plots" / "tsne.npz").read_bytes()
    with np.load(tmp_path / "plots" / "tsne.npz") as plane:
        assert np.bincount(plane["labels"][plane["part"] == 0]).tolist() == [5, 5, 5]
    assert first["points"] == {"training": 15, "test": 15}
    assert run(context, few, heaps(20, 0), heaps(8, 1)) == first
    assert (tmp_path / "plots" / "tsne.npz").read_bytes() == before


def test_without_classes_points_are_laid_out_all_the_same(context: Any, tmp_path: Path) -> None:
    bare = replace(DATA, target=replace(DATA.target, kind="none", names=()))
    one = part(np.random.default_rng(0).normal(size=(30, 5)))
    given = context("reconstruction", bare, one, network=CODE, node_values=lambda n, i: i["x"])
    results = LatentEmbedding(perplexity=500, part="train").run(given)
    assert results["tsne"]["perplexity"] == pytest.approx(29 / 3)
    assert results["points"] == {"training": 30} and "neighbours" not in results["tsne"]
    assert (tmp_path / "plots" / "pca-train.npz").exists()


@pytest.mark.parametrize("x", [np.zeros((9, 5)), np.random.default_rng(0).normal(size=(2, 5))])
def test_nothing_to_lay_out_is_noted(x: Any, context: Any) -> None:
    one = part(x, [0] * len(x))
    results = LatentEmbedding(part="train").run(
        context("reconstruction", DATA, one, network=CODE, node_values=lambda n, i: i["x"])
    )
    assert "there is no embedding" in results["notes"][0] and "tsne" not in results


def test_a_single_number_is_no_plane() -> None:
    ((setting, reason),) = LatentEmbedding(place="one").network_problems(DATA, CODE)
    assert setting == "place" and "two numbers at least" in reason
