"""Clusters held against classes: by hand, and as scikit-learn counts them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from ldl import metrics

# Two clusters: one of 3 a and 1 b, one of 2 b and 2 c; a third one is empty.
COUNTS = np.array([[3, 1, 0], [0, 2, 2], [0, 0, 0]])


def test_purities_by_hand() -> None:
    assert metrics.purity(COUNTS) == 5 / 8
    np.testing.assert_array_equal(metrics.cluster_purity(COUNTS), [3 / 4, 2 / 4, np.nan])
    # b gives the second cluster its name, being the first of two equally common classes; no
    # cluster goes by c, and an empty one has no name.
    np.testing.assert_array_equal(metrics.class_purity(COUNTS), [3 / 4, 2 / 4, np.nan])


def test_a_class_of_two_clusters_is_as_pure_as_both_together() -> None:
    counts = np.array([[8, 2], [5, 5], [1, 9]])
    np.testing.assert_allclose(metrics.class_purity(counts), [13 / 20, 9 / 10])


@pytest.mark.parametrize("seed", range(20))
def test_nmi_and_ari_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters, classes = rng.integers(0, 1 + seed % 7, 50), rng.integers(0, 1 + seed % 4, 50)
    counts = metrics.contingency(clusters, classes, 8, 5)  # some rows and columns are empty
    assert metrics.nmi(counts) == pytest.approx(
        normalized_mutual_info_score(classes, clusters), abs=1e-12
    )
    assert metrics.ari(counts) == pytest.approx(adjusted_rand_score(classes, clusters), abs=1e-12)


@pytest.mark.parametrize("counts", [np.diag([3, 4, 5]), np.array([[7]]), np.array([[1]])])
def test_agreement_is_1(counts: np.ndarray) -> None:
    assert metrics.nmi(counts) == pytest.approx(1.0)
    assert metrics.ari(counts) == 1.0


def test_what_says_nothing_is_0() -> None:
    counts = np.full((4, 5), 6)
    assert metrics.nmi(counts) == pytest.approx(0.0, abs=1e-12)
    assert abs(metrics.ari(counts)) < 0.05
    assert metrics.nmi(np.array([[4, 4]])) == metrics.ari(np.array([[4, 4]])) == 0.0
